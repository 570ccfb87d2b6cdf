package delivery

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/registry"
)

// parcel is a batch that was made ready ahead of its turn.
type parcel struct {
	entries []journal.Entry
	setting setting // as it was when packed was made
	packed  *packed // what the first request carries; nil: it is to be made when its turn comes
}

// packed is one request and what it holds.
type packed struct {
	request outbound.Request
	sent    int // entries
	bytes   int // of their lines, before compression
}

// prepare gathers the next batch, of events up to last, signs and compresses it:
// while another is on its way, which idle tells the end of. A parcel without
// entries says that there are none now. Whoever calls owns the follower and what
// is waiting until it returns.
func (w *worker) prepare(ctx context.Context, idle <-chan struct{}, last journal.Position) (parcel, error) {
	err := w.gather(ctx, idle, last)
	w.known.read(w.events.Reading())
	if err != nil || len(w.waiting) == 0 {
		return parcel{}, err
	}
	n := min(len(w.waiting), w.MaxEvents)
	for n > 1 && w.waiting[n-1].Position > last {
		n--
	}
	var p parcel
	var left []journal.Entry
	p, left = w.makeReady(w.setting(), w.waiting[:n:n], w.size())
	// What was handed over must not be kept alive by the rest.
	w.waiting = slices.Concat(left, w.waiting[n:])
	return p, nil
}

// makeReady signs and compresses as much of what waits as one request of the size
// holds, and returns the rest.
func (m *Manager) makeReady(now setting, waiting []journal.Entry, size int) (p parcel, rest []journal.Entry) {
	n := min(len(waiting), m.MaxEvents)
	p = parcel{entries: waiting[:n:n], setting: now}
	made, err := m.pack(now.webhook, p.entries, size)
	if err == nil { // else the turn of the batch will tell
		n, p.entries, p.packed = made.sent, p.entries[:made.sent:made.sent], &made
	}
	return p, slices.Clone(waiting[n:]) // what was handed over must not be kept alive by the rest
}

// packedNow is what was made ahead, or made anew if it does not hold any more:
// another destination, format, authorization or key, or another part of the
// parcel's events.
func (m *Manager) packedNow(now setting, p parcel, batch []journal.Entry, limit *sizeLimit) (packed, error) {
	if p.packed != nil && p.setting == now && len(batch) == p.packed.sent && p.packed.bytes <= limit.bytes() {
		return *p.packed, nil
	}
	return m.pack(now.webhook, batch, limit.bytes())
}

// gather has wait in line what is there and what follows within MaxWait or, if
// that takes longer, until the request on its way is answered; less when a
// batch is full before.
func (w *worker) gather(ctx context.Context, idle <-chan struct{}, last journal.Position) error {
	size, most := 0, w.size()
	take := func(entries []journal.Entry) {
		for i := range entries {
			size += atLeast(&entries[i].Event)
		}
	}
	full := func() bool {
		n := len(w.waiting)
		return n >= w.MaxEvents || size >= most || n > 0 && w.waiting[n-1].Position >= last
	}
	take(w.waiting)
	if len(w.waiting) == 0 {
		there, err := w.events.Ready(ctx, w.MaxEvents)
		if err != nil || len(there) == 0 {
			return err
		}
		take(there)
		w.waiting = there
	}
	more, done := context.WithCancel(ctx)
	defer done()
	timer := time.AfterFunc(w.MaxWait, func() {
		select {
		case <-idle:
			done()
		case <-more.Done():
		}
	})
	defer timer.Stop()
	for !full() {
		next, err := w.events.Next(more, w.MaxEvents-len(w.waiting))
		take(next)
		w.waiting = append(w.waiting, next...)
		if err != nil {
			break // the wait is over; an error of the engine meets the next gather too
		}
	}
	return nil
}

// atLeast is less than the length of the event's line in any format, and most of it.
func atLeast(e *audit.Event) int {
	const signature = 86
	return signature + len(e.UserAgent) + len(e.Request) + len(e.Query) + len(e.Resource) + len(e.OrgID) + len(e.PrincipalID)
}

// request encodes, signs and compresses what fits one request for the
// webhook's destination as it is configured now.
func (m *Manager) request(webhook registry.Webhook, batch []journal.Entry) (request outbound.Request, sent int, err error) {
	made, err := m.pack(webhook, batch, m.MaxBytes)
	return made.request, made.sent, err
}

func (m *Manager) pack(webhook registry.Webhook, batch []journal.Entry, limit int) (packed, error) {
	destination, err := m.Registry.Destination(webhook.OrgID, webhook.DestinationID)
	if err != nil {
		return packed{}, err
	}
	authorization, err := m.Registry.Authorization(destination)
	if err != nil {
		return packed{}, err
	}
	lines, sent, err := encode(batch, destination.LogFormat, m.Registry.Signers(), limit)
	if err != nil {
		return packed{}, err
	}
	header := http.Header{
		"Content-Type": {"text/plain"},
		"User-Agent":   {m.UserAgent},
	}
	if authorization != "" {
		header.Set("Authorization", authorization)
	}
	body := lines
	if m.ContentEncoding != Identity {
		header.Set("Content-Encoding", m.ContentEncoding)
		if body, err = compress(lines); err != nil {
			return packed{}, err
		}
	}
	return packed{
		request: outbound.Request{
			URL: destination.Endpoint, Header: header, Body: body,
			SkipTLSVerify: destination.SkipSSLVerification,
		},
		sent: sent, bytes: len(lines),
	}, nil
}

// encode makes the signed lines of as many entries as fit into limit bytes, at
// least one. Encoding, signing and compression are deterministic, and an event is
// signed with the key of the time at which it was stored, so the same entries
// always give the same bytes.
func encode(batch []journal.Entry, format audit.Format, signers signers, limit int) (lines []byte, entries int, err error) {
	lines = make([]byte, 0, 512*len(batch))
	for i := range batch {
		signer, err := signers.At(batch[i].Stored)
		if err != nil {
			return nil, 0, err
		}
		before := len(lines)
		if i > 0 {
			lines = append(lines, '\n')
		}
		lines = signer.AppendLine(lines, format, &batch[i].Event)
		if i > 0 && len(lines) > limit {
			lines = lines[:before]
			break
		}
		entries++
	}
	return lines, entries, nil
}

// signers give the key that events of a time are signed with.
type signers interface {
	At(time.Time) (*audit.Signer, error)
}

func compress(lines []byte) ([]byte, error) {
	var compressed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&compressed, gzip.BestSpeed)
	if err == nil {
		_, err = writer.Write(lines)
	}
	if err == nil {
		err = writer.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress a batch: %w", err)
	}
	return compressed.Bytes(), nil
}
