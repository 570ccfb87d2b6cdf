package gateway

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/internal/entity"
)

// BenchmarkARequestThroughTheGateway has the client, the gateway and the
// upstream in one process: a profile of it tells what the gateway's part costs.
func BenchmarkARequestThroughTheGateway(b *testing.B) {
	w := newWorld(b)
	service := w.upstream("", func(rw http.ResponseWriter, r *http.Request) { _, _ = rw.Write(make([]byte, 1024)) })
	w.add(entity.Routes, `{"paths":["/plain"],"service":"`+service+`"}`)
	w.apply()
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		answer := bufio.NewReader(conn)
		for pb.Next() {
			_, _ = conn.Write([]byte("GET /plain HTTP/1.1\r\nHost: h\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"))
			resp, err := http.ReadResponse(answer, nil)
			if err != nil || resp.StatusCode != 200 {
				b.Error(err, resp)
				return
			}
			_, _ = answer.Discard(int(resp.ContentLength))
		}
	})
}
