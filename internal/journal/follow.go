package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
)

// staleRetry is how long to wait for a replica that has not yet got what the
// tail has told of.
const staleRetry = 10 * time.Millisecond

// followBytes is about how many bytes are read at once, compressed: several
// times as much when decoded, which many followers hold at a time.
const followBytes = 128 << 10

// Follower reads the events of one stream as they come. It holds
// nothing in the engine, and costs nothing while it waits. It belongs to one
// goroutine.
type Follower struct {
	journal *Journal
	subject string
	after   Position
	ready   []Entry // read, and not yet returned
	reading Reading
}

// Reading is what a Follower has read since it began, and what it knows of the
// rest.
type Reading struct {
	Messages uint64
	Events   uint64
	Bytes    uint64 // of the events as the journal writes them, before compression
	Pending  uint64 // messages beyond, when the last was read
	Told     uint64 // what [Journal.Told] was before that
}

// Reading returns what was read.
func (f *Follower) Reading() Reading { return f.reading }

// Follow begins after the position.
func (j *Journal) Follow(s Stream, after Position) (*Follower, error) {
	subject, err := s.subject()
	if err != nil {
		return nil, err
	}
	return &Follower{journal: j, subject: subject, after: after}, nil
}

// Position returns the position up to which everything was returned or is gone.
func (f *Follower) Position() Position {
	if len(f.ready) > 0 {
		return f.ready[0].Position - 1 // between it and the one before
	}
	return f.after
}

// Next returns the events after the last ones it returned, up to max, waiting
// until there is at least one. Its error is the context's or the engine's; the
// events are then returned by the next call.
func (f *Follower) Next(ctx context.Context, max int) ([]Entry, error) {
	for {
		_, appended := f.journal.newest(f.subject)
		entries, err := f.Ready(ctx, max)
		if err != nil || len(entries) > 0 {
			return entries, err
		}
		select {
		case <-appended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Ready is Next without the wait: it returns no events when there are none yet.
func (f *Follower) Ready(ctx context.Context, max int) ([]Entry, error) {
	for len(f.ready) == 0 {
		newest, _ := f.journal.newest(f.subject)
		if newest < f.after.next() {
			return nil, nil
		}
		if err := f.read(ctx, newest); err != nil {
			return nil, err
		}
	}
	n := min(max, len(f.ready))
	entries := f.ready[:n:n]
	f.ready = f.ready[n:]
	return entries, nil
}

// read fetches what comes next, knowing that there was something up to newest.
func (f *Follower) read(ctx context.Context, newest uint64) error {
	told := f.journal.told(f.subject)
	messages, err := f.journal.broker.Read(ctx, broker.Range{
		Stream: streamName, From: f.after.next(), Subject: f.subject, Max: 64, MaxBytes: followBytes,
	})
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	for _, m := range messages {
		entries, size, err := f.journal.entriesWithSize(m, f.after, never)
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		f.ready = append(f.ready, entries...)
		f.reading.Messages++
		f.reading.Events += uint64(len(entries))
		f.reading.Bytes += uint64(size)
	}
	if len(messages) > 0 {
		last := messages[len(messages)-1]
		f.after = endOf(last.Sequence)
		f.reading.Pending, f.reading.Told = last.Pending, told
		return nil
	}
	gone, err := f.journal.gone(ctx, newest)
	if gone {
		f.after = endOf(newest)
	}
	return err
}

// gone tells why there is nothing to read up to newest, where something was:
// retention has taken it, or a replica answered that does not have it yet. In
// that case it returns after a moment.
func (j *Journal) gone(ctx context.Context, newest uint64) (bool, error) {
	info, err := j.stream.Info(ctx)
	if err != nil {
		return false, fmt.Errorf("journal: %w: %w", broker.ErrUnavailable, err)
	}
	if info.State.FirstSeq > newest {
		return true, nil
	}
	timer := time.NewTimer(staleRetry)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
