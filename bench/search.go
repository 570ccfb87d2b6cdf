package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/trailhook/trailhook/audit"
)

const searchEvents = 1_000_000

// searchGroup measures searches over HTTP, with [searchPace] events a second coming
// in: of a million events, and in a second store of BENCH_ROWS events if that is
// more. With less it is measured with these only, to try the group out.
func searchGroup(ctx context.Context) error {
	if _, err := yardsticks(); err != nil {
		return err
	}
	report("scan_gb_per_s", scanSpeed(), "GB/s")
	rows := searchEvents
	if text := os.Getenv("BENCH_ROWS"); text != "" {
		var err error
		if rows, err = strconv.Atoi(text); err != nil || rows < searchBatch {
			return fmt.Errorf("BENCH_ROWS=%s: a number of events, %d or more", text, searchBatch)
		}
	}
	if err := measureSearches(ctx, min(rows, searchEvents), ""); err != nil || rows <= searchEvents {
		return err
	}
	return measureSearches(ctx, rows, fmt.Sprintf("_%dm", rows/1_000_000))
}

// scanSpeed is how fast one processor looks for a text that is not there: what any
// scan is held against.
func scanSpeed() float64 {
	text := bytes.Repeat([]byte("2026-03-01T09:00:00Z konghq.com CEF:0|KongInc|Konnect|1.0|"), 1<<20)
	start := time.Now()
	const rounds = 5
	for range rounds {
		if bytes.Contains(text, []byte("action=delete")) {
			panic("found what is not there")
		}
	}
	return float64(rounds*len(text)) / time.Since(start).Seconds() / 1e9
}

// measureSearches makes a store of so many events and searches it. The names of
// its figures end with the suffix.
func measureSearches(ctx context.Context, events int, suffix string) error {
	dir, err := os.MkdirTemp("", "trailhook-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := newSearchBench(ctx, dir, events)
	if err != nil {
		return err
	}
	begun := time.Now()
	address, err := benchAddress()
	if err != nil {
		return err
	}
	if err := b.history.store(ctx, dir, b.sourceID, address); err != nil {
		return err
	}
	report("search_fill_events_per_s"+suffix, float64(events)/time.Since(begun).Seconds(), "1/s")
	if address == nil {
		file, err := os.Stat(filepath.Join(dir, "search.duckdb"))
		if err != nil {
			return err
		}
		report("store_bytes_per_event"+suffix, float64(file.Size())/float64(events), "B")
	}
	return b.measure(ctx, suffix)
}

// searchBench is a server's directory with a history in it.
type searchBench struct {
	dir      string
	history  *history
	sourceID string
	path     string // of the source
	next     int    // the number of the next event that comes in
}

// newSearchBench has a server make the source.
func newSearchBench(ctx context.Context, dir string, events int) (*searchBench, error) {
	signer := audit.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)))
	keys, err := audit.NewKeySet(signer.Public())
	if err != nil {
		return nil, err
	}
	s, err := startSearchServer(dir)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	b := &searchBench{dir: dir, history: newHistory(signer, events), next: events}
	b.sourceID, b.path, err = s.makeSource(ctx, keys)
	return b, err
}

// question is a search whose time is a figure.
type question struct {
	name, query, limit string
}

func (b *searchBench) questions() []question {
	return []question{
		{"two_filters", "org_id=" + b.history.orgs[0] + " granted=false | count", ""},
		{"newest100", "_source=Konnect", "100"},
		{"trace", fmt.Sprintf("trace_id=%d", traceOf(b.history.events*3/8)), ""},
		{"substring", "203.0.7.113 | count", ""},
		{"regex", `* | where _raw matches /Authz\.plugins.*granted=false/ | count`, ""},
		{"top10", "* | top 10 principal_id", ""},
		{"histogram", "* | timeslice 1h | count by _timeslice", ""},
	}
}

func (q question) parameters() url.Values {
	v := url.Values{"query": {q.query}, "from": {"-31d"}}
	if q.limit != "" {
		v.Set("limit", q.limit)
	}
	return v
}

// measure asks each question, first of a process that just started, then of one
// that has answered all of them. One that fails has no figure, and the others go
// on.
func (b *searchBench) measure(ctx context.Context, suffix string) error {
	cold := "cold: the process just started, the page cache dropped"
	var failures []error
	failed := func(q question, err error) {
		failures = append(failures, fmt.Errorf("%s%s: %w", q.name, suffix, err))
	}
	times := map[string][2]time.Duration{}
	for _, q := range b.questions() {
		if err := dropCache(); err != nil {
			cold = "cold: the process just started; the page cache could not be dropped"
		}
		var took [2]time.Duration
		err := b.loaded(func(s *searchServer) (err error) {
			took[0], err = s.ask(ctx, q.parameters())
			return err
		})
		if err != nil {
			failed(q, err)
			continue
		}
		times[q.name] = took
	}
	err := b.loaded(func(s *searchServer) error {
		for _, q := range b.questions() {
			if took, ok := times[q.name]; ok && took[0] < warmTime {
				s.ask(ctx, q.parameters()) // what fails here fails below
			}
		}
		// The store is known again by then: a process begins with reading it.
		time.Sleep(time.Duration(b.history.events) * settleTime)
		for _, q := range b.questions() {
			took, ok := times[q.name]
			if !ok {
				continue
			}
			var err error
			if took[1], err = s.warm(ctx, q); err != nil {
				failed(q, err)
				delete(times, q.name)
				continue
			}
			times[q.name] = took
			report("search_"+q.name+"_ms"+suffix, milliseconds(took[1]), "ms")
		}
		return nil
	})
	fmt.Printf("\n# %d events, %d more each second meanwhile; %s; warm: the median of %d\n", b.history.events, searchPace, cold, warmRounds)
	fmt.Printf("# %-14s %12s %12s\n", "", "cold ms", "warm ms")
	for _, q := range b.questions() {
		if took, ok := times[q.name]; ok {
			fmt.Printf("# %-14s %12.1f %12.1f\n", q.name, milliseconds(took[0]), milliseconds(took[1]))
		}
	}
	fmt.Println()
	return errors.Join(append(failures, err)...)
}

const (
	warmRounds = 9
	// warmTime is after how long no further round begins: the store grows meanwhile,
	// and what takes that long need not be known to the millisecond.
	warmTime = 30 * time.Second
	// settleTime is how long a process may take after its start for each event
	// that is stored.
	settleTime = 3 * time.Microsecond
)

// loaded starts a process, and has events come in while it is asked.
func (b *searchBench) loaded(ask func(*searchServer) error) (err error) {
	s, err := startSearchServer(b.dir)
	if err != nil {
		return err
	}
	defer s.stop()
	stop := s.load(b.history, b.path, &b.next)
	defer func() { err = errors.Join(err, stop()) }()
	return ask(s)
}

// warm is the median of what the answers took.
func (s *searchServer) warm(ctx context.Context, q question) (time.Duration, error) {
	var rounds []time.Duration
	for begun := time.Now(); len(rounds) < warmRounds && time.Since(begun) < warmTime; {
		took, err := s.ask(ctx, q.parameters())
		if err != nil {
			return 0, err
		}
		rounds = append(rounds, took)
	}
	slices.Sort(rounds)
	return rounds[len(rounds)/2], nil
}

// dropCache has Linux forget what files it has in memory, which takes root.
func dropCache() error { return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0) }
