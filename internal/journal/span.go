package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
)

// CatchUp returns when this process knows of everything that was committed in
// the stream before the call, by whomever. The processes of a cluster are told of
// each other's commits a moment later: soon enough for who follows the journal,
// but not for who takes what there is for all there is.
func (j *Journal) CatchUp(ctx context.Context, s Stream) error {
	_, _, err := j.catchUp(ctx, s)
	return err
}

// catchUp returns the sequence of the stream's newest message, 0 when there is
// none, and when it was stored.
func (j *Journal) catchUp(ctx context.Context, s Stream) (newest uint64, stored time.Time, err error) {
	subject, err := s.subject()
	if err != nil {
		return 0, time.Time{}, err
	}
	newest, stored, err = j.broker.Newest(ctx, streamName, subject)
	if errors.Is(err, broker.ErrNotFound) {
		return 0, time.Time{}, nil
	}
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("journal: catch up: %w", err)
	}
	j.announce(subject, newest)
	return newest, stored, nil
}

// Span is a stretch of a stream.
type Span struct {
	After, Last Position // its events are after the one and up to the other
	Events      uint64   // 0: the positions mean nothing
}

// Span finds and counts the events that the journal took from since on and
// before until, all that were committed before the call. None is decoded.
func (j *Journal) Span(ctx context.Context, s Stream, since, until time.Time) (Span, error) {
	newest, stored, err := j.catchUp(ctx, s)
	if err != nil || newest == 0 || stored.Before(since) {
		return Span{}, err
	}
	subject, err := s.subject()
	if err != nil {
		return Span{}, err
	}
	var span Span
	next := broker.Range{Stream: streamName, Since: since, Subject: subject, Max: 64, MaxBytes: maxFrame}
	for next.From <= newest {
		messages, err := j.broker.Read(ctx, next)
		if err != nil {
			return Span{}, fmt.Errorf("journal: count: %w", err)
		}
		for _, m := range messages {
			if !m.Stored.Before(until) {
				return span, nil
			}
			if err := j.extend(&span, m); err != nil {
				return Span{}, fmt.Errorf("journal: count: %w", err)
			}
			next.Since, next.From = time.Time{}, m.Sequence+1
		}
		if len(messages) > 0 {
			continue
		}
		if gone, err := j.gone(ctx, newest); gone || err != nil {
			return span, err
		}
	}
	return span, nil
}

// extend has the message in the span too.
func (j *Journal) extend(span *Span, m broker.Message) error {
	lines, err := j.lines(m)
	if err != nil {
		return err
	}
	if span.Events == 0 {
		span.After = endOf(m.Sequence - 1)
	}
	span.Last = endOf(m.Sequence)
	span.Events += uint64(bytes.Count(lines, newline) + 1)
	return nil
}
