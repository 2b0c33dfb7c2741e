package telemetry

import (
	"context"
	"errors"
	"log/slog"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/trace"

	"mlxbar/backend/gateway/requestid"
)

const requestKey = "request_id"

// Handler gives each line that goes to local the ids of the request and the trace it belongs
// to, and sends it on where logs are sent. What is below Info stays on this machine.
func (t *Telemetry) Handler(local slog.Handler) slog.Handler {
	h := &handler{local: local}
	if t.logs != nil {
		h.sent = otelslog.NewHandler(Scope, otelslog.WithLoggerProvider(t.logs))
	}
	return h
}

// handler is one with two ends.
type handler struct {
	local, sent slog.Handler // sent may be nil
	requestID   bool         // an attribute of the logger holds it already
}

func (h *handler) sends(ctx context.Context, level slog.Level) bool {
	return h.sent != nil && level >= slog.LevelInfo && h.sent.Enabled(ctx, level)
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.local.Enabled(ctx, level) || h.sends(ctx, level)
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if id := requestid.From(ctx); id != "" && !h.requestID && !has(r, requestKey) {
		r = r.Clone()
		r.AddAttrs(slog.String(requestKey, id))
	}
	var sent error
	if h.sends(ctx, r.Level) {
		sent = h.sent.Handle(ctx, r) // which takes the trace out of ctx
	}
	if !h.local.Enabled(ctx, r.Level) {
		return sent
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return errors.Join(h.local.Handle(ctx, r), sent)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.local = h.local.WithAttrs(attrs)
	if h.sent != nil {
		next.sent = h.sent.WithAttrs(attrs)
	}
	for _, a := range attrs {
		next.requestID = next.requestID || a.Key == requestKey
	}
	return &next
}

func (h *handler) WithGroup(name string) slog.Handler {
	next := *h
	next.local = h.local.WithGroup(name)
	if h.sent != nil {
		next.sent = h.sent.WithGroup(name)
	}
	return &next
}

func has(r slog.Record, key string) (found bool) {
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == key
		return !found
	})
	return found
}
