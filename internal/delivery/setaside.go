package delivery

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/registry"
)

// What is kept aside of a scope at most, in lines and in
// bytes of their events. When there is as much, the next one holds the cursor.
const (
	MaxSetAside      = 10_000
	MaxSetAsideBytes = 64 << 20
)

const (
	asideStream = "SETASIDE"
	asidePrefix = "setaside."
	// asideRead is about how many bytes are read at once.
	asideRead = 4 << 20
)

// ErrNotSetAside says that there is no such line: it may have been sent again,
// deleted, or its retention is over.
var ErrNotSetAside = errors.New("there is no such line set aside")

// SetAside is an event that the endpoint refused while it took others.
type SetAside struct {
	ID       string // names it in its scope
	Webhook  string
	Position journal.Position
	Stored   time.Time // when the event became durable
	At       time.Time // of the refusal
	Code     int       // the endpoint's answer
	Message  string
	Event    audit.Event
}

// asideRecord is the head of a line's message. The event follows it on a line of
// its own, in the form of the pull API, as the journal has it.
type asideRecord struct {
	Webhook  string           `json:"webhook"`
	Position journal.Position `json:"position"`
	Stored   time.Time        `json:"stored"`
	At       time.Time        `json:"at"`
	Code     int              `json:"code"`
	Message  string           `json:"message"`
}

// asides keeps lines that were set aside, for as long as the journal keeps
// events: in a stream, a message for each, on the subject
// setaside.<region>.<organization>.<portal>.<webhook>.<position>, which is written
// once. The organization's own have - for the portal.
type asides struct {
	broker    *broker.Broker
	stream    jetstream.Stream
	most      int // MaxSetAside
	mostBytes int // MaxSetAsideBytes

	mu sync.Mutex
	// sizes are the bytes aside, as far as this process has looked. Others may
	// have removed some since: it looks again before it holds that against anybody.
	sizes map[journal.Stream]int
}

func openAsides(ctx context.Context, o Options) (*asides, error) {
	stream, err := o.Broker.Stream(ctx, jetstream.StreamConfig{
		Name:        asideStream,
		Description: "events that a webhook's endpoint refused while it took others",
		Subjects:    []string{asidePrefix + ">"},
		Retention:   jetstream.LimitsPolicy,
		MaxAge:      o.Journal.Retention(),
	})
	if err != nil {
		return nil, err
	}
	return &asides{
		broker: o.Broker, stream: stream, most: MaxSetAside, mostBytes: MaxSetAsideBytes, sizes: map[journal.Stream]int{},
	}, nil
}

func asideSubject(s journal.Stream, rest string) string {
	return asidePrefix + s.Region + "." + s.Organization + "." + cmp.Or(s.Portal, "-") + "." + rest
}

// setAside makes the lines durable among those set aside. What is there already,
// since a crash had the batch sent once more, stays as it is.
func (w *worker) setAside(ctx context.Context, lines []refused) error {
	if len(lines) == 0 {
		return nil
	}
	ctx, cancel := outlive(ctx, shutdownGrace)
	defer cancel()
	stream := streamOf(w.hook)
	if err := w.asides.room(ctx, stream, len(lines)); err != nil {
		return err
	}
	for _, line := range lines {
		if err := w.asides.add(ctx, stream, w.hook.ID, line); err != nil {
			return err
		}
	}
	w.state.SetAside += uint64(len(lines)) // saved with the cursor, in one write
	w.metrics.setAside.Add(float64(len(lines)))
	w.logger.Warn("events are set aside: the endpoint refuses them alone and takes others",
		"events", len(lines), "code", lines[0].code, "message", lines[0].message)
	return nil
}

