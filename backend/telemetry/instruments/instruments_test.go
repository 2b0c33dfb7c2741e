package instruments

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"mlxbar/backend/audit"
	"mlxbar/backend/engine"
)

// set makes instruments that a test can read.
func set(t *testing.T) (*Set, *sdkmetric.ManualReader, *tracetest.InMemoryExporter) {
	t.Helper()
	reader, spans := sdkmetric.NewManualReader(), tracetest.NewInMemoryExporter()
	s, err := New(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("test"), sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test"))
	if err != nil {
		t.Fatal(err)
	}
	return s, reader, spans
}

// points are the attribute sets of a counter, and how much it counted for each.
func points(t *testing.T, reader *sdkmetric.ManualReader, name string) map[attribute.Set]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	found := map[attribute.Set]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == name {
				for _, p := range sum.DataPoints {
					found[p.Attributes] += p.Value
				}
			}
		}
	}
	return found
}

func models(t *testing.T, reader *sdkmetric.ManualReader) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	for attributes, n := range points(t, reader, "mlxbar.requests") {
		model, _ := attributes.Value("gen_ai.request.model")
		found[model.AsString()] += n
	}
	return found
}

func record(model string, status audit.Status) *audit.Record {
	rec := &audit.Record{ID: 1, Endpoint: "/v1/chat/completions", Model: model, ServedModel: model, Backend: audit.OpenAI, Provider: "far", Status: status}
	if status != audit.Success {
		rec.ErrorType = "upstream-refused"
	}
	return rec
}

// A client may make up as many names as it likes: none that nobody answers for becomes a series,
// and of the others there is a bound.
func TestMadeUpModelsMakeNoSeries(t *testing.T) {
	s, reader, _ := set(t)
	for i := range 3000 {
		s.End(t.Context(), record(fmt.Sprint("made-up-", i), audit.Failed))
	}
	if got := models(t, reader); len(got) != 1 || got["_other"] != 3000 {
		t.Errorf("the models are %v", got)
	}
	for i := range 3000 {
		s.End(t.Context(), record(fmt.Sprint("answered-", i), audit.Success))
	}
	s.End(t.Context(), record("answered-0", audit.Failed)) // known by now
	got := models(t, reader)
	if len(got) != maxLearned+1 || got["answered-0"] != 2 || got["_other"] != 6000-maxLearned {
		t.Errorf("%d models, answered-0 %d times, others %d times", len(got), got["answered-0"], got["_other"])
	}
	if len(s.series) > maxSeries || len(s.learned) != maxLearned {
		t.Errorf("%d series and %d names are kept", len(s.series), len(s.learned))
	}
}

func TestALocalModelIsKnownOnceAnEngineHasIt(t *testing.T) {
	s, reader, _ := set(t)
	for _, rec := range []*audit.Record{
		{Endpoint: "/v1/embeddings", Backend: audit.Local, Model: "Small", ServedModel: "small", Provider: "llamacpp", Status: audit.Failed, ErrorType: "engine-unavailable"},
		{Endpoint: "/v1/embeddings", Backend: audit.Local, Model: "nobody-has-it", Status: audit.Failed, ErrorType: "model-not-found"},
		{Endpoint: "/v1/embeddings", Backend: audit.Local, Status: audit.Failed, ErrorType: "invalid-json"},
	} {
		s.End(t.Context(), rec)
	}
	if got := models(t, reader); len(got) != 2 || got["small"] != 1 || got["_other"] != 2 {
		t.Errorf("the models are %v", got)
	}
}

func TestNamesAreBoundedAndText(t *testing.T) {
	s, _, spans := set(t)
	for _, model := range []string{strings.Repeat("long", 100), "no \xff text", strings.Repeat("é", 100)} {
		rec := record(model, audit.Success)
		ctx := s.Begin(t.Context(), httptest.NewRequest("POST", "http://localhost/v1/chat/completions?key=secret", nil), rec, time.Now(), true)
		tried, _ := s.Send(ctx, rec, "https://example.com/v1/chat/completions")
		s.Sent(tried, 200, "")
		s.End(ctx, rec)
	}
	for _, span := range spans.GetSpans() {
		if len(span.Name) > len("chat ")+maxModel || strings.ToValidUTF8(span.Name, "") != span.Name {
			t.Errorf("a span is called %q", span.Name)
		}
		for _, a := range span.Attributes {
			if text := a.Value.String(); len(text) > maxModel || strings.ToValidUTF8(text, "") != text || strings.Contains(text, "secret") {
				t.Errorf("%s is %q", a.Key, text)
			}
		}
	}
}

