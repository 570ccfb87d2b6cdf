package collector

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/search"
)

// emptyCatalog is one without a broker, for what only asks it for what it does
// not have.
func emptyCatalog() *Catalog { return &Catalog{lastLines: &broker.Bucket[time.Time]{}} }

func TestRatesAndMinutesFollowTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at a full minute
		metrics := NewMetrics(prometheus.NewRegistry())
		s := NewStatistics(emptyCatalog(), metrics, slog.New(slog.DiscardHandler))
		began := time.Now()
		expect := func(what string, got, want float64) {
			t.Helper()
			if math.Abs(got-want) > 1e-9 {
				t.Errorf("after %s: %s %v, want %v", time.Since(began), what, got, want)
			}
		}
		took := func(lines int) { metrics.took(7, lines, time.Now()) }

		time.Sleep(10 * time.Second)
		took(50)
		expect("last minute", s.Of(7).LastMinute.Received, 5) // there were 10 seconds
		time.Sleep(50 * time.Second)
		took(60)
		time.Sleep(30 * time.Second)
		expect("last minute", s.Of(7).LastMinute.Received, (60+50/2.)/60)
		expect("last hour", s.Of(7).LastHour.Received, 110/90.)
		if m := s.Minutes(7); !cmp.Equal(m.Received, []uint32{50, 60}) || !m.From.Equal(began) {
			t.Errorf("minutes: %+v", m)
		}
		time.Sleep(time.Hour)
		expect("last minute", s.Of(7).LastMinute.Received, 0)
		expect("last hour", s.Of(7).LastHour.Received, 60/2/3600.)
		if s.Of(7).Received != 110 {
			t.Errorf("in all: %d", s.Of(7).Received)
		}

		time.Sleep(30 * time.Hour)
		took(1)
		m := s.Minutes(7)
		if len(m.Received) != dayMinutes || m.Received[dayMinutes-1] != 1 || !m.From.Equal(time.Now().Truncate(time.Minute).Add(-(dayMinutes-1)*time.Minute)) {
			t.Errorf("a day later: %d minutes from %s", len(m.Received), m.From)
		}
		for _, n := range m.Received[:dayMinutes-1] {
			if n != 0 {
				t.Fatal("what was counted more than a day ago is told")
			}
		}
	})
}

func TestADayIsKeptInFullAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := NewMetrics(prometheus.NewRegistry())
		s := NewStatistics(emptyCatalog(), metrics, slog.New(slog.DiscardHandler))
		time.Sleep(17 * time.Minute) // not at a full hour
		for range 3 * dayMinutes {
			metrics.took(7, 1, time.Now())
			time.Sleep(time.Minute)
		}
		sum := 0
		for _, n := range s.Minutes(7).Received {
			sum += int(n)
		}
		if sum != dayMinutes-1 { // in the present minute nothing came
			t.Errorf("%d of %d minutes", sum, dayMinutes-1)
		}
	})
}

