package konnect

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/journal"
)

const (
	// mostLookedAt is how many events one call looks at, about: a page of what is
	// rare among them is short, or empty, and says where to go on.
	mostLookedAt = 50_000
	// largestRead is how many of them are in memory at a time.
	largestRead = 16_384
	// readAhead is how much later than the journal took an event its ts may be:
	// clocks differ, and who records events of his own may give a time a little
	// ahead. How much earlier is not bounded.
	readAhead = 10 * time.Minute
)

// place is where a page begins: next to a position, and not beyond the newest
// event that the first page of the session saw. That keeps a session the same
// while events are appended, not least those of its own calls: it ends.
type place struct {
	at, newest journal.Position
}

// String is the place as a cursor has it.
func (p place) String() string { return p.at.String() + "." + p.newest.String() }

// parsePlace reads a cursor, which anybody may have made up: it can lead nowhere
// but to the caller's own events.
func parsePlace(cursor string) (p place, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	at, newest, found := strings.Cut(string(text), ".")
	if err != nil || !found {
		return place{}, false
	}
	if p.at, err = journal.ParsePosition(at); err == nil {
		p.newest, err = journal.ParsePosition(newest)
	}
	return p, err == nil && p.String() == string(text)
}

// pulled is one page of the journal.
type pulled struct {
	entries  []journal.Entry // newest first
	newest   journal.Position
	older    journal.Position // where the next page ends; 0: there is none
	newer    journal.Position // where the previous page begins, if hasNewer
	hasNewer bool
}

// meta says where the neighbours are.
func (p *pulled) meta(l links) cursorMeta {
	meta := cursorMeta{First: l.to("", ""), Last: l.to("page[before]", place{0, p.newest}.String()), Size: l.size}
	if p.older != 0 {
		meta.Next = l.next(place{p.older, p.newest}.String())
	}
	if p.hasNewer {
		meta.Previous = l.previous(place{p.newer, p.newest}.String())
	}
	return meta
}

// pull reads the page that the query asks for.
func (a *API) pull(ctx context.Context, q *auditLogQuery) (*pulled, error) {
	c := callOf(ctx)
	switch {
	case q.After != "" && q.Before != "":
		return nil, twoCursors(c)
	case q.Before != "":
		from, ok := parsePlace(q.Before)
		if !ok {
			return nil, unknownPlace(c, "page[before]")
		}
		return a.pullNewer(ctx, q, from)
	case q.After != "":
		from, ok := parsePlace(q.After)
		if !ok || from.at == 0 {
			return nil, unknownPlace(c, "page[after]")
		}
		return a.pullOlder(ctx, q, from)
	}
	return a.pullOlder(ctx, q, place{})
}

func unknownPlace(c *call, field string) error {
	return c.invalid(InvalidParameter{Field: field, Rule: "invalid", Source: "query",
		Reason: "the cursor is not one that a page gave; begin again at the first page"})
}

// pullOlder reads what is older than the place; from its zero, the newest.
func (a *API) pullOlder(ctx context.Context, q *auditLogQuery, from place) (*pulled, error) {
	r, err := a.look(ctx, q, journal.Query{Before: from.at, Descending: true})
	if err != nil {
		return nil, err
	}
	p := &pulled{entries: r.found, newest: max(from.newest, r.first), older: r.goOn}
	if from.at != 0 {
		p.hasNewer, p.newer = true, from.at-1 // what stands there itself is newer than this page
		if len(p.entries) > 0 {
			p.newer = p.entries[0].Position
		}
	}
	return p, nil
}

// pullNewer reads what is newer than the place: the oldest of it.
func (a *API) pullNewer(ctx context.Context, q *auditLogQuery, from place) (*pulled, error) {
	r, err := a.look(ctx, q, journal.Query{After: from.at, Before: from.newest + 1})
	if err != nil {
		return nil, err
	}
	slices.Reverse(r.found)
	p := &pulled{entries: r.found, newest: from.newest, newer: r.goOn, hasNewer: r.goOn != 0}
	if from.at != 0 {
		p.older = from.at + 1
		if n := len(p.entries); n > 0 {
			p.older = p.entries[n-1].Position
		}
	}
	return p, nil
}

// firstRead is how many events to read at first: what fills the page, and tells
// whether there is more, if all are wanted.
func (q *auditLogQuery) firstRead() int {
	if q.Type == "" && q.Since.IsZero() && q.Until.IsZero() {
		return q.Size + 1
	}
	return 4*q.Size + 1000
}

// looked is what a look through the journal found.
type looked struct {
	found []journal.Entry
	first journal.Position // of the first event looked at; 0: there was none
	goOn  journal.Position // where to go on; 0: there is no more
}

// look goes through the caller's events in the direction and within the
// positions of the range, until a page is full or enough was looked at. What is
// wanted is decided here, not by the journal, so that a look can end at an event
// that is not.
func (a *API) look(ctx context.Context, q *auditLogQuery, within journal.Query) (l looked, err error) {
	c := callOf(ctx)
	within.Region, within.Organization = c.region, c.user.OrgID
	within.Since = time.Now().Add(-a.Journal.Retention())
	if since := q.Since.Add(-readAhead); !q.Since.IsZero() && since.After(within.Since) {
		within.Since = since
	}
	within.Limit = q.firstRead()
	for seen := 0; ; within.Limit = min(4*within.Limit, largestRead) {
		entries, err := a.Journal.Range(ctx, within)
		if err != nil {
			return looked{}, err
		}
		for i := range entries {
			e := &entries[i]
			if l.first == 0 {
				l.first = e.Position
			}
			if !q.wants(&e.Event) {
				continue
			}
			if len(l.found) == q.Size {
				l.goOn = l.found[q.Size-1].Position
				return l, nil
			}
			l.found = append(l.found, *e)
		}
		if len(entries) < within.Limit {
			return l, nil
		}
		last := entries[len(entries)-1].Position
		if seen += len(entries); seen >= mostLookedAt {
			l.goOn = last
			return l, nil
		}
		if within.Descending {
			within.Before = last
		} else {
			within.After = last
		}
	}
}
