package instruments

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"mlxbar/backend/audit"
	"mlxbar/backend/loopback"
)

// operations is what OpenTelemetry calls what an endpoint does, and names of the same manner for what it has none
// for. A new endpoint joins by its line; a test of the gateway holds them against its endpoints.
var operations = map[string]string{
	"/v1/chat/completions":      "chat",
	"/v1/responses":             "chat",
	"/v1/messages":              "chat",
	"/v1/completions":           "text_completion",
	"/v1/embeddings":            "embeddings",
	"/v1/messages/count_tokens": "count_tokens",
	"/v1/rerank":                "rerank",
}

// Operation is what the endpoint of a path does; "" for a path that is none.
func Operation(path string) string { return operations[path] }

// maxLinks bounds the requests that are remembered for the batches that will complete them.
const maxLinks = 8192

// Begin follows a request that came at start and whose record has begun, or could not. The context that it returns
// carries what the client sent of its trace, and the span of the request.
func (s *Set) Begin(ctx context.Context, r *http.Request, rec *audit.Record, start time.Time, recorded bool) context.Context {
	if carries(r.Header) {
		ctx = s.trace.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	if s.tracer == nil {
		return ctx
	}
	operation, model := Operation(rec.Endpoint), short(rec.Model)
	ctx, span := s.tracer.Start(ctx, nameOf(operation, model), trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(start))
	if !span.IsRecording() {
		return ctx
	}
	all := make([]attribute.KeyValue, 0, 12)
	all = append(all, text(keyOperation, operation), text(keyRequestID, rec.RequestID), text(keyPath, rec.Endpoint),
		text(keyMethod, r.Method), text(keyClient, rec.Client), attribute.Bool(keyStream, rec.Stream))
	if model != "" {
		all = append(all, text(keyRequestModel, model))
	}
	span.SetAttributes(withAddress(all, r.Host)...)
	if recorded && span.SpanContext().IsSampled() {
		s.remember(rec.ID, span.SpanContext())
	}
	return ctx
}

// carries says whether a client sent anything of a trace.
func carries(h http.Header) bool {
	return h["Traceparent"] != nil || h["Baggage"] != nil
}

// End tells how the request went that Begin returned ctx for.
func (s *Set) End(ctx context.Context, rec *audit.Record) {
	s.measure(ctx, rec)
	if s.tracer == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	all := make([]attribute.KeyValue, 0, 12)
	all = append(all, text(keyProviderName, providerName(rec)), text(keyBackend, string(rec.Backend)),
		text(keyProvider, rec.Provider), text(keyStatus, string(rec.Status)))
	if rec.ServedModel != "" {
		all = append(all, text(keyResponseModel, short(rec.ServedModel)))
	}
	all = withNumber(all, keyInputTokens, rec.PromptTokens)
	all = withNumber(all, keyOutputTokens, rec.CompletionTokens)
	all = withNumber(all, keyCachedTokens, rec.CachedTokens)
	all = withNumber(all, keyStatusCode, rec.HTTPStatus)
	if rec.TTFTMS != nil {
		all = append(all, attribute.Float64(keyFirstToken, *rec.TTFTMS/1000))
	}
	if rec.ErrorType != "" {
		all = append(all, text(keyErrorType, rec.ErrorType))
	}
	span.SetAttributes(all...)
	if rec.HTTPStatus != nil && *rec.HTTPStatus >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, rec.ErrorType) // what a client got wrong is no failure of the server
	}
	span.End()
}

// Send follows one attempt to have the request of ctx answered at an address. The headers go
// with it: the trace, for an upstream on this machine, and none for any other.
func (s *Set) Send(ctx context.Context, rec *audit.Record, to string) (context.Context, http.Header) {
	parent := trace.SpanFromContext(ctx)
	if !parent.SpanContext().IsValid() && baggage.FromContext(ctx).Len() == 0 {
		return ctx, nil // nothing is followed
	}
	u, err := url.Parse(to)
	if err != nil { // and so it will not be sent
		return ctx, nil
	}
	if parent.IsRecording() {
		operation, model := Operation(rec.Endpoint), short(rec.ServedModel)
		var span trace.Span
		ctx, span = s.tracer.Start(ctx, nameOf(operation, model), trace.WithSpanKind(trace.SpanKindClient))
		all := make([]attribute.KeyValue, 0, 10)
		all = append(all, text(keyOperation, operation), text(keyProviderName, providerName(rec)), text(keyRequestModel, model),
			text(keyMethod, http.MethodPost), text(keyBackend, string(rec.Backend)), text(keyProvider, rec.Provider),
			attribute.Int64(keyAttempt, rec.Attempts))
		span.SetAttributes(withAddress(all, u.Host)...)
	}
	if !loopback.Host(u.Hostname()) {
		return ctx, nil
	}
	h := http.Header{}
	s.trace.Inject(ctx, propagation.HeaderCarrier(h))
	return ctx, h
}

// Sent ends what Send began: with the status that the upstream answered with, 0 for none, and
// the kind of problem, "" for none.
func (s *Set) Sent(ctx context.Context, status int, problem string) {
	if s.tracer == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	if status != 0 {
		span.SetAttributes(attribute.Int(keyStatusCode, status))
	}
	if problem != "" {
		span.SetAttributes(text(keyErrorType, problem))
		span.SetStatus(codes.Error, problem)
	}
	span.End()
}

// providerName is whose way of answering it is, as the conventions call it.
func providerName(rec *audit.Record) string {
	switch {
	case rec.Backend != audit.Local:
		return strings.ToLower(string(rec.Backend))
	case rec.Provider != "":
		return rec.Provider
	}
	return "mlxbar"
}

// nameOf is a span's, as the conventions have it.
func nameOf(operation, model string) string { return strings.TrimSpace(operation + " " + model) }

func withNumber(all []attribute.KeyValue, key string, n *int64) []attribute.KeyValue {
	if n == nil {
		return all
	}
	return append(all, attribute.Int64(key, *n))
}

func withAddress(all []attribute.KeyValue, hostport string) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return append(all, text(keyServerAddress, short(strings.Trim(hostport, "[]"))))
	}
	all = append(all, text(keyServerAddress, short(host)))
	if n, err := strconv.Atoi(port); err == nil {
		all = append(all, attribute.Int(keyServerPort, n))
	}
	return all
}