// What stands in the documentation is what is sent: no attribute more, and none less.
func TestSpansHaveTheAttributesThatAreDeclared(t *testing.T) {
	s, _, exported := set(t)
	n, ttft := int64(3), 1.5
	status := int64(502)
	whole := &audit.Record{ID: 1, RequestID: "r", Endpoint: "/v1/chat/completions", Model: "m", ServedModel: "n", Backend: audit.OpenAI, Provider: "far", Stream: true,
		Client: "Tool/1", Attempts: 1, Status: audit.Failed, ErrorType: "upstream-cut", HTTPStatus: &status, PromptTokens: &n, CompletionTokens: &n, CachedTokens: &n, TTFTMS: &ttft}
	ctx := s.Begin(t.Context(), httptest.NewRequest("POST", "http://127.0.0.1:10242/v1/chat/completions", nil), whole, time.Now(), true)
	tried, _ := s.Send(ctx, whole, "http://127.0.0.1:8000/v1/chat/completions")
	s.Sent(tried, 200, "upstream-cut")
	s.End(ctx, whole)
	s.Loading(ctx, "m", "llamacpp")(&engine.LoadError{})
	s.Written(audit.Batch{Records: 2, Err: context.Canceled, Completed: slices.Values([]int64{1})})
	kinds := map[string]tracetest.SpanStub{}
	for _, span := range exported.GetSpans() {
		name, _, _ := strings.Cut(span.Name, " ")
		kinds[name+" "+span.SpanKind.String()] = span
	}
	for _, declared := range Spans() {
		name, _, _ := strings.Cut(strings.Replace(declared.Name, "{operation}", "chat", 1), " ")
		span, ok := kinds[name+" "+declared.Kind]
		if !ok {
			t.Errorf("there is no span %s", declared.Name)
			continue
		}
		var got []string
		for _, a := range span.Attributes {
			got = append(got, string(a.Key))
		}
		want := slices.Sorted(slices.Values(declared.Attributes))
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s (%s) has\n%v, and is to have\n%v", declared.Name, declared.Kind, got, want)
		}
	}
}

func TestABatchIsLinkedToTheRequestsThatItCompletes(t *testing.T) {
	s, _, spans := set(t)
	for id := range int64(maxLinks + 10) {
		rec := record("m", audit.Success)
		rec.ID = id
		s.Begin(t.Context(), httptest.NewRequest("POST", "/", nil), rec, time.Now(), true)
	}
	if len(s.links) != maxLinks {
		t.Errorf("%d spans are remembered", len(s.links))
	}
	written := func(err error, ids ...int64) int {
		spans.Reset()
		s.Written(audit.Batch{Records: len(ids), Err: err, Completed: slices.Values(ids)})
		return len(spans.GetSpans()[0].Links)
	}
	if n := written(context.DeadlineExceeded, 1, 2); n != 2 || len(s.links) != maxLinks {
		t.Errorf("a batch that failed has %d links; %d are kept", n, len(s.links))
	}
	if n := written(nil, 1, 2, maxLinks+5); n != 2 || len(s.links) != maxLinks-2 {
		t.Errorf("it has %d links; %d are kept", n, len(s.links))
	}
	var many []int64
	for id := range int64(1000) {
		many = append(many, id)
	}
	if n := written(nil, many...); n != linksPerBatch || len(s.links) != maxLinks-1000 {
		t.Errorf("it has %d links; %d are kept", n, len(s.links))
	}
}

// Nobody listens: nothing is kept and nothing is made but the context.
func TestWithoutATracerNothingIsFollowed(t *testing.T) {
	s, err := New(nil, sdkmetric.NewMeterProvider().Meter("test"))
	if err != nil {
		t.Fatal(err)
	}
	rec, r := record("m", audit.Success), httptest.NewRequest(http.MethodPost, "/", nil)
	ctx := s.Begin(t.Context(), r, rec, time.Now(), true)
	tried, headers := s.Send(ctx, rec, "http://127.0.0.1:1")
	if ctx != t.Context() || tried != ctx || headers != nil || len(s.links) != 0 {
		t.Error("something was followed")
	}
	allocations := testing.AllocsPerRun(100, func() {
		ctx := s.Begin(t.Context(), r, rec, time.Time{}, true)
		tried, _ := s.Send(ctx, rec, "http://127.0.0.1:1")
		s.Sent(tried, 200, "")
		s.End(ctx, rec)
	})
	if allocations > 0 {
		t.Errorf("%g allocations for a request that nobody follows", allocations)
	}
}

func BenchmarkRequest(b *testing.B) {
	n, ttft, took, status := int64(8), 1.5, 4.5, int64(200)
	for name, tracer := range map[string]bool{"metrics": false, "traces": true} {
		b.Run(name, func(b *testing.B) {
			meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())).Meter("test")
			s, err := New(nil, meter)
			if err != nil {
				b.Fatal(err)
			}
			if tracer {
				s.tracer = sdktrace.NewTracerProvider(sdktrace.WithBatcher(tracetest.NewNoopExporter())).Tracer("test")
			}
			rec := record("m", audit.Success)
			rec.PromptTokens, rec.CompletionTokens, rec.TTFTMS, rec.DurationMS, rec.HTTPStatus = &n, &n, &ttft, &took, &status
			r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:10242/v1/chat/completions", nil)
			b.ReportAllocs()
			for b.Loop() {
				ctx := s.Begin(b.Context(), r, rec, time.Now(), false)
				tried, _ := s.Send(ctx, rec, "http://127.0.0.1:1/v1/chat/completions")
				s.Sent(tried, 200, "")
				s.End(ctx, rec)
			}
		})
	}
}
