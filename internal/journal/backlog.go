package journal

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
)

// backlogSample is how many messages a Backlog looks into.
const backlogSample = 64

// Backlog is what a stream has after a position.
type Backlog struct {
	Events uint64
	Bytes  uint64 // of the events as the journal writes them, before compression
	// Estimated says that Events and Bytes are what the first messages hold,
	// projected on the number of the rest, which is known.
	Estimated bool
	Oldest    time.Time // when the first of them was stored; zero without any
}

// Backlog returns what comes after the position. It costs one request, however
// much that is: only the first messages are looked into.
func (j *Journal) Backlog(ctx context.Context, s Stream, after Position) (Backlog, error) {
	subject, err := s.subject()
	if err != nil || !j.Behind(s, after) {
		return Backlog{}, err
	}
	messages, err := j.broker.Read(ctx, broker.Range{
		Stream: streamName, From: after.next(), Subject: subject, Max: backlogSample, MaxBytes: 2 * maxFrame,
	})
	if err != nil {
		return Backlog{}, fmt.Errorf("journal: backlog: %w", err)
	}
	if len(messages) == 0 {
		return Backlog{}, nil
	}
	b := Backlog{Oldest: messages[0].Stored}
	for _, m := range messages {
		lines, err := j.lines(m)
		if err != nil {
			return Backlog{}, fmt.Errorf("journal: backlog: %w", err)
		}
		events := bytes.Count(lines, newline) + 1
		taken := 0
		if m.Sequence == after.sequence() { // the position is within it
			taken = min(int(after&maxIndex), events)
		}
		b.Events += uint64(events - taken)
		b.Bytes += uint64(len(lines) * (events - taken) / events)
	}
	if rest := messages[len(messages)-1].Pending; rest > 0 {
		b.Estimated = true
		b.Events += rest * b.Events / uint64(len(messages))
		b.Bytes += rest * b.Bytes / uint64(len(messages))
	}
	return b, nil
}
