package broker

import (
	"context"
	"fmt"
	"time"
)

const (
	// lookEvery is how often the embedded engine is looked at when it has not
	// logged anything that asks for a look.
	lookEvery = time.Second
	// The pause before a restart that follows another one doubles from the
	// first to the last of these: a disk that fails again and again must not
	// have readers disconnected all the time.
	firstPause = 250 * time.Millisecond
	lastPause  = 30 * time.Second
	// calmAfter is how long the engine has to run for its next failure to be a
	// new one.
	calmAfter = time.Minute
	// restartWait is how long a restart may take: reading a large stream's
	// index takes its time.
	restartWait = 2 * time.Minute
)

// tend looks after the embedded engine until ctx ends, and mends it.
func (b *Broker) tend(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var pause time.Duration
	var mended time.Time
	for {
		select {
		case <-b.engine.uneasy:
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		err := b.engine.failure()
		if err == nil {
			continue
		}
		if time.Since(mended) > calmAfter {
			pause = 0
		}
		if !b.mend(ctx, err, &pause) {
			return
		}
		mended = time.Now()
	}
}

// mend restarts an engine that cannot write any more, as soon as there is room
// for it. Until then it is left running, for readers; writers are refused at
// once. A stream that could not write stays closed to writes until its server
// has been restarted: the server has no other way back. mend reports false when
// ctx ended before it was done.
func (b *Broker) mend(ctx context.Context, failure error, pause *time.Duration) bool {
	b.writable.shut(failure)
	b.logger.Error("nothing can be written; the engine is restarted when there is room on the disk", "error", failure)
	for {
		if !sleep(ctx, *pause) {
			return false
		}
		*pause = min(max(2**pause, firstPause), lastPause)
		if err := b.restart(ctx); err != nil {
			if ctx.Err() != nil {
				return false
			}
			b.writable.shut(err)
			b.logger.Error("the engine cannot be restarted; trying again", "error", err, "pause", *pause)
			continue
		}
		b.writable.open()
		b.logger.Info("the engine was restarted; writing goes on")
		return true
	}
}

func (b *Broker) restart(ctx context.Context) error {
	for b.engine.roomToStart() != nil {
		if !sleep(ctx, firstPause) {
			return ctx.Err()
		}
	}
	// The connection's own view of this comes a moment later than what is
	// waiting below would.
	b.linked.shut(errRestarting)
	b.engine.stop()
	if err := b.engine.start(restartWait); err != nil {
		return fmt.Errorf("embedded NATS in %s: %w", b.engine.dir, err)
	}
	ctx, cancel := context.WithTimeout(ctx, restartWait)
	defer cancel()
	_, err := b.linked.wait(ctx)
	return err
}

// sleep reports false when ctx ended before the time was over.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
