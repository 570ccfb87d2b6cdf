package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Last returns the newest message of a subject, which may hold wildcards, or
// [ErrNotFound]. On a cluster a replica that lags a moment may answer.
func (b *Broker) Last(ctx context.Context, stream, subject string) (Message, error) {
	ctx, done, err := pass(ctx, b.timeout, b.linked)
	if err != nil {
		return Message{}, fmt.Errorf("%w: read %s: %w", ErrUnavailable, stream, err)
	}
	defer done()
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return Message{}, fmt.Errorf("%w: read %s: %w", ErrUnavailable, stream, because(ctx, err))
	}
	msg, err := s.GetLastMsgForSubject(ctx, subject)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return Message{}, fmt.Errorf("read %s: %s: %w", stream, subject, ErrNotFound)
	case err != nil:
		return Message{}, fmt.Errorf("%w: read %s: %w", ErrUnavailable, stream, because(ctx, err))
	}
	return Message{Sequence: msg.Sequence, Subject: msg.Subject, Stored: msg.Time, Header: msg.Header, Data: msg.Data}, nil
}
