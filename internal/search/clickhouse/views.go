package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// views are the searches being read. What expires is hidden from those that
// begin, and deleted when those that began before have ended: so each sees all
// of a day or nothing of it.
type views struct {
	mu     sync.Mutex
	open   map[*view]bool
	hidden []*expired
}

// view is what one search sees.
type view struct {
	without []*expired
	ended   chan struct{}
}

// expired is the records of a source that were received before a time.
type expired struct {
	sourceID string
	before   time.Time
}

func (x *expired) condition() string {
	return fmt.Sprintf(`"source_id" = %s AND "receipt" < %d`, literal(x.sourceID), wholeMilliseconds(x.before))
}

func (v *views) begin() *view {
	v.mu.Lock()
	defer v.mu.Unlock()
	seen := &view{without: slices.Clone(v.hidden), ended: make(chan struct{})}
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

// hide hides what expires, until reveal, and returns when nobody sees it, or with
// ctx's error.
func (v *views) hide(ctx context.Context, x *expired) error {
	v.mu.Lock()
	v.hidden = append(v.hidden, x)
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

// reveal ends the hiding of what is deleted, or was not to be, and of what is a
// part of it.
func (v *views) reveal(x *expired) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hidden = slices.DeleteFunc(v.hidden, func(h *expired) bool {
		return h.sourceID == x.sourceID && !h.before.After(x.before)
	})
}

// condition is what to add to a search's.
func (v *view) condition() (condition string) {
	for _, x := range v.without {
		condition += ` AND NOT (` + x.condition() + `)`
	}
	return condition
}
