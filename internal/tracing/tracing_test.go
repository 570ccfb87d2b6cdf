package tracing

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/internal/tracing/tracingtest"
)

// open makes a Tracer that sends to a receiver of the test's own.
func open(t *testing.T) (*Tracer, *tracingtest.Receiver) {
	t.Helper()
	receiver := tracingtest.New(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	tracer, err := Open(t.Context(), "1.2.3", slog.New(slog.DiscardHandler))
	if err != nil || tracer == nil {
		t.Fatalf("%v, %v", tracer, err)
	}
	return tracer, receiver
}

func TestWithoutAnEndpointThereAreNoSpans(t *testing.T) {
	for _, environment := range []map[string]string{
		{},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
	} {
		t.Run("", func(t *testing.T) {
			for name, value := range environment {
				t.Setenv(name, value)
			}
			tracer, err := Open(t.Context(), "test", slog.New(slog.DiscardHandler))
			if tracer != nil || err != nil {
				t.Fatalf("%v: %v, %v", environment, tracer, err)
			}
			ctx, span := Begin(tracer.Into(t.Context()), "nothing")
			span.Count("events", 1)
			span.Fail("why")
			span.End(errors.New("no"))
			if ctx != t.Context() {
				t.Error("the context is another")
			}
			tracer.Close()
		})
	}
}

func TestATracerThatIsOffAllocatesNothing(t *testing.T) {
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		_, span := Begin(ctx, "work")
		span.Count("events", 1)
		span.End(nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSpansArriveWithWhatIsKnownOfThem(t *testing.T) {
	tracer, receiver := open(t)
	ctx, outer := Begin(tracer.Into(t.Context()), "outer")
	_, inner := Begin(ctx, "inner")
	inner.Count("events", 7)
	inner.Text("kind", "a kind")
	inner.End(errors.New("it failed"))
	outer.End(nil)
	tracer.Close()
	spans := receiver.Spans()
	found, parent := spans["inner"], spans["outer"]
	if len(found) != 1 || len(parent) != 1 {
		t.Fatalf("%v", spans)
	}
	if string(found[0].GetParentSpanId()) != string(parent[0].GetSpanId()) {
		t.Error("the inner span is not a part of the outer one")
	}
	if found[0].GetStatus().GetMessage() != "it failed" || tracingtest.Attribute(found[0], "events") != "7" || tracingtest.Attribute(found[0], "kind") != "a kind" {
		t.Errorf("%v", found[0])
	}
	if receiver.Service() != "trailhook 1.2.3" {
		t.Errorf("they are of %q", receiver.Service())
	}
}

func TestOnlyATrustedTraceparentIsTakenOver(t *testing.T) {
	tracer, receiver := open(t)
	const theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
	r := httptest.NewRequest(http.MethodGet, "/v2/control-planes", nil)
	r.Header.Set("Traceparent", "00-"+theirs+"-00f067aa0ba902b7-01")
	_, trusted := tracer.Receive(r, "trusted", true)
	trusted.End(nil)
	_, other := tracer.Receive(r, "other", false)
	other.End(nil)
	tracer.Close()
	if got := tracingtest.Trace(receiver.Spans()["trusted"][0]); got != theirs {
		t.Errorf("trusted: trace %s", got)
	}
	if got := tracingtest.Trace(receiver.Spans()["other"][0]); got == theirs {
		t.Errorf("not trusted, and taken over")
	}
}

func TestAnEndpointThatIsAwayIsComplainedOfOnce(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_BSP_EXPORT_TIMEOUT", "100")
	var log strings.Builder
	tracer, err := Open(t.Context(), "test", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, span := Begin(tracer.Into(t.Context()), "work")
		span.End(nil)
		_ = tracer.provider.ForceFlush(t.Context())
	}
	tracer.Close()
	c := &complaints{logger: slog.New(slog.NewTextHandler(&log, nil))}
	log.Reset()
	c.Handle(errors.New("first"))
	c.Handle(errors.New("second"))
	if got := log.String(); strings.Count(got, "traces cannot be sent") != 1 || !strings.Contains(got, "first") {
		t.Errorf("logged:\n%s", got)
	}
}
