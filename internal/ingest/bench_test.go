package ingest_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

// BenchmarkIngest measures the endpoint over HTTP on a real journal, with events
// of about 400 bytes and as many clients at once as go test -cpu says times 8.
func BenchmarkIngest(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		for _, coding := range []string{"", "gzip"} {
			b.Run(fmt.Sprintf("%d%s", size, coding), func(b *testing.B) {
				w := newWorld(b)
				list := make([]audit.Event, size)
				for i := range list {
					list[i] = event(i)
					list[i].OrgID, list[i].UserAgent = w.ours.id, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"
					list[i].PrincipalID, list[i].PrincipalName = w.ours.system.ID, "Ada Lovelace"
				}
				body := array(list)
				if coding == "gzip" {
					body = zipped(b, body)
				}
				var failed atomic.Int64
				b.SetParallelism(8)
				b.ResetTimer()
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						if a := w.send(body, "Content-Encoding", coding); a.status != 201 {
							failed.Add(1)
						}
					}
				})
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
				if failed.Load() > 0 {
					b.Fatalf("%d of %d requests failed", failed.Load(), b.N)
				}
			})
		}
	}
}
