package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/search"
)

const (
	// insertLines and insertBytes bound one insert: large enough that the
	// commit's cost is shared, small enough that the lines are found soon.
	insertLines = 5000
	insertBytes = 4 << 20

	// The pause after an error doubles from the first to the last.
	firstPause = 250 * time.Millisecond
	lastPause  = 15 * time.Second

	purgeTimeout = 10 * time.Second

	// idleTime is after how long the intake is looked at although nobody said
	// that something came: after a publish that timed out, lines may yet appear.
	idleTime = 10 * time.Second
)

// Indexer moves lines from the intake into the search store: it verifies and
// parses them, inserts them together with the position they reach up to, and
// takes them out of the intake. There must be one per intake.
type Indexer struct {
	intake  *Intake
	store   search.Store
	keys    *Keys
	metrics *Metrics
	logger  *slog.Logger
	purge   func(ctx context.Context, last uint64) error
	idle    time.Duration

	mu       sync.Mutex
	position uint64        // up to where the store has the intake
	moved    chan struct{} // closed and replaced when position grows
}

// NewIndexer makes an Indexer that goes on where the store stands. It refuses
// a store and an intake that do not belong together.
func NewIndexer(ctx context.Context, intake *Intake, store search.Store, keys *Keys, metrics *Metrics, logger *slog.Logger) (*Indexer, error) {
	position, err := store.Position(ctx)
	if err != nil {
		return nil, fmt.Errorf("indexer: %w", err)
	}
	if err := intake.align(ctx, position); err != nil {
		return nil, fmt.Errorf("indexer: %w", err)
	}
	return &Indexer{
		intake: intake, store: store, keys: keys, metrics: metrics, logger: logger, purge: intake.purge, idle: idleTime,
		position: position, moved: make(chan struct{}),
	}, nil
}

// Run indexes until ctx ends, and returns nil then: what is not inserted stays
// in the intake. An error of the store or of the intake is logged once, and
// tried again, with pauses of up to 15 s, until it is gone; no line is passed
// over.
func (x *Indexer) Run(ctx context.Context) error {
	x.purgeIndexed(ctx) // what a crash left between insert and purge
	var pause time.Duration
	for ctx.Err() == nil {
		_, appended := x.intake.newest()
		n, err := x.step(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			if pause == 0 {
				x.logger.Error("lines cannot be indexed; they are kept in the intake and tried again", "error", err)
			}
			pause = min(max(2*pause, firstPause), lastPause)
			wait(ctx, time.After(pause))
		default:
			if pause > 0 {
				x.logger.Info("lines are indexed again")
				pause = 0
			}
			if n == 0 {
				x.waitFor(ctx, appended)
			}
		}
	}
	return nil
}

func (x *Indexer) waitFor(ctx context.Context, appended <-chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, x.idle)
	defer cancel()
	wait(ctx, appended)
}

func wait[T any](ctx context.Context, event <-chan T) {
	select {
	case <-event:
	case <-ctx.Done():
	}
}

// Flush returns when everything that was received before the call is
// searchable, or with ctx's error. Run must be running.
func (x *Indexer) Flush(ctx context.Context) error {
	target, _ := x.intake.newest()
	for {
		x.mu.Lock()
		position, moved := x.position, x.moved
		x.mu.Unlock()
		if position >= target {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("indexer: at %d of %d: %w", position, target, ctx.Err())
		}
	}
}

// step indexes the next messages, and returns how many there were.
func (x *Indexer) step(ctx context.Context) (int, error) {
	messages, err := x.intake.read(ctx, x.position+1)
	if err != nil || len(messages) == 0 {
		return 0, err
	}
	messages = messages[:insertable(messages)]
	var records []search.Record
	for _, m := range messages {
		if records, err = x.appendRecords(ctx, records, m); err != nil {
			return 0, err
		}
	}
	last := messages[len(messages)-1].Sequence
	// An insert that has begun is finished, so that a shutdown does not cost
	// the work of a whole batch.
	stored, err := x.store.Insert(context.WithoutCancel(ctx), records, last)
	if err != nil {
		return 0, err
	}
	x.metrics.indexed(records, stored)
	x.advance(last)
	x.purgeIndexed(ctx)
	return len(messages), nil
}

// insertable returns how many of the messages have about insertLines lines
// together: at least one.
func insertable(messages []broker.Message) int {
	lines := 0
	for i, m := range messages {
		lines += 1 + bytes.Count(m.Data, newline)
		if i > 0 && lines > insertLines {
			return i
		}
	}
	return len(messages)
}

func (x *Indexer) appendRecords(ctx context.Context, records []search.Record, m broker.Message) ([]search.Record, error) {
	origin, originErr := readOrigin(m)
	for line := range bytes.SplitSeq(m.Data, newline) {
		verdict, keyID, err := x.keys.Verify(ctx, origin.JWKSURL, origin.payload(line))
		if err != nil {
			return nil, err
		}
		record := newRecord(origin, line)
		record.Signature, record.KeyID = verdict.String(), keyID
		origin.Quarantine.apply(&record)
		if originErr != nil {
			record.ParseError = originErr.Error()
		}
		records = append(records, record)
	}
	return records, nil
}

// readOrigin returns the origin of a message. With an error it returns what is
// known all the same, so that the lines are kept.
func readOrigin(m broker.Message) (Origin, error) {
	var origin Origin
	if err := json.Unmarshal([]byte(m.Header.Get(originHeader)), &origin); err != nil {
		return Origin{ReceivedAt: m.Stored}, fmt.Errorf("intake message %d has no readable origin: %w", m.Sequence, err)
	}
	return origin, nil
}

func (x *Indexer) advance(position uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.position = position
	close(x.moved)
	x.moved = make(chan struct{})
}

// purgeIndexed removes from the intake what the store has. When it fails,
// disk space is lost until the next time, nothing else.
func (x *Indexer) purgeIndexed(ctx context.Context) {
	if x.position == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), purgeTimeout)
	defer cancel()
	if err := x.purge(ctx, x.position); err != nil {
		x.logger.Warn("indexed lines stay in the intake for now", "error", err)
	}
}
