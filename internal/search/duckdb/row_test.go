package duckdb

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/search"
)

func TestLinesOfAuditEventsAreNotKept(t *testing.T) {
	s := openIn(t, t.TempDir())
	defer s.Close()
	signer := audit.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	e := audit.Event{
		Kind: audit.Access, Time: time.UnixMilli(1_750_280_466_889).UTC(), Request: "/v2/teams", Method: "POST", Status: 201, Query: "a=b",
		UserAgent: "first\nsecond",
	}
	late := e
	late.Stamp = e.Time.Add(90 * time.Second).Truncate(time.Second)
	var records []search.Record
	add := func(raw []byte) {
		records = append(records, search.Record{Time: e.Time, Raw: string(raw), Identity: identityOf(string(raw)), Fields: search.EventFields(nil, &e)})
	}
	for _, f := range []audit.Format{audit.CEF, audit.JSON, audit.CPS} {
		add(signer.AppendLine(nil, f, &e))
		add(signer.AppendLine(nil, f, &late))
		add(audit.AppendUnsigned(nil, f, &e))
	}
	written := len(records)
	add(append(signer.AppendLine(nil, audit.CEF, &e), ' '))
	add(append(audit.AppendUnsigned(nil, audit.CEF, &e), " shape=round"...))
	add([]byte("something else"))
	if _, err := s.Insert(t.Context(), records, 1); err != nil {
		t.Fatal(err)
	}
	var forms, kept int
	if err := s.db.QueryRowContext(t.Context(), `SELECT count("form"), count("raw") FROM records`).Scan(&forms, &kept); err != nil {
		t.Fatal(err)
	}
	if forms != written || kept != len(records)-written {
		t.Errorf("%d lines are written from their fields and %d kept, of %d and %d", forms, kept, written, len(records)-written)
	}
}

func TestARunOfLongLinesIsStoredAndReadInBoundedMemory(t *testing.T) {
	s := openIn(t, t.TempDir(), MemoryLimit(96<<20))
	defer s.Close()
	const n = 80 // of 1 MiB, more than what fits
	line := noise(1 << 20)
	for i := range n / 4 {
		records := numbered(4*i, 4*i+4)
		for j := range records {
			records[j].Raw = line[:len(line)-4*i-j]
		}
		if _, err := s.Insert(t.Context(), records, uint64(i)+1); err != nil {
			t.Fatal(err)
		}
	}
	found := 0
	for r, err := range s.Search(t.Context(), search.Request{}) {
		if err != nil {
			t.Fatalf("after %d: %v", found, err)
		}
		if r.Raw != line[:len(r.Raw)] || len(r.Raw) < len(line)-n {
			t.Errorf("a line of %d bytes came back", len(r.Raw))
		}
		found++
	}
	if found != n {
		t.Errorf("found %d, want %d", found, n)
	}
}
