package journal

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/tracing"
)

const (
	// maxCommitBytes is how much a commit carries at most, before compression.
	maxCommitBytes = 4 << 20
	// fewMessages is up to how many messages a commit publishes one by one
	// rather than as one atomic batch, which costs the engine some ten times
	// as much as a message does, but once.
	fewMessages = 8
)

// MaxAppend is how many events one Append may have.
const MaxAppend = 10_000

// maxStreams is how many portals one Append's events may belong to: each takes a
// message of its own.
const maxStreams = 256

// pendingAppend is one caller's events on their way to the next commit.
type pendingAppend struct {
	frames  []frame    // more than one only for a large append, or one of several portals
	waiting int        // messages that its frames went into, and that are not settled
	result  chan error // buffered: the committer never waits for a caller
}

// frame is what one message can hold: lines, with a newline between each.
type frame struct {
	subject string
	lines   []byte
	events  int
}

// Append writes events of one organization, all or none, each to the stream of
// its portal or to the organization's own, and returns when they are on disk.
// Callers that come while a commit is in flight share the next one, so none
// waits longer than that commit and its own. An error of the engine wraps
// [broker.ErrUnavailable]; the events were then not written, or, after a
// time-out, may have been. An event that cannot be is an [EventError],
// and then nothing was written.
func (j *Journal) Append(ctx context.Context, region string, events ...audit.Event) (err error) {
	if len(events) == 0 {
		return nil
	}
	ctx, span := tracing.Begin(ctx, "record")
	defer func() { span.End(err) }()
	span.Count("trailhook.events", len(events))
	pending, err := newPending(region, events)
	if err != nil {
		return err
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

// EventError says which of an append's events cannot be, and why.
type EventError struct {
	Index int
	Err   error
}

func (e *EventError) Error() string { return fmt.Sprintf("event %d: %v", e.Index, e.Err) }
func (e *EventError) Unwrap() error { return e.Err }

func newPending(region string, events []audit.Event) (*pendingAppend, error) {
	if len(events) > MaxAppend {
		return nil, fmt.Errorf("journal: %d events in one append, at most %d", len(events), MaxAppend)
	}
	s := Stream{Region: region, Organization: events[0].OrgID}
	if _, err := s.subject(); err != nil {
		return nil, err
	}
	p := &pendingAppend{result: make(chan error, 1)}
	open := map[string]int{} // the last frame of each portal
	var line []byte
	for i := range events {
		if err := checkEvent(&events[i], s.Organization); err != nil {
			return nil, &EventError{Index: i, Err: err}
		}
		line = audit.AppendPull(line[:0], &events[i])
		if len(line) > maxEvent {
			return nil, &EventError{Index: i, Err: fmt.Errorf("it is larger than %d bytes", maxEvent)}
		}
		s.Portal = events[i].PortalID
		last, known := open[s.Portal]
		if known && p.frames[last].add(line, 1) {
			continue
		}
		open[s.Portal] = len(p.frames)
		if len(open) > maxStreams {
			return nil, &EventError{Index: i, Err: fmt.Errorf("it is of one portal more than the %d that events written at once may have", maxStreams)}
		}
		subject, err := s.subject()
		if err != nil {
			return nil, &EventError{Index: i, Err: errors.New("it has a portal_id that cannot name a portal")}
		}
		room := len(line) * max(min(2*len(events)-i, 512)/len(open), 1)
		p.frames = append(p.frames, frame{subject, append(make([]byte, 0, room), line...), 1})
	}
	return p, nil
}

// add appends lines to the frame if it has room for them.
func (f *frame) add(lines []byte, events int) bool {
	if f.events+events > maxFrameEvents || len(f.lines)+1+len(lines) > maxFrame {
		return false
	}
	f.lines = append(append(f.lines, '\n'), lines...)
	f.events += events
	return true
}

func checkEvent(event *audit.Event, organization string) error {
	if event.OrgID != organization {
		return errors.New("it belongs to another organization than the first")
	}
	return event.Validate()
}

// commitAppends makes one commit after the other of whatever has gathered.
func (j *Journal) commitAppends() {
	defer close(j.stopped)
	var held *pendingAppend // did not fit in the last commit
	for {
		first := held
		if first == nil {
			select {
			case first = <-j.appends:
			case <-j.closing:
				return
			}
		}
		var group []*pendingAppend
		group, held = j.gather(first)
		j.commit(group)
	}
}

// gather adds what is waiting to the first append, up to a commit's limits.
func (j *Journal) gather(first *pendingAppend) (group []*pendingAppend, held *pendingAppend) {
	group = append(group, first)
	frames, bytes := first.size()
	for {
		select {
		case next := <-j.appends:
			moreFrames, moreBytes := next.size()
			frames, bytes = frames+moreFrames, bytes+moreBytes
			if frames > broker.MaxBatch || bytes > maxCommitBytes {
				return group, next
			}
			group = append(group, next)
		default:
			return group, nil
		}
	}
}

func (p *pendingAppend) size() (frames, bytes int) {
	for _, f := range p.frames {
		bytes += len(f.lines)
	}
	return len(p.frames), bytes
}

// parcel is a message of a commit, and the appends that it carries.
type parcel struct {
	frame
	appends []*pendingAppend
}

// commit makes the group durable and tells its callers.
func (j *Journal) commit(group []*pendingAppend) {
	parcels, whole := pack(group)
	messages := make([]*nats.Msg, len(parcels))
	for i, p := range parcels {
		messages[i] = &nats.Msg{Subject: p.subject, Data: j.compress(p.lines)}
	}
	// Not a caller's context: the commit belongs to all of them.
	ctx := context.Background()
	if !whole && len(messages) <= fewMessages {
		for i, ack := range j.broker.PublishEach(ctx, messages...) {
			j.settle(parcels[i], ack)
		}
		return
	}
	last, err := j.broker.Publish(ctx, messages...)
	for i, p := range parcels {
		j.settle(p, broker.Ack{Sequence: last - uint64(len(parcels)-1-i), Err: err})
	}
}

// settle tells a message's callers and followers what became of it: followers
// first, so that a caller who then reads finds what it wrote.
func (j *Journal) settle(p *parcel, ack broker.Ack) {
	err := ack.Err
	if err != nil {
		err = fmt.Errorf("journal: append: %w", err)
		j.usage.refused.Add(uint64(p.events))
	} else {
		j.announce(p.subject, ack.Sequence)
		j.usage.recorded.Add(uint64(p.events))
	}
	for _, a := range p.appends {
		// The parts of a large append share their fate: the last one tells it.
		if a.waiting--; a.waiting == 0 {
			a.result <- err
		}
	}
}

// pack puts the appends of a group into as few messages as it takes, in their
// order. whole says that one of them has several, so that the messages must
// become durable together.
func pack(group []*pendingAppend) (parcels []*parcel, whole bool) {
	open := map[string]*parcel{} // by subject
	for _, p := range group {
		whole = whole || len(p.frames) > 1
		for _, f := range p.frames {
			to := open[f.subject]
			if to == nil || !to.add(f.lines, f.events) {
				to = &parcel{frame: f}
				open[f.subject] = to
				parcels = append(parcels, to)
			}
			to.appends = append(to.appends, p)
			p.waiting++
		}
	}
	return parcels, whole
}
