package instruments

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Loading follows the load of a model's engine, for ctx's request or for nobody's. What it
// returns is called once, with how it went.
func (s *Set) Loading(ctx context.Context, model, engine string) (ended func(error)) {
	began := time.Now()
	of := metric.WithAttributes(text(keyEngine, engine), text(keyRequestModel, short(model)))
	s.crashes.Add(ctx, 0, of) // there from the first load on, so that it can be seen to rise
	var span trace.Span
	if s.tracer != nil {
		_, span = s.tracer.Start(ctx, "load "+short(model), trace.WithAttributes(text(keyRequestModel, short(model)), text(keyEngine, engine)))
	}
	return func(err error) {
		result := "ready"
		switch {
		case errors.Is(err, context.Canceled):
			result = "cancelled"
		case err != nil:
			result = "failed"
		}
		s.loads.Add(ctx, 1, of, metric.WithAttributes(text(keyResult, result)))
		if err == nil {
			s.loadDuration.Record(ctx, time.Since(began).Seconds(), of)
		}
		if span == nil {
			return
		}
		span.SetAttributes(text(keyResult, result))
		if err != nil {
			span.SetAttributes(text(keyErrorType, result))
			span.SetStatus(codes.Error, result)
		}
		span.End()
	}
}

// Crashed counts an engine that ended unasked.
func (s *Set) Crashed(model, engine string) {
	s.crashes.Add(context.Background(), 1, metric.WithAttributes(text(keyEngine, engine), text(keyRequestModel, short(model))))
}
