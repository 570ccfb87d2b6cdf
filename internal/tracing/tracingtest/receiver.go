// Package tracingtest is a receiver of traces for tests: a real one, that speaks
// OTLP over HTTP and decodes what comes.
package tracingtest

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Receiver keeps the spans that it gets.
type Receiver struct {
	URL string // for OTEL_EXPORTER_OTLP_ENDPOINT

	mu      sync.Mutex
	spans   map[string][]*trace.Span // by name
	service string
}

// New starts a Receiver that ends with the test.
func New(t *testing.T) *Receiver {
	t.Helper()
	r := &Receiver{spans: map[string][]*trace.Span{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if err := r.take(q); err != nil {
			t.Errorf("traces that cannot be read: %v", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

func (r *Receiver) take(q *http.Request) error {
	body := io.Reader(q.Body)
	if q.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = unpacked
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var request collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(data, &request); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range request.GetResourceSpans() {
		about := of.GetResource().GetAttributes()
		r.service = text(about, "service.name") + " " + text(about, "service.version")
		for _, scope := range of.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				r.spans[span.GetName()] = append(r.spans[span.GetName()], span)
			}
		}
	}
	return nil
}

// Spans gives what has come so far, by name.
func (r *Receiver) Spans() map[string][]*trace.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.spans)
}

// Service is the name and the version that the spans came with.
func (r *Receiver) Service() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.service
}

// Attribute gives an attribute of a span as text; empty if it has none of the name.
func Attribute(span *trace.Span, name string) string { return text(span.GetAttributes(), name) }

// Trace gives the id of a span's trace, in hexadecimal digits.
func Trace(span *trace.Span) string { return hex.EncodeToString(span.GetTraceId()) }

func text(attributes []*common.KeyValue, name string) string {
	for _, a := range attributes {
		if a.GetKey() != name {
			continue
		}
		if n, ok := a.GetValue().GetValue().(*common.AnyValue_IntValue); ok {
			return strconv.FormatInt(n.IntValue, 10)
		}
		return a.GetValue().GetStringValue()
	}
	return ""
}
