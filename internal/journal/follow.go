package journal

import (
	"context"
	"sync"
)

// followed wakes those who follow one organization's events of one region. It
// costs a map entry while nothing happens.
type followed struct {
	followers int
	appended  chan struct{} // closed and replaced at each append
}

func followKey(region, organization string) string { return region + "." + organization }

// announce wakes the followers of what a group of appends was about.
func (j *Journal) announce(group []*pendingAppend) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, pending := range group {
		for _, key := range pending.keys {
			if f, ok := j.followed[key]; ok {
				close(f.appended)
				f.appended = make(chan struct{})
			}
		}
	}
}

// Follower reads one organization's events of one region as they come.
type Follower struct {
	journal              *Journal
	region, organization string
	after                uint64
	state                *followed
	close                sync.Once
}

// Follow begins after the sequence. Close the follower when done with it.
func (j *Journal) Follow(region, organization string, after uint64) *Follower {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := followKey(region, organization)
	state, ok := j.followed[key]
	if !ok {
		state = &followed{appended: make(chan struct{})}
		j.followed[key] = state
	}
	state.followers++
	return &Follower{journal: j, region: region, organization: organization, after: after, state: state}
}

// Next returns the events after the last ones it returned, up to max, waiting
// until there is at least one. Its error is the context's or the engine's.
func (f *Follower) Next(ctx context.Context, max int) ([]Entry, error) {
	for {
		f.journal.mu.Lock()
		appended := f.state.appended
		f.journal.mu.Unlock()
		entries, err := f.journal.Read(ctx, f.region, f.organization, f.after, max)
		if err != nil {
			return nil, err
		}
		if len(entries) > 0 {
			f.after = entries[len(entries)-1].Sequence
			return entries, nil
		}
		select {
		case <-appended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close ends the following.
func (f *Follower) Close() {
	f.close.Do(func() {
		f.journal.mu.Lock()
		defer f.journal.mu.Unlock()
		if f.state.followers--; f.state.followers == 0 {
			delete(f.journal.followed, followKey(f.region, f.organization))
		}
	})
}
