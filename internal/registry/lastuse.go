package registry

import (
	"context"
	"errors"
	"sync"
	"time"
)

// useInterval is how often the last uses of tokens are written. A crash loses
// those of that time, and so do other processes not see them for that long.
const useInterval = 5 * time.Minute

// uses gathers when tokens were last used. Authentication only notes it here;
// it is written later, at most once an interval for each token.
type uses struct {
	mu   sync.Mutex
	last map[string]time.Time // by token id; what is not written yet
}

func (u *uses) note(token string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = map[string]time.Time{}
	}
	u.last[token] = now
}

func (u *uses) of(token string) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.last[token]
}

func (u *uses) all() map[string]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := make(map[string]time.Time, len(u.last))
	for token, at := range u.last {
		list[token] = at
	}
	return list
}

// written forgets a use unless there was a later one.
func (u *uses) written(token string, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last[token].Equal(at) {
		delete(u.last, token)
	}
}

// withLastUse adds what is not written yet.
func (r *Registry) withLastUse(token Token) Token {
	if last := r.uses.of(token.ID).UTC().Truncate(time.Millisecond); last.After(token.LastUsedAt) {
		token.LastUsedAt = last
	}
	return token
}

// keepUses writes the uses each interval until the context ends.
func (r *Registry) keepUses(ctx context.Context) {
	ticker := time.NewTicker(useInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.writeUses(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// writeUses writes what has been noted. What cannot be written now stays noted.
func (r *Registry) writeUses(ctx context.Context) {
	for token, at := range r.uses.all() {
		_, err := revise(ctx, r.tokens, token, func(t Token) (Token, error) {
			if last := at.UTC().Truncate(time.Millisecond); last.After(t.LastUsedAt) {
				t.LastUsedAt = last
			}
			return t, nil
		})
		if err == nil || errors.Is(err, ErrNotFound) {
			r.uses.written(token, at)
		}
		if ctx.Err() != nil {
			return
		}
	}
}
