package delivery

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/journal"
)

// always signs events of all times.
type always struct{ signer *audit.Signer }

func (a always) At(time.Time) (*audit.Signer, error) { return a.signer, nil }

func newSigner() *audit.Signer {
	return audit.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)))
}

// entries are events whose user agents have the given sizes.
func entries(sizes ...int) []journal.Entry {
	batch := make([]journal.Entry, len(sizes))
	for i, size := range sizes {
		batch[i] = journal.Entry{Position: journal.Position(i) + 1, Stored: time.Now(), Event: event("org", i+1, strings.Repeat("x", size))}
	}
	return batch
}

func unzipped(t *testing.T, body []byte) []byte {
	t.Helper()
	unzip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzip)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestABodyHoldsAsManyLinesAsFitAndAtLeastOne(t *testing.T) {
	signer := newSigner()
	empty := len(signer.AppendLine(nil, audit.CEF, &entries(0)[0].Event))
	half := (MaxBatchBytes-1)/2 - empty // two such lines and their newline are one byte short of the limit
	for _, test := range []struct {
		name  string
		sizes []int
		want  int
	}{
		{"all fit", []int{10, 20, 30}, 3},
		{"filled to the last byte", []int{half, half + 1, 0}, 2},
		{"one byte too many", []int{half, half + 2, 0}, 1},
		{"the first alone is too large", []int{MaxBatchBytes, 0}, 1},
		{"a later one is too large", []int{0, MaxBatchBytes, 0}, 1},
		{"nothing but one that is too large", []int{2 * MaxBatchBytes}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			batch := entries(test.sizes...)
			got, count, _ := encode(batch, audit.CEF, always{signer}, MaxBatchBytes)
			if count != test.want {
				t.Fatalf("%d of %d entries; want %d", count, len(batch), test.want)
			}
			var lines [][]byte
			for i := range batch[:count] {
				lines = append(lines, signer.AppendLine(nil, audit.CEF, &batch[i].Event))
			}
			if !bytes.Equal(got, bytes.Join(lines, []byte("\n"))) {
				t.Error("the body is not the signed lines of these entries")
			}
		})
	}
}

func TestTheSameEntriesGiveTheSameBody(t *testing.T) {
	body := func(format audit.Format) []byte {
		lines, _, _ := encode(entries(1, 2, 3), format, always{newSigner()}, MaxBatchBytes)
		compressed, err := compress(lines)
		if err != nil || !bytes.Equal(unzipped(t, compressed), lines) {
			t.Errorf("%s: compressed, the lines are others: %v", format, err)
		}
		return compressed
	}
	for _, format := range []audit.Format{audit.CEF, audit.JSON, audit.CPS} {
		if !bytes.Equal(body(format), body(format)) {
			t.Errorf("%s: another body the second time", format)
		}
	}
}

func TestManyEventsShareARequestUpToTheLimitInNumber(t *testing.T) {
	t.Parallel()
	r := receive(t, taking(200))
	org := start(t, t.TempDir()).organization()
	org.backlog(r, func() {
		org.record(MaxBatchEvents)
		org.record(MaxBatchEvents)
		org.record(MaxBatchEvents / 2)
	})
	requests := r.awaitEvents(1, org.recorded)
	if diff := cmp.Diff([]int{MaxBatchEvents, MaxBatchEvents, MaxBatchEvents / 2}, sizes(requests)); diff != "" {
		t.Errorf("events in each request (-want +got):\n%s", diff)
	}
}

func TestAnEventThatComesSoonAfterSharesTheRequest(t *testing.T) {
	t.Parallel()
	r := receive(t, taking(200))
	org := start(t, t.TempDir()).organization()
	org.sendTo(r)
	for range 20 {
		org.record(1)
	}
	// How many requests it takes is the machine's: far fewer than events.
	if requests := r.awaitEvents(1, 20); len(requests) > 10 {
		t.Errorf("20 events took the requests %v", sizes(requests))
	}
}

func TestABatchIsSplitAtTheLimitInBytes(t *testing.T) {
	t.Parallel()
	r := receive(t, taking(200))
	org := start(t, t.TempDir()).organization()
	org.backlog(r, func() { org.recordAs(25, strings.Repeat("x", 100_000)) })
	requests := r.awaitEvents(1, 25)
	for _, request := range requests {
		if size := len(strings.Join(request.lines, "\n")); size > MaxBatchBytes {
			t.Errorf("a request carries %d bytes", size)
		}
	}
	if diff := cmp.Diff([]int{9, 9, 7}, sizes(requests)); diff != "" {
		t.Errorf("events in each request (-want +got):\n%s", diff)
	}
}

func TestALineLargerThanABatchGoesAlone(t *testing.T) {
	t.Parallel()
	r := receive(t, taking(200))
	org := start(t, t.TempDir()).organization()
	org.backlog(r, func() {
		org.record(2)
		org.recordAs(1, strings.Repeat("x", MaxBatchBytes))
		org.record(2)
	})
	if diff := cmp.Diff([]int{2, 1, 2}, sizes(r.awaitEvents(1, 5))); diff != "" {
		t.Errorf("events in each request (-want +got):\n%s", diff)
	}
}

// BenchmarkEncode signs and compresses: what an event costs before it is sent.
// The yardstick beside it signs only.
func BenchmarkEncode(b *testing.B) {
	batch := entries(make([]int, MaxBatchEvents)...)
	for i := range batch {
		batch[i].Event.UserAgent = fmt.Sprintf("curl/8.%d.0", i%7)
	}
	signer := newSigner()
	for _, format := range []audit.Format{audit.CEF, audit.JSON, audit.CPS} {
		b.Run(string(format), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				lines, count, _ := encode(batch, format, always{signer}, MaxBatchBytes)
				if _, err := compress(lines); err != nil || count != len(batch) {
					b.Fatal(count, err)
				}
			}
			perEvent(b, len(batch))
		})
		b.Run(string(format)+"/signed-only", func(b *testing.B) {
			var line []byte
			for b.Loop() {
				for i := range batch {
					line = signer.AppendLine(line[:0], format, &batch[i].Event)
				}
			}
			perEvent(b, len(batch))
		})
	}
}

func perEvent(b *testing.B, events int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
}
