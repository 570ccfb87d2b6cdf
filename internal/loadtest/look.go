package loadtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

const (
	// clockDifference is how far the clocks of the platform and of this machine may
	// be apart, with the length of a run.
	clockDifference = 48 * time.Hour
	// mostRows is how many rows an answer of the SIEM's has at most.
	mostRows = 10_000
)

// look goes through all events of the run, in pieces of time that hold no more than
// an answer can have.
func (r *run) look(ctx context.Context) (doubled, invalid uint64, err error) {
	r.ledgers.calls.forget(r.calls.next.Load())
	r.ledgers.bodies.forget(r.events.next.Load())
	r.ledgers.events.forget(r.events.next.Load() * uint64(r.EventsPerCall))
	pieces, err := r.pieces(ctx)
	if err != nil {
		return 0, 0, err
	}
	seen, owed := uint64(0), r.ledgers.owed()
	query := r.query() + " | count by user_agent, trace_id, kind, _signature"
	for len(pieces) > 0 {
		next := pieces[0]
		rows := make([]foundLine, 0, mostRows)
		if err := r.search(ctx, query, next.from, next.to, func(line foundLine) { rows = append(rows, line) }); err != nil {
			return doubled, invalid, err
		}
		if len(rows) >= mostRows { // perhaps not all
			if pieces[0], err = next.half(); err != nil {
				return doubled, invalid, err
			}
			pieces = append([]piece{pieces[0], {pieces[0].to, next.to, 0}}, pieces[1:]...)
			continue
		}
		for _, row := range rows {
			again, bad := r.ledgers.find(row)
			doubled, invalid, seen = doubled+again, invalid+bad, seen+row.count()
		}
		r.Progress(Progress{Checking, int64(min(seen, owed)), int64(owed)})
		pieces = pieces[1:]
	}
	return doubled, invalid, nil
}

// piece is a piece of time, and how many events it has.
type piece struct {
	from, to time.Time
	count    uint64
}

// half is the first half of it, in whole milliseconds.
func (p piece) half() (piece, error) {
	middle := p.from.Add(p.to.Sub(p.from) / 2).Truncate(time.Millisecond)
	if !middle.After(p.from) {
		return piece{}, errors.New("more events have the same time than the SIEM shows in an answer")
	}
	return piece{from: p.from, to: middle}, nil
}

// pieces cuts the time of the run, as the events have it.
func (r *run) pieces(ctx context.Context) (pieces []piece, err error) {
	slice := time.Second
	if r.Duration > time.Hour { // no more slices than an answer has rows
		slice = time.Minute
	}
	query := fmt.Sprintf("%s | timeslice %.0fs | count by _timeslice | sort by _timeslice asc", r.query(), slice.Seconds())
	err = r.search(ctx, query, r.began.Add(-clockDifference), r.began.Add(clockDifference), func(line foundLine) {
		begins, _ := strconv.ParseInt(line.Timeslice, 10, 64) // what is no number has no events
		next := piece{time.UnixMilli(begins), time.UnixMilli(begins).Add(slice), line.count()}
		if last := len(pieces) - 1; last >= 0 && pieces[last].count+next.count < mostRows/2 {
			pieces[last].to, pieces[last].count = next.to, pieces[last].count+next.count
			return
		}
		pieces = append(pieces, next)
	})
	return pieces, err
}

// find notes a row in the ledger that it belongs to, and returns how many events of
// it are too many, and how many bad.
func (l ledgers) find(row foundLine) (doubled, invalid uint64) {
	sort, number, ok := row.identity()
	ledger := map[string]*ledger{"call": l.calls, "body": l.bodies, "event": l.events}[sort]
	if !ok || ledger == nil {
		return 0, row.count()
	}
	known, first := ledger.find(row.Kind, number)
	if !known {
		return 0, row.count()
	}
	if doubled = row.count(); first {
		doubled--
	}
	if row.Signature != "valid" {
		invalid = row.count()
	}
	return doubled, invalid
}
