package telemetry

import (
	"context"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// halt ends what is being sent when a program has no more time for it. The library itself waits
// for timeouts and tries again, for as long as half a minute after everything else has ended.
type halt struct {
	ctx context.Context
	now context.CancelFunc
}

func newHalt() halt {
	ctx, cancel := context.WithCancel(context.Background())
	return halt{ctx, cancel}
}

func (h halt) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	forget := context.AfterFunc(h.ctx, cancel)
	return ctx, func() { forget(); cancel() }
}

type haltingSpans struct {
	sdktrace.SpanExporter
	halt halt
}

func (e haltingSpans) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, done := e.halt.bound(ctx)
	defer done()
	return e.SpanExporter.ExportSpans(ctx, spans)
}

type haltingMetrics struct {
	sdkmetric.Exporter
	halt halt
}

func (e haltingMetrics) Export(ctx context.Context, metrics *metricdata.ResourceMetrics) error {
	ctx, done := e.halt.bound(ctx)
	defer done()
	return e.Exporter.Export(ctx, metrics)
}

type haltingLines struct {
	sdklog.Exporter
	halt halt
}

func (e haltingLines) Export(ctx context.Context, lines []sdklog.Record) error {
	ctx, done := e.halt.bound(ctx)
	defer done()
	return e.Exporter.Export(ctx, lines)
}
