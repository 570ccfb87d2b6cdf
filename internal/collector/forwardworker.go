package collector

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

const (
	// forwardLines is how many lines a batch has at most, beside the limit of
	// [search.StoredBytes].
	forwardLines = 1000
	// forwardGather is how long lines are gathered after the first has come.
	forwardGather = 100 * time.Millisecond

	saveTimeout = 5 * time.Second
)

// forwardWorker forwards one source's lines.
type forwardWorker struct {
	*Forwarder
	source int64
	logger *slog.Logger
	limit  int           // lines of the next batch
	wait   time.Duration // the next pause
	syslog syslogLink

	unsaved bool // the cursor could not be saved, which was logged

	// Guarded by the Forwarder's lock, for those who ask how it stands.
	state  forwardState
	behind bool
}

// run forwards until ctx ends, or the source does not forward any more.
func (w *forwardWorker) run(ctx context.Context) {
	defer w.syslog.close()
	for ctx.Err() == nil {
		changed, moved := w.Catalog.sources.Changed(), w.Indexer.progress()
		setting := w.setting()
		if setting == nil || setting.ID != w.state.ID {
			return
		}
		n, err := w.step(ctx, setting)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			w.hold(ctx, setting, err)
		case n == 0:
			select {
			case <-moved:
				wait(ctx, time.After(forwardGather))
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}

// setting is how the source forwards now; nil if it does not.
func (w *forwardWorker) setting() *Forwarding {
	source, _ := w.Catalog.Source(w.source) // the zero Source does not
	return source.Forwarding
}

// step sends the next batch, and returns how many lines it had.
func (w *forwardWorker) step(ctx context.Context, setting *Forwarding) (int, error) {
	// What is read is little: it is read to its end, since a search that is broken
	// off can keep the engine from closing.
	reading := context.WithoutCancel(ctx)
	last, err := w.Store.Last(reading)
	if err != nil {
		return 0, fmt.Errorf("the store cannot be read: %w", err)
	}
	batch, err := w.Store.Stored(reading, key(w.source), w.state.Cursor, w.limit)
	if err != nil {
		return 0, fmt.Errorf("the store cannot be read: %w", err)
	}
	if len(batch) == 0 {
		// Not saved: what other sources have stored is passed over again after a
		// restart.
		w.change(func(s *forwardState) { s.Cursor = max(s.Cursor, last); w.behind = false })
		return 0, nil
	}
	w.change(func(*forwardState) { w.behind = true })
	sent, err := w.send(ctx, setting, batch)
	if err != nil {
		return 0, err
	}
	if w.state.Failing {
		w.logger.Info("lines are forwarded again", "endpoint", hostOf(setting))
	}
	w.wait = w.MinPause
	w.metrics.lines.Add(float64(sent))
	w.change(func(s *forwardState) {
		s.Cursor = batch[sent-1].Ordinal
		s.Forwarded += uint64(sent)
		s.Failing, s.LastError, s.LastAttemptAt = false, "", now()
	})
	w.save(ctx)
	return sent, nil
}

// hold waits before the same lines are sent again: less long when the setting
// changes.
func (w *forwardWorker) hold(ctx context.Context, setting *Forwarding, err error) {
	if !w.state.Failing {
		w.logger.Warn("lines cannot be forwarded: they are held and tried again", "endpoint", hostOf(setting), "error", err)
	}
	w.change(func(s *forwardState) { s.Failing, s.LastError, s.LastAttemptAt = true, err.Error(), now() })
	w.save(ctx)
	pause := time.NewTimer(w.wait)
	defer pause.Stop()
	w.wait = min(2*w.wait, w.MaxPause)
	for {
		changed := w.Catalog.sources.Changed()
		if !setting.equal(w.setting()) {
			w.wait = w.MinPause
			return
		}
		select {
		case <-pause.C:
			return
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (w *forwardWorker) change(how func(*forwardState)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	how(&w.state)
}

// save keeps the state. Should that fail, lines go out again after a restart.
func (w *forwardWorker) save(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	err := w.states.Put(ctx, key(w.source), w.state)
	if err != nil && !w.unsaved {
		w.logger.Error("cannot save how far lines were forwarded; some will be sent again after a restart", "error", err)
	}
	w.unsaved = err != nil
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
