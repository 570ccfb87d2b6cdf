package duckdb

import (
	"context"
	"sync"
	"time"
)

// views are the searches being read. What expires is hidden from those that
// begin, and deleted when those that began before have ended: so each sees all
// of a day or nothing of it.
type views struct {
	mu     sync.Mutex
	open   map[*view]bool
	hidden *expired // nil: nothing expires
}

// view is what one search sees.
type view struct {
	without *expired
	ended   chan struct{}
}

// expired is the records of a source that were received before a time.
type expired struct {
	sourceID string
	before   time.Time
}

func (v *views) begin() *view {
	v.mu.Lock()
	defer v.mu.Unlock()
	seen := &view{without: v.hidden, ended: make(chan struct{})}
	if v.open == nil {
		v.open = map[*view]bool{}
	}
	v.open[seen] = true
	return seen
}

func (v *views) end(ended *view) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.open, ended)
	close(ended.ended)
}

// hide hides what expires, and returns when nobody sees it, or with ctx's error.
// reveal has to be called in either case, once it is deleted or was not.
func (v *views) hide(ctx context.Context, x *expired) error {
	v.mu.Lock()
	v.hidden = x
	var before []*view
	for seen := range v.open {
		before = append(before, seen)
	}
	v.mu.Unlock()
	for _, seen := range before {
		select {
		case <-seen.ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (v *views) reveal() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hidden = nil
}

// condition is what to add to a search's.
func (v *view) condition() (sql string, args []any) {
	if v.without == nil {
		return "", nil
	}
	return ` AND NOT ("source_id" = CAST(? AS VARCHAR) AND "receipt" < ?)`, []any{v.without.sourceID, wholeMilliseconds(v.without.before)}
}
