package delivery

import (
	"bytes"
	"context"
	"fmt"

	"github.com/klauspost/compress/gzip"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/journal"
)

// gather returns the events that are there and those that follow within
// [MaxBatchWait], up to [MaxBatchEvents]; none when none are there.
func (w *worker) gather(ctx context.Context) ([]journal.Entry, error) {
	batch, err := w.events.Ready(ctx, MaxBatchEvents)
	if err != nil || len(batch) == 0 {
		return nil, err
	}
	more, done := context.WithTimeout(ctx, MaxBatchWait)
	defer done()
	for len(batch) < MaxBatchEvents {
		next, err := w.events.Next(more, MaxBatchEvents-len(batch))
		batch = append(batch, next...)
		if err != nil {
			break // the wait is over; an error of the engine meets the next gather too
		}
	}
	return batch, nil
}

// encode makes the body of one request: the signed lines of as many entries as
// fit into [MaxBatchBytes], at least one, compressed. Encoding, signing and
// compression are deterministic, so the same entries always give the same
// bytes.
func encode(batch []journal.Entry, format audit.Format, signer *audit.Signer) (body []byte, entries int, err error) {
	lines := make([]byte, 0, 512*len(batch))
	for i := range batch {
		before := len(lines)
		if i > 0 {
			lines = append(lines, '\n')
		}
		lines = signer.AppendLine(lines, format, &batch[i].Event)
		if i > 0 && len(lines) > MaxBatchBytes {
			lines = lines[:before]
			break
		}
		entries++
	}
	var compressed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&compressed, gzip.BestSpeed)
	if err == nil {
		_, err = writer.Write(lines)
	}
	if err == nil {
		err = writer.Close()
	}
	if err != nil {
		return nil, 0, fmt.Errorf("compress a batch: %w", err)
	}
	return compressed.Bytes(), entries, nil
}
