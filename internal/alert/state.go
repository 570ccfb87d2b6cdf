package alert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/search"
)

// The bounds of what is kept of one alert.
const (
	maxGroups     = 1000      // that fire
	maxGroupBytes = 512 << 10 // of all of their values together
	maxGroupValue = 256       // bytes of a value as it is shown
	maxPosts      = 1000      // that wait; beyond, groups stay as they are
)

// state is what is kept of an alert. It is written in one go, by its evaluation
// alone, and says which posts there are: see the package comment.
type state struct {
	Definition string    // what it was evaluated by; empty: it is new, or was switched off or changed
	End        time.Time // before which all was looked at that was received
	At         time.Time // when it was evaluated last
	Took       time.Duration
	Error      string `json:",omitempty"` // of that evaluation
	Firing     []firing
	Omitted    int      `json:",omitempty"` // groups beyond the bounds
	Deferred   int      `json:",omitempty"` // groups that wait for room among the posts
	Posts      []string // the ids of those that may be sent, in order
}

// firing is a group for which the condition holds, and which was told.
type firing struct {
	Key   string
	Group []Member `json:",omitempty"`
	Since time.Time
	Value float64
}

// Member is a field of a group and its value, nil where it has none.
type Member struct {
	Field string
	Value *string
}

func (f firing) size() int {
	size := 128
	for _, m := range f.Group {
		size += len(m.Field)
		if m.Value != nil {
			size += len(*m.Value)
		}
	}
	return size
}

// groupOf makes a group of values in the order of the fields. Its key tells groups
// apart, while values are cut to a length that can be shown.
func groupOf(fields []string, values []*string) (key string, group []Member) {
	sum := sha256.New()
	for i, field := range fields {
		member := Member{Field: search.Text(field)}
		if values[i] == nil {
			fmt.Fprint(sum, "null\n")
		} else {
			fmt.Fprintf(sum, "%d %s\n", len(*values[i]), *values[i])
			shown := cut(search.Text(*values[i]), maxGroupValue)
			member.Value = &shown
		}
		group = append(group, member)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), group
}

// cut returns at most so many bytes of a text, and an ellipsis if there were more.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most
	for end > 0 && text[end]&0xC0 == 0x80 { // within a character
		end--
	}
	return text[:end] + "…"
}

// state returns what is kept of an alert, and its revision, 0 if there is nothing.
func (a *Alerts) state(id string) (state, uint64) {
	entry, err := a.states.Get(id)
	if err != nil {
		return state{}, 0
	}
	return entry.Value, entry.Revision
}

// save writes the state over that of the revision.
func (a *Alerts) save(ctx context.Context, id string, st state, revision uint64) error {
	if revision == 0 {
		return a.states.Create(ctx, id, st)
	}
	return a.states.Update(ctx, id, st, revision)
}

// forget deletes what is kept of a search that is no more.
func (a *Alerts) forget(ctx context.Context, id string) error {
	if entry, err := a.states.Get(id); err == nil {
		if err := a.states.Delete(ctx, id, entry.Revision); err != nil {
			return err
		}
	}
	return a.drop(ctx, a.outbox.List(id+"/"), nil)
}

// drop deletes the posts that are not to be kept.
func (a *Alerts) drop(ctx context.Context, posts []broker.Entry[post], keep map[string]bool) error {
	for _, entry := range posts {
		if keep[entry.Value.ID] {
			continue
		}
		if err := a.outbox.Delete(ctx, entry.Key, entry.Revision); err != nil && !errors.Is(err, broker.ErrConflict) {
			return err
		}
	}
	return nil
}

// dropUnnamed deletes the posts that no state names: an evaluation ended between
// the two.
func (a *Alerts) dropUnnamed(ctx context.Context) error {
	named := map[string]bool{}
	for _, entry := range a.states.List("") {
		for _, id := range entry.Value.Posts {
			named[id] = true
		}
	}
	return a.drop(ctx, a.outbox.List(""), named)
}
