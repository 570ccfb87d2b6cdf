package journal

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

// pendingAppend is one caller's events on their way to the next commit.
type pendingAppend struct {
	messages []*nats.Msg
	keys     []string
	result   chan error // buffered: the committer never waits for a caller
}

// Append writes the events of one request, all or none, and returns when they
// are on disk. Callers that come while a commit is in flight share the next
// one, so none waits longer than that commit and its own. An error of the
// engine wraps [broker.ErrUnavailable]; the events were then not written, or,
// after a time-out, may have been.
func (j *Journal) Append(ctx context.Context, region string, events ...audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	if len(events) > broker.MaxBatch {
		return fmt.Errorf("journal: %d events in one append, at most %d", len(events), broker.MaxBatch)
	}
	pending := &pendingAppend{result: make(chan error, 1)}
	for i := range events {
		msg, err := message(region, &events[i])
		if err != nil {
			return err
		}
		pending.messages = append(pending.messages, msg)
		pending.keys = append(pending.keys, followKey(region, events[i].OrgID))
	}
	select {
	case j.appends <- pending:
	case <-j.closing:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("journal: append: %w", ctx.Err())
	}
	// From here on the events may become durable whether the caller waits or
	// not; to give up early would tell it that they are not.
	select {
	case err := <-pending.result:
		return err
	case <-j.stopped:
	}
	select {
	case err := <-pending.result:
		return err
	default:
		return ErrClosed
	}
}

// commitAppends makes one commit after the other of whatever has gathered.
func (j *Journal) commitAppends() {
	defer close(j.stopped)
	var held *pendingAppend // did not fit in the last commit
	for {
		group := make([]*pendingAppend, 0, 16)
		if held != nil {
			group = append(group, held)
		} else {
			select {
			case first := <-j.appends:
				group = append(group, first)
			case <-j.closing:
				return
			}
		}
		group, held = j.gather(group)
		j.commit(group)
	}
}

// gather adds what is waiting to the group, up to one atomic batch.
func (j *Journal) gather(group []*pendingAppend) (full []*pendingAppend, held *pendingAppend) {
	size := len(group[0].messages)
	for {
		select {
		case next := <-j.appends:
			if size += len(next.messages); size > broker.MaxBatch {
				return group, next
			}
			group = append(group, next)
		default:
			return group, nil
		}
	}
}

func (j *Journal) commit(group []*pendingAppend) {
	var messages []*nats.Msg
	for _, pending := range group {
		messages = append(messages, pending.messages...)
	}
	// Not a caller's context: the commit belongs to all of them.
	_, err := j.broker.Publish(context.Background(), messages...)
	if err != nil {
		err = fmt.Errorf("journal: append: %w", err)
	}
	// Also after an error: a time-out may have hidden a commit.
	j.announce(group)
	for _, pending := range group {
		pending.result <- err
	}
}
