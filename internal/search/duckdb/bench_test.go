package duckdb

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/search"
)

var (
	benchLines  = flag.Int("lines", 100_000, "how many lines the benchmarks of searches have")
	benchFolder = flag.String("folder", "", "a folder in which the benchmarks keep their store from one run to the next")
)

// traffic makes the lines of a large installation: few organizations have most of
// the events, and few principals most of an organization's.
type traffic struct {
	random                *rand.Rand
	organizations, people *rand.Zipf
	made                  int
}

func newTraffic() *traffic {
	random := rand.New(rand.NewPCG(1, 2))
	return &traffic{random: random, organizations: rand.NewZipf(random, 1.2, 4, 199), people: rand.NewZipf(random, 1.3, 4, 99)}
}

// benchStart is the time of the first event; they are 20 ms apart.
var benchStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

const benchPace = 20 * time.Millisecond

func uuid(kind, n uint64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", kind, n))
	return fmt.Sprintf("%x-%x-4%x-8%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])[:36]
}

func (t *traffic) event() audit.Event {
	n := t.random
	organization := t.organizations.Uint64()
	person := organization<<16 | t.people.Uint64()
	e := audit.Event{
		Time: benchStart.Add(time.Duration(t.made) * benchPace), Product: audit.ProductKonnect, TraceID: n.Uint64() >> 1,
		OrgID: uuid(1, organization), PrincipalID: uuid(2, person), Source: fmt.Sprintf("203.%d.%d.%d", person%4, person*7%251, person*13%251),
		UserAgent: [...]string{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15) Firefox/128.0", "terraform-provider-konnect/2.4.1", "deck/1.39.2", "curl/8.5.0"}[person%4],
	}
	entity := [...]string{"services", "routes", "plugins", "consumers", "upstreams"}[n.IntN(5)]
	switch kind := n.IntN(10); {
	case kind < 4:
		e.Kind, e.AuthType, e.Outcome, e.Request = audit.Authentication, audit.AuthPAT, audit.OutcomeSuccess, "/v2/control-planes"
		if n.IntN(50) == 0 {
			e.Outcome = audit.OutcomeTokenExpired
		}
	case kind < 8:
		e.Kind, e.Service, e.Resource, e.Action, e.Granted = audit.Authorization, "konnect", "control-planes/"+entity, "list", n.IntN(20) > 0
		if n.IntN(4) == 0 {
			e.Action = "edit"
		}
	default:
		e.Kind, e.Method, e.Status = audit.Access, "GET", [...]int{200, 200, 200, 201, 404, 403}[n.IntN(6)]
		e.Request = fmt.Sprintf("/v2/control-planes/%s/core-entities/%s", uuid(3, organization<<8|n.Uint64N(20)), entity)
		e.Query = fmt.Sprintf("page=%d&size=100", n.IntN(20))
	}
	t.made++
	return e
}

// records are the next lines of traffic, with what stands for signatures.
func (t *traffic) records(count int) []search.Record {
	records := make([]search.Record, count)
	signature := make([]byte, 64)
	for i := range records {
		e := t.event()
		for j := range signature {
			signature[j] = byte(t.random.Uint32())
		}
		raw := string(audit.AppendSigned(nil, audit.CEF, &e, signature))
		records[i] = search.Record{
			Time: e.Time, Timed: true, Receipt: e.Time.Add(time.Second), SourceID: "1", Collector: "Audit", Source: "Konnect", Category: "prod/audit",
			Host: "10.0.0.9", Name: "http", Signature: "valid", KeyID: "key-1", Raw: raw, Identity: identityOf(raw), Fields: search.EventFields(nil, &e),
		}
		if t.made%10 == 0 {
			records[i].SourceID, records[i].Source = "2", "Portal"
		}
	}
	return records
}

// openTraffic opens a store of the benchmarks' lines.
func openTraffic(b *testing.B) *Store {
	folder := *benchFolder
	if folder == "" {
		folder = b.TempDir()
	}
	s := openIn(b, folder)
	b.Cleanup(func() { s.Close() })
	if s.state.ordinal > 0 {
		s.filling.Wait()
		return s
	}
	const batch = 20_000
	t := newTraffic()
	for from := 0; from < *benchLines; from += batch {
		if _, err := s.Insert(b.Context(), t.records(min(batch, *benchLines-from)), uint64(from)+1); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := s.db.ExecContext(b.Context(), `CHECKPOINT`); err != nil {
		b.Fatal(err)
	}
	return s
}

func BenchmarkSearch(b *testing.B) {
	s := openTraffic(b)
	var trace string
	for r, err := range s.Search(b.Context(), search.Request{Query: search.Compare{Field: "trace_id", Value: search.Pattern{"", ""}}, To: benchStart.Add(time.Minute), Limit: 1}) {
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range r.Fields {
			if f.Name == "trace_id" {
				trace = f.Value
			}
		}
	}
	end := benchStart.Add(time.Duration(*benchLines) * benchPace)
	for _, test := range []struct {
		name, query string
		limit       int
		from        time.Time
	}{
		{"two filters", `action=list granted=false | count`, 0, time.Time{}},
		{"newest 100 of a source", `_source=Portal`, 100, time.Time{}},
		{"one trace", `trace_id=` + trace, 0, time.Time{}},
		{"last hour", `org_id=` + uuid(1, 0) + ` | count by action`, 0, end.Add(-time.Hour)},
		{"top 10", `* | top 10 principal_id`, 0, time.Time{}},
		{"histogram", `* | timeslice 1h | count by _timeslice`, 0, time.Time{}},
		{"failures", `status>=400 | count by status`, 0, time.Time{}},
		{"one organization", `org_id=` + uuid(1, 3), 100, time.Time{}},
		{"keyword, count", `terraform | count`, 0, time.Time{}},
		{"keyword, newest 100", `terraform`, 100, time.Time{}},
		{"rare keyword, count", `TOKEN_EXPIRED | count`, 0, time.Time{}},
		{"rare keyword, newest 100", `TOKEN_EXPIRED`, 100, time.Time{}},
		{"unknown keyword, newest 100", `nowhere`, 100, time.Time{}},
		{"hexadecimal keyword, count", `deadbe | count`, 0, time.Time{}},
		{"regular expression, wildcards", `control-planes*"core-entities/consumers"*"page=1 " | count`, 0, time.Time{}},
		{"regular expression, where", `* | where _raw matches /status=40[0-9] .*page=1[0-9]/ | count`, 0, time.Time{}},
	} {
		b.Run(test.name, func(b *testing.B) {
			q, err := search.ParseQuery(test.query)
			if err != nil {
				b.Fatal(err)
			}
			least := time.Hour
			for b.Loop() {
				begun, found := time.Now(), 0
				var each func(search.Found) error
				if !q.Aggregates() {
					each = func(search.Found) error { found++; return nil }
				}
				ask := search.Search{Query: q, Limit: test.limit, Setting: search.Setting{Now: end, From: test.from}, OpenEnd: true}
				table, err := ask.Run(b.Context(), s, each)
				if err != nil || table == nil && found == 0 && test.name[:3] != "unk" {
					b.Fatalf("found %d, %v", found, err)
				}
				least = min(least, time.Since(begun))
			}
			b.ReportMetric(float64(least.Microseconds())/1000, "least-ms")
		})
	}
}

func BenchmarkInsert(b *testing.B) {
	const batch = 20_000
	t := newTraffic()
	folder := b.TempDir()
	s := openIn(b, folder)
	defer s.Close()
	for position := uint64(1); b.Loop(); position++ {
		b.StopTimer()
		records := t.records(batch)
		b.StartTimer()
		if _, err := s.Insert(b.Context(), records, position); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if _, err := s.db.ExecContext(b.Context(), `CHECKPOINT`); err != nil {
		b.Fatal(err)
	}
	if file, err := os.Stat(filepath.Join(folder, "search.duckdb")); err == nil {
		b.ReportMetric(float64(file.Size())/float64(s.state.ordinal), "B/line")
	}
	b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "lines/s")
}
