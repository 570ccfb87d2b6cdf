package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

// receiptPrefix begins the subjects of receipts: receipt.<organization>.<hash of
// the key>. They stand in the journal's stream, so that a receipt and its
// events are one commit.
const receiptPrefix = "receipt."

// OnceFor is how long a key of [Journal.AppendOnce] is remembered.
const OnceFor = 24 * time.Hour

// AppendOnce is an Append that happens at most once for a key of the
// organization within [OnceFor]: events and receipt become durable together.
// When the key was used before, nothing is written, and the receipt of that
// time is returned; else first is nil. It makes a commit of its own.
func (j *Journal) AppendOnce(ctx context.Context, region, key string, receipt []byte, events ...audit.Event) (first []byte, err error) {
	if len(events) == 0 {
		return nil, errors.New("journal: append once: no events")
	}
	if len(receipt) == 0 {
		return nil, errors.New("journal: append once: the receipt is empty")
	}
	pending, err := newPending(region, events)
	if err != nil {
		return nil, err
	}
	subject := receiptSubject(events[0].OrgID, key)
	for {
		first, seen, err := j.receipt(ctx, subject)
		if err != nil || first != nil {
			return first, err
		}
		err = j.appendWith(ctx, pending, &nats.Msg{
			Subject: subject,
			Data:    receipt,
			// The engine refuses the commit if the key was used since we looked.
			Header: nats.Header{"Nats-Expected-Last-Subject-Sequence": {strconv.FormatUint(seen, 10)}},
		})
		if !errors.Is(err, broker.ErrConflict) {
			return nil, err
		}
	}
}

// receipt returns what the key's last use within the time left, or nil, and the
// sequence of its last use at any time, or 0.
func (j *Journal) receipt(ctx context.Context, subject string) (receipt []byte, sequence uint64, err error) {
	last, err := j.broker.Last(ctx, streamName, subject)
	switch {
	case errors.Is(err, broker.ErrNotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, fmt.Errorf("journal: %w", err)
	case time.Since(last.Stored) < OnceFor:
		return last.Data, last.Sequence, nil
	}
	return nil, last.Sequence, nil
}

// appendWith commits the events and one more message.
func (j *Journal) appendWith(ctx context.Context, pending *pendingAppend, extra *nats.Msg) error {
	messages := make([]*nats.Msg, 0, len(pending.frames)+1)
	for _, f := range pending.frames {
		messages = append(messages, &nats.Msg{Subject: f.subject, Data: j.compress(f.lines)})
	}
	last, err := j.broker.Publish(context.WithoutCancel(ctx), append(messages, extra)...)
	if err != nil {
		return fmt.Errorf("journal: append: %w", err)
	}
	for i, f := range pending.frames {
		j.announce(f.subject, last-uint64(len(pending.frames)-i))
	}
	return nil
}

func receiptSubject(organization, key string) string {
	if organization == "" {
		organization = nobody
	}
	hash := sha256.Sum256([]byte(key))
	return receiptPrefix + organization + "." + hex.EncodeToString(hash[:16])
}
