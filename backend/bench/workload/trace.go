package workload

import (
	"context"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"mlxbar/backend/bench"
	"mlxbar/backend/bench/results"
)

// caseSpan begins the span of a case. Names are OpenTelemetry's for generative AI, where it has one.
func (r *Runner) caseSpan(ctx context.Context, s Spec) (context.Context, trace.Span) {
	if r.Tracer == nil {
		return ctx, noop.Span{}
	}
	return r.Tracer.Start(ctx, "benchmark case", trace.WithAttributes(
		attribute.String("gen_ai.request.model", s.Model), attribute.String("mlxbar.benchmark.route", s.Route),
		attribute.Int("mlxbar.benchmark.concurrency", s.Concurrency), attribute.Int("mlxbar.benchmark.runs", r.Runs),
		attribute.Int("mlxbar.benchmark.warmup", r.Warmup)))
}

func endCase(span trace.Span, c *results.Case) {
	span.SetAttributes(attribute.String("mlxbar.benchmark.status", string(c.Status)),
		attribute.Int("mlxbar.benchmark.answered", c.Answered), attribute.Int("mlxbar.benchmark.failed", c.Failed))
	if c.Status != results.Measured && c.Status != results.Skipped {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// requestSpan begins the span of one request. What is asked and answered is not in it.
func (r *Runner) requestSpan(ctx context.Context, at Server, model string, direct bool) (context.Context, trace.Span) {
	if r.Tracer == nil {
		return ctx, noop.Span{}
	}
	about := []attribute.KeyValue{
		attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.request.model", model),
		attribute.Int("gen_ai.request.max_tokens", r.MaxTokens), attribute.Bool("mlxbar.benchmark.direct", direct),
	}
	if u, err := url.Parse(at.URL); err == nil {
		about = append(about, attribute.String("server.address", u.Hostname()))
		if port, err := strconv.Atoi(u.Port()); err == nil {
			about = append(about, attribute.Int("server.port", port))
		}
	}
	return r.Tracer.Start(ctx, "chat "+model, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(about...))
}

func endRequest(span trace.Span, a bench.Answer, err error) {
	if err == nil && a.Counted {
		span.SetAttributes(attribute.Int("gen_ai.usage.input_tokens", a.PromptTokens), attribute.Int("gen_ai.usage.output_tokens", a.Tokens))
	}
	if a.First > 0 {
		span.SetAttributes(attribute.Float64("mlxbar.ttft_ms", ms(a.First)))
	}
	if err != nil {
		kind := "broken_off"
		if f := bench.FailureOf(err); f != nil {
			kind = string(f.Kind)
		}
		span.SetAttributes(attribute.String("error.type", kind))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// traceparent names the request's trace to a server of this machine; no other needs to know of it.
func traceparent(ctx context.Context, to Server) string {
	if !to.Here() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}
