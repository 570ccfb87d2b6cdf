package journal

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

// The limits of one message. A message decompressed is never larger than
// maxFrame and one event.
const (
	maxFrameEvents = 4096
	maxFrame       = 1 << 20 // bytes before compression
	// Below this a message is not compressed: there is little to gain from it.
	compressFrom = 512
	// The largest single event: what fits a message uncompressed.
	maxEvent = broker.MaxMessage - 64<<10
)

func newCompression() (*zstd.Encoder, *zstd.Decoder, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxFrame+maxEvent))
	return encoder, decoder, err
}

// compress returns the data of a message with the lines. What is not compressed begins with
// an object's brace, which no zstd frame does.
func (j *Journal) compress(lines []byte) []byte {
	if len(lines) < compressFrom {
		return lines
	}
	return j.encoder.EncodeAll(lines, make([]byte, 0, len(lines)/3))
}

// lines returns the lines of a message.
func (j *Journal) lines(m broker.Message) ([]byte, error) {
	if bytes.HasPrefix(m.Data, []byte("{")) {
		return m.Data, nil
	}
	lines, err := j.decoder.DecodeAll(m.Data, nil)
	if err != nil {
		return nil, fmt.Errorf("message %d is damaged: %w", m.Sequence, err)
	}
	return lines, nil
}

// entries returns the events of a message that stand after one position and
// before another. Only those are decoded.
func (j *Journal) entries(m broker.Message, after, before Position) ([]Entry, error) {
	entries, _, err := j.entriesWithSize(m, after, before)
	return entries, err
}

// entriesWithSize also returns how many bytes the entries have there.
func (j *Journal) entriesWithSize(m broker.Message, after, before Position) (entries []Entry, size int, err error) {
	lines, err := j.lines(m)
	if err != nil {
		return nil, 0, err
	}
	events := bytes.Count(lines, newline) + 1
	entries = make([]Entry, 0, events)
	index := 0
	for line := range bytes.SplitSeq(lines, newline) {
		position := positionOf(m.Sequence, index, events)
		index++
		if position <= after || position >= before {
			continue
		}
		event, err := audit.DecodePull(line)
		if err != nil {
			return nil, 0, fmt.Errorf("event %d of message %d is damaged: %w", index, m.Sequence, err)
		}
		entries = append(entries, Entry{Position: position, Stored: m.Stored, Event: event})
		size += len(line)
	}
	return entries, size, nil
}

var newline = []byte{'\n'}
