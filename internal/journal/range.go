package journal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

// Query says which events of one organization in one region to read.
type Query struct {
	Region, Organization string
	// Portal leaves those of one portal. Empty, unlike in a [Stream], is all: the
	// organization's own and those of its portals, in the order of their commits.
	Portal string

	// Since and Until bound when the journal took the events: not before Since,
	// before Until. Zero is no bound.
	Since, Until time.Time
	Kinds        []audit.Kind // none: all
	// After and Before bound the positions, both exclusive; 0 is no bound.
	After, Before Position
	Descending    bool // newest first
	Limit         int  // how many events at most; at least 1
}

// Range returns the events of the query in the order of the journal, or in the
// reverse order, up to the limit: fewer only when there are no more. To go on,
// ask again with After (or, descending, Before) at the last one's position.
//
// Nothing outside the range is read but, descending, the ends of a few messages
// by which the place to begin at is found.
func (j *Journal) Range(ctx context.Context, q Query) ([]Entry, error) {
	if q.Limit < 1 {
		return nil, fmt.Errorf("journal: range: limit %d", q.Limit)
	}
	subject, err := Stream{q.Region, q.Organization, q.Portal}.subject()
	if err != nil {
		return nil, err
	}
	if q.Portal == "" {
		subject = allPortals(subject)
	}
	if q.Before == 0 {
		q.Before = never
	}
	r := &reading{Journal: j, Query: q, subject: subject}
	if err := r.bound(ctx); err != nil {
		return nil, err
	}
	if q.Descending {
		err = r.backward(ctx)
	} else {
		err = r.forward(ctx)
	}
	return r.found, err
}

// reading is a Range under way.
type reading struct {
	*Journal
	Query
	subject string
	from    uint64 // first sequence of the range
	to      uint64 // first sequence after the range
	found   []Entry
}

// bound turns the query's bounds into sequences.
func (r *reading) bound(ctx context.Context) error {
	newest, _ := r.newest(r.subject)
	r.from, r.to = r.After.next(), min(newest, r.Before.sequence())+1
	if !r.Since.IsZero() {
		first, err := r.firstSince(ctx, r.Since)
		if err != nil {
			return err
		}
		r.from = max(r.from, first)
	}
	if !r.Until.IsZero() {
		first, err := r.firstSince(ctx, r.Until)
		if err != nil {
			return err
		}
		r.to = min(r.to, first)
	}
	return nil
}

// firstSince returns the sequence of the first message that was stored at the
// time or later; one beyond the newest when there is none.
func (r *reading) firstSince(ctx context.Context, at time.Time) (uint64, error) {
	messages, err := r.broker.Read(ctx, broker.Range{Stream: streamName, Since: at, Subject: r.subject, Max: 1})
	if err != nil {
		return 0, fmt.Errorf("journal: %w", err)
	}
	if len(messages) == 0 {
		newest, _ := r.newest(r.subject)
		return newest + 1, nil
	}
	return messages[0].Sequence, nil
}

func (r *reading) forward(ctx context.Context) error {
	for most := min(8, r.Limit); r.from < r.to && len(r.found) < r.Limit; most = min(2*most, 256) {
		messages, err := r.read(ctx, r.from, most)
		if err != nil || len(messages) == 0 {
			return err
		}
		for _, m := range messages {
			if len(r.found) >= r.Limit {
				break
			}
			entries, err := r.matching(m)
			if err != nil {
				return err
			}
			r.found = append(r.found, entries...)
			r.from = m.Sequence + 1
		}
	}
	r.found = r.found[:min(len(r.found), r.Limit)]
	return nil
}

// backward reads the last few messages of what is left of the range, then more.
func (r *reading) backward(ctx context.Context) error {
	for most := uint64(8); r.from < r.to && len(r.found) < r.Limit; most = min(2*most, 128) {
		from, err := r.seekBack(ctx, most)
		if err != nil {
			return err
		}
		messages, err := r.readUntil(ctx, from)
		if err != nil {
			return err
		}
		for _, m := range slices.Backward(messages) {
			if len(r.found) >= r.Limit {
				break
			}
			entries, err := r.matching(m)
			if err != nil {
				return err
			}
			slices.Reverse(entries)
			r.found = append(r.found, entries...)
		}
		r.to = from
	}
	r.found = r.found[:min(len(r.found), r.Limit)]
	return nil
}

// seekBack returns a sequence from which the rest of the range holds about most
// messages: not more than four times as many, and one at least if it has any.
// The engine reads forward only, but tells with each message how many of the
// subject come after it; from two such counts the place is guessed, and guessed
// again from what the guess told.
func (r *reading) seekBack(ctx context.Context, most uint64) (uint64, error) {
	beyond, _, err := r.countFrom(ctx, r.to)
	if err != nil {
		return 0, err
	}
	low, high := r.from, r.to // the place is in [low, high)
	inLow, _, err := r.countFrom(ctx, low)
	if err != nil {
		return 0, err
	}
	inLow -= min(beyond, inLow)
	inHigh := uint64(0)
	for inLow > 4*most && high-low > 1 {
		// As if the messages stood evenly between low and high; but at least an
		// eighth off either end, so that unevenness cannot make it slow.
		share := float64(2*most-min(2*most, inHigh)) / float64(inLow-inHigh)
		share = min(max(share, 1.0/8), 7.0/8)
		guess := high - max(uint64(share*float64(high-low)), 1)
		guess = max(guess, low+1)
		count, first, err := r.countFrom(ctx, guess)
		if err != nil {
			return 0, err
		}
		count -= min(beyond, count)
		switch {
		case count >= most && count <= 4*most:
			return first, nil
		case count < most:
			high, inHigh = guess, count
		default:
			low, inLow = max(first, low+1), count
		}
	}
	return low, nil
}

// countFrom returns how many messages of the subject there are from the
// sequence on, and the sequence of the first of them.
func (r *reading) countFrom(ctx context.Context, sequence uint64) (count, first uint64, err error) {
	messages, err := r.read(ctx, sequence, 1)
	if err != nil || len(messages) == 0 {
		return 0, sequence, err
	}
	return messages[0].Pending + 1, messages[0].Sequence, nil
}

// readUntil reads the messages from the sequence to the end of the range.
func (r *reading) readUntil(ctx context.Context, from uint64) ([]broker.Message, error) {
	var all []broker.Message
	for from < r.to {
		messages, err := r.read(ctx, from, 128)
		if err != nil {
			return nil, err
		}
		if len(messages) == 0 {
			break
		}
		for _, m := range messages {
			if m.Sequence >= r.to {
				return all, nil
			}
			all = append(all, m)
			from = m.Sequence + 1
		}
	}
	return all, nil
}

func (r *reading) read(ctx context.Context, from uint64, most int) ([]broker.Message, error) {
	messages, err := r.broker.Read(ctx, broker.Range{
		Stream: streamName, From: from, Subject: r.subject, Max: most, MaxBytes: 2 * maxFrame,
	})
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return messages, nil
}

// matching returns the events of a message that the query asks for.
func (r *reading) matching(m broker.Message) ([]Entry, error) {
	if m.Sequence >= r.to {
		return nil, nil
	}
	entries, err := r.entries(m, r.After, r.Before)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return slices.DeleteFunc(entries, func(e Entry) bool {
		return len(r.Kinds) > 0 && !slices.Contains(r.Kinds, e.Event.Kind)
	}), nil
}
