package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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

// Newest returns the sequence of the subject's newest message, and when it was
// stored, or [ErrNotFound]. The stream's leader answers, so that it is not before
// anything that was acknowledged by then.
func (b *Broker) Newest(ctx context.Context, stream, subject string) (sequence uint64, stored time.Time, err error) {
	ctx, done, err := pass(ctx, b.timeout, b.linked)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("%w: read %s: %w", ErrUnavailable, stream, err)
	}
	defer done()
	request, err := json.Marshal(map[string]string{"last_by_subj": subject})
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("broker: read %s: %w", stream, err)
	}
	answer, err := b.conn.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, request)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("%w: read %s: %w", ErrUnavailable, stream, because(ctx, err))
	}
	var found struct {
		Message *struct {
			Sequence uint64    `json:"seq"`
			Stored   time.Time `json:"time"`
		} `json:"message"`
		Error *jetstream.APIError `json:"error"`
	}
	switch err := json.Unmarshal(answer.Data, &found); {
	case err != nil:
		return 0, time.Time{}, fmt.Errorf("%w: read %s: %w", ErrUnavailable, stream, err)
	case found.Error != nil && found.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return 0, time.Time{}, fmt.Errorf("read %s: %s: %w", stream, subject, ErrNotFound)
	case found.Error != nil:
		return 0, time.Time{}, fmt.Errorf("%w: read %s: %w", ErrUnavailable, stream, found.Error)
	case found.Message == nil:
		return 0, time.Time{}, fmt.Errorf("%w: read %s: an answer without a message", ErrUnavailable, stream)
	}
	return found.Message.Sequence, found.Message.Stored, nil
}