func TestOfAnInsertOfSeveralSourcesEachGetsItsOwn(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	record := func(source string, line int) search.Record {
		raw := fmt.Sprintf("line %d", line)
		r := newRecord(Origin{ReceivedAt: time.Now().UTC()}, []byte(raw))
		r.SourceID, r.Signature = source, audit.Unsigned.String()
		return r
	}
	position := uint64(0)
	insert := func(lines map[string][]int) map[string]int {
		t.Helper()
		var records []search.Record
		for source, numbers := range lines {
			for _, n := range numbers {
				records = append(records, record(source, n))
			}
		}
		before, err := y.store.Last(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		position++
		stored, err := y.store.Insert(t.Context(), records, position)
		if err != nil {
			t.Fatal(err)
		}
		tallies := tallyOf(records)
		attribute(t.Context(), y.store, tallies, before, stored)
		got := map[string]int{}
		for _, tally := range tallies {
			got[tally.sourceID] = tally.stored
		}
		return got
	}
	for i, step := range []struct {
		lines map[string][]int
		want  map[string]int
	}{
		{map[string][]int{"1": {1, 2, 3}, "2": {1}}, map[string]int{"1": 3, "2": 1}},
		{map[string][]int{"1": {1, 2}, "2": {1}}, map[string]int{"1": 0, "2": 0}},
		{map[string][]int{"1": {3, 4, 4}, "2": {1, 2}, "3/quarantine": {1}}, map[string]int{"1": 1, "2": 1, "3/quarantine": 1}},
		{map[string][]int{"1": {1, 2}, "2": {5, 6, 7}, "3": {1}}, map[string]int{"1": 0, "2": 3, "3": 1}},
	} {
		if diff := cmp.Diff(step.want, insert(step.lines)); diff != "" {
			t.Errorf("insert %d: %s", i+1, diff)
		}
	}
	// Of very many, the sum is right.
	many := map[string][]int{}
	for i := range 3 * maxAsked {
		many[strconv.Itoa(100+i)] = []int{1, 2}
	}
	insert(many)
	for source := range many {
		many[source] = []int{2, 3}
	}
	sum := 0
	for source, stored := range insert(many) {
		if sum += stored; stored > 2 {
			t.Errorf("source %s: %d of 2", source, stored)
		}
	}
	if sum != len(many) {
		t.Errorf("%d of %d", sum, len(many))
	}
}

func TestWhenTheLastLineCameOutlivesTheServerAndADeletedSourceIsForgotten(t *testing.T) {
	dir := t.TempDir()
	y := start(t, dir, setup{})
	stop := y.keepStatistics()
	y.take(t, "a line")
	id := y.source.ID
	came := y.statistics.Of(id).LastAt
	if came.IsZero() || time.Since(came) > time.Minute {
		t.Fatalf("the last line came at %s", came)
	}
	stop()
	y.close()

	y = start(t, dir, setup{})
	stop = y.keepStatistics()
	if c := y.statistics.Of(id); !c.LastAt.Equal(came) || c.Received != 0 {
		t.Errorf("after a restart: %s, %d lines; want %s", c.LastAt, c.Received, came)
	}
	y.take(t, "another")
	if err := y.catalog.DeleteSource(t.Context(), id, y.source.Revision); err != nil {
		t.Fatal(err)
	}
	stop()
	if c := y.statistics.Of(id); c.Received != 0 || !c.LastAt.IsZero() {
		t.Errorf("of the deleted source: %+v", c)
	}
}

// keepStatistics runs the statistics until the function is called that it returns.
func (y *system) keepStatistics() (stop func()) {
	y.statistics = NewStatistics(y.catalog, y.metrics, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); y.statistics.Run(ctx) }()
	return func() { cancel(); <-done }
}

func TestEnvelopesCountForTheirSource(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	statistics := NewStatistics(y.catalog, y.metrics, slog.New(slog.DiscardHandler))
	authorization := "Splunk " + y.source.Code
	for body, want := range map[string]int{`{"event":"one"}{"event":"two"}`: 200, `{"event":"three"} {}`: 400, ``: 400} {
		if w := y.do("POST", "/services/collector/event", []byte(body), "Authorization", authorization); w.Code != want {
			t.Fatalf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	y.do("POST", "/services/collector/event", []byte(`{"event":"four"}`), "Authorization", authorization+"x")
	y.find(t, "")
	c := statistics.Of(y.source.ID)
	if diff := cmp.Diff(map[string]uint64{"event": 1, "no_data": 1}, c.Rejected); diff != "" || c.Received != 3 || c.Stored != 3 {
		t.Errorf("%+v %s", c, diff)
	}
	if diff := cmp.Diff(map[string]uint64{"unauthorized": 1}, statistics.Server()); diff != "" {
		t.Error(diff)
	}
}

func TestSyslogCountsForTheSourceThatTakesIt(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	statistics := NewStatistics(y.catalog, y.metrics, slog.New(slog.DiscardHandler))
	_, address := y.serveSyslog(t)
	sendTCP(t, address, "<13>one\n<13>two\n<13>one\n")
	taken := y.await(t, "", 2)[0]
	id, err := strconv.ParseInt(taken.SourceID, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the counts", func() bool {
		c := statistics.Of(id)
		return c.Received == 3 && c.Stored == 2 && c.Duplicates == 1 && c.Verdicts["unsigned"] == 3
	})
	if c := statistics.Of(y.source.ID); c.Received != 0 || !c.LastAt.IsZero() {
		t.Errorf("the other source: %+v", c)
	}
}

func BenchmarkCountingARequest(b *testing.B) {
	metrics := NewMetrics(prometheus.NewRegistry())
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			metrics.took(7, 100, time.Now())
		}
	})
}

func BenchmarkCountingAnInsert(b *testing.B) {
	metrics := NewMetrics(prometheus.NewRegistry())
	records := make([]search.Record, insertLines)
	for i := range records {
		records[i].SourceID, records[i].Signature = "7", audit.Valid.String()
	}
	for b.Loop() {
		tallies := tallyOf(records)
		attribute(b.Context(), nil, tallies, 0, len(records))
		metrics.indexed(tallies)
	}
}