func (a *asides) add(ctx context.Context, s journal.Stream, webhook string, line refused) error {
	data, err := json.Marshal(asideRecord{
		Webhook: webhook, Position: line.entry.Position, Stored: line.entry.Stored.UTC(),
		At: line.at.UTC().Truncate(time.Millisecond), Code: line.code, Message: line.message,
	})
	if err != nil {
		return fmt.Errorf("set an event aside: %w", err)
	}
	data = audit.AppendPull(append(data, '\n'), &line.entry.Event)
	_, err = a.broker.Publish(ctx, &nats.Msg{
		Subject: asideSubject(s, webhook+"."+line.entry.Position.String()),
		Data:    data,
		Header:  nats.Header{"Nats-Expected-Last-Subject-Sequence": {"0"}},
	})
	if err != nil && !errors.Is(err, broker.ErrConflict) {
		return fmt.Errorf("set an event aside: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sizes[s] += len(data)
	return nil
}

// room says with an error that there is none for so many lines more. One of the
// last of them may go beyond the bound in bytes.
func (a *asides) room(ctx context.Context, s journal.Stream, lines int) error {
	first, err := a.read(ctx, s, 0, 1)
	if err != nil || len(first) == 0 {
		return err
	}
	count := int(first[0].Pending) + 1
	a.mu.Lock()
	size, known := a.sizes[s]
	a.mu.Unlock()
	if !known || size >= a.mostBytes {
		if size, err = a.measure(ctx, s); err != nil {
			return err
		}
	}
	if count+lines <= a.most && size < a.mostBytes {
		return nil
	}
	return fmt.Errorf("the endpoint refuses lines, and %d are set aside, of %d at most, with %d bytes, of %d at most: "+
		"send them again or delete them (trailhook set-aside)", count, a.most, size, a.mostBytes)
}

// measure adds up the bytes of the lines aside.
func (a *asides) measure(ctx context.Context, s journal.Stream) (size int, err error) {
	for from := uint64(0); ; {
		messages, err := a.read(ctx, s, from, 1000)
		if err != nil {
			return 0, err
		}
		for _, m := range messages {
			size += len(m.Data)
			from = m.Sequence + 1
		}
		if len(messages) == 0 {
			break
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sizes[s] = size
	return size, nil
}

func (a *asides) read(ctx context.Context, s journal.Stream, from uint64, most int) ([]broker.Message, error) {
	messages, err := a.broker.Read(ctx, broker.Range{
		Stream: asideStream, From: from, Subject: asideSubject(s, ">"), Max: most, MaxBytes: asideRead,
	})
	if err != nil {
		return nil, fmt.Errorf("lines set aside: %w", err)
	}
	return messages, nil
}

// get returns the line of the id.
func (a *asides) get(ctx context.Context, s journal.Stream, id string) (SetAside, error) {
	sequence, err := strconv.ParseUint(id, 10, 64)
	if err != nil || sequence == 0 || strconv.FormatUint(sequence, 10) != id {
		return SetAside{}, ErrNotSetAside
	}
	messages, err := a.read(ctx, s, sequence, 1)
	if err != nil {
		return SetAside{}, err
	}
	if len(messages) == 0 || messages[0].Sequence != sequence {
		return SetAside{}, ErrNotSetAside
	}
	return parseAside(messages[0], true)
}

// list returns lines in the order in which they were set aside, from the
// sequence on, up to most; without their events unless they are asked for.
func (a *asides) list(ctx context.Context, s journal.Stream, from uint64, most int, events bool) ([]SetAside, error) {
	var list []SetAside
	for len(list) < most {
		messages, err := a.read(ctx, s, from, min(1000, most-len(list)))
		if err != nil || len(messages) == 0 {
			return list, err
		}
		for _, m := range messages {
			line, err := parseAside(m, events)
			if err != nil {
				return nil, err
			}
			list = append(list, line)
			from = m.Sequence + 1
		}
	}
	return list, nil
}

func parseAside(m broker.Message, event bool) (line SetAside, err error) {
	head, rest, _ := bytes.Cut(m.Data, []byte{'\n'})
	var record asideRecord
	if err = json.Unmarshal(head, &record); err == nil && event {
		line.Event, err = audit.DecodePull(rest)
	}
	if err != nil {
		return SetAside{}, fmt.Errorf("line %d set aside is damaged: %w", m.Sequence, err)
	}
	line.ID = strconv.FormatUint(m.Sequence, 10)
	line.Webhook, line.Position = record.Webhook, record.Position
	line.Stored, line.At, line.Code, line.Message = record.Stored, record.At, record.Code, record.Message
	return line, nil
}

// remove deletes the line. One that is gone already is no error.
func (a *asides) remove(ctx context.Context, id string) error {
	sequence, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return ErrNotSetAside
	}
	err = a.stream.DeleteMsg(ctx, sequence)
	var api *jetstream.APIError
	if err == nil || errors.As(err, &api) && (api.ErrorCode == noMessage || api.ErrorCode == sequenceGone) {
		return nil
	}
	return fmt.Errorf("%w: delete line %s set aside: %w", broker.ErrUnavailable, id, err)
}

// The engine's codes for the deletion of a message that is not there.
const (
	noMessage    jetstream.ErrorCode = 10037
	sequenceGone jetstream.ErrorCode = 10043
)

// SetAside lists what is set aside of the scope, oldest first, without the events.
func (m *Manager) SetAside(ctx context.Context, s registry.Scope) ([]SetAside, error) {
	return m.asides.list(ctx, journal.Stream(s), 0, MaxSetAside, false)
}

// SetAsideLine returns one line with its event; [ErrNotSetAside] when there is
// none of the id.
func (m *Manager) SetAsideLine(ctx context.Context, s registry.Scope, id string) (SetAside, error) {
	return m.asides.get(ctx, journal.Stream(s), id)
}

// DeleteSetAside gives a line up; [ErrNotSetAside] when there is none of the id.
func (m *Manager) DeleteSetAside(ctx context.Context, s registry.Scope, id string) error {
	if _, err := m.SetAsideLine(ctx, s, id); err != nil {
		return err
	}
	return m.asides.remove(ctx, id)
}
