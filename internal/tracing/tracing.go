// Package tracing sends OpenTelemetry traces, where the operator wants them, by
// OTLP over HTTP. It is set up by OpenTelemetry's own variables in the environment
// and off without them: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
// and https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
//
// What is traced is found through the context: [Begin] makes a span where the
// context has a [Tracer], which [Tracer.Into] puts there, and costs one look
// otherwise. So those who are traced need not know of it, and nothing is kept in
// variables of a package but the error handler, which OpenTelemetry has nowhere else.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	// scope names us in the spans.
	scope = "github.com/trailhook/trailhook"
	// flushTime is how long what was not sent yet may take when the server stops.
	flushTime = 3 * time.Second
	// complainEvery is how often is said that spans cannot be sent.
	complainEvery = time.Minute
)

// Tracer makes spans. A nil one makes none.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// Open makes a Tracer as the environment wants it: nil where it names no
// OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, or switches
// traces off with OTEL_SDK_DISABLED=true or OTEL_TRACES_EXPORTER=none. Headers,
// certificates, time-outs, sampler, batches, the service's name (trailhook
// unless it says otherwise) and other attributes are taken from there as well.
// Traces go over HTTP only; where the environment asks for gRPC, that is logged, and
// there are none. That the endpoint cannot be reached is no error: it is logged, at
// most once a minute, and its spans are dropped.
func Open(ctx context.Context, version string, logger *slog.Logger) (*Tracer, error) {
	if !wanted(logger) {
		return nil, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "trailhook"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("tracing: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(&complaints{logger: logger})
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	return &Tracer{provider: provider, tracer: provider.Tracer(scope, trace.WithInstrumentationVersion(version))}, nil
}

func wanted(logger *slog.Logger) bool {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" ||
		os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		switch protocol := os.Getenv(name); protocol {
		case "":
			continue
		case "http/protobuf":
			return true
		default:
			logger.Warn("no traces are sent: they go by http/protobuf only, which is the endpoint's port 4318 as a rule", name, protocol)
			return false
		}
	}
	return true
}

// complaints logs that spans cannot be sent, from time to time.
type complaints struct {
	logger *slog.Logger
	last   atomic.Int64 // Unix nanoseconds
}

// Handle implements [otel.ErrorHandler].
func (c *complaints) Handle(err error) {
	now, last := time.Now().UnixNano(), c.last.Load()
	if now-last > int64(complainEvery) && c.last.CompareAndSwap(last, now) {
		c.logger.Warn("traces cannot be sent", "error", err)
	}
}

// Close sends what is left, for 3 seconds at most.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // the handler has heard of what failed
}

type tracerKey struct{}

// Into returns a context in which [Begin] makes spans.
func (t *Tracer) Into(ctx context.Context) context.Context {
	if t == nil {
		return ctx
	}
	return context.WithValue(ctx, tracerKey{}, t)
}

// Receive begins the span of a request that came in, and returns its context. With
// trusted, the span belongs to the trace that the request's traceparent names
// (W3C Trace Context); anybody can write that, and with it have everything sampled.
func (t *Tracer) Receive(r *http.Request, name string, trusted bool) (context.Context, Span) {
	ctx := r.Context()
	if t == nil {
		return ctx, Span{}
	}
	if trusted {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	ctx, span := t.tracer.Start(t.Into(ctx), name, trace.WithSpanKind(trace.SpanKindServer))
	return ctx, Span{span}
}

// Begin begins a span, as a part of the one that the context has, or of none. It
// makes none where the context has no Tracer.
func Begin(ctx context.Context, name string) (context.Context, Span) {
	t, _ := ctx.Value(tracerKey{}).(*Tracer)
	if t == nil {
		return ctx, Span{}
	}
	ctx, span := t.tracer.Start(ctx, name)
	return ctx, Span{span}
}

// Span is a piece of work with a beginning and an end. The zero one is none, and
// everything that is told to it is forgotten.
type Span struct{ span trace.Span }

// Count notes a number.
func (s Span) Count(name string, n int) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Int(name, n))
	}
}

// Text notes a text: never a secret, nor a URL, which may hold one.
func (s Span) Text(name, text string) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String(name, text))
	}
}

// Fail says that the work failed.
func (s Span) Fail(why string) {
	if s.span != nil {
		s.span.SetStatus(codes.Error, why)
	}
}

// End ends the span; an error says that the work failed.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, err.Error())
	}
	s.span.End()
}
