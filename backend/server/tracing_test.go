package server_test

import (
	"net/http"
	"strings"
	"testing"

	"mlxbar/backend/datadir"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/collector"
	"mlxbar/backend/testkit/upstream"
)

// spans waits for n spans of a kind and gives them.
func spans(t *testing.T, c *collector.Collector, kind string, n int) []collector.Span {
	t.Helper()
	var found []collector.Span
	eventually(t, "spans of the kind "+kind, func() bool {
		found = nil
		for _, s := range c.Spans("") {
			if s.Kind == kind && s.Name != "audit batch" {
				found = append(found, s)
			}
		}
		return len(found) >= n
	})
	if len(found) != n {
		t.Fatalf("%d spans of the kind %s: %+v", len(found), kind, found)
	}
	return found
}

// hold compares attributes; "" stands for one that must not be there, * for any value.
func hold(t *testing.T, s collector.Span, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got, there := s.Attributes[name]; got != value && (value != "*" || !there) {
			t.Errorf("%s of %s is %q, want %q", name, s.Name, got, value)
		}
	}
}

func port(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }

func TestARequestIsTraced(t *testing.T) {
	up := testkit.NewUpstream(t, upstream.Key(providerKey))
	h := newHouse(t, up.URL)
	c := h.tells()
	h.start()
	resp := h.chat("usage-3", true, header("User-Agent", "Tool/1.0 (secret)"))
	h.text(resp, 200)

	request, attempt := spans(t, c, "server", 1)[0], spans(t, c, "client", 1)[0]
	if request.Name != "chat usage-3" || request.Parent != "" || request.Failed {
		t.Errorf("the request's span is %+v", request)
	}
	hold(t, request, map[string]string{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "usage-3", "gen_ai.response.model": "usage-3",
		"gen_ai.usage.input_tokens": "11", "gen_ai.usage.output_tokens": "3", "gen_ai.usage.cache_read.input_tokens": "4",
		"server.address": "127.0.0.1", "server.port": port(h.url), "url.path": "/v1/chat/completions", "http.request.method": "POST",
		"http.response.status_code": "200", "error.type": "", "mlxbar.request_id": resp.Header.Get("X-Request-ID"),
		"mlxbar.backend": "OPENAI", "mlxbar.provider": "far", "mlxbar.status": "success", "mlxbar.stream": "true", "mlxbar.client": "Tool/1.0",
		"mlxbar.time_to_first_token": "*",
	})
	if attempt.Name != "chat usage-3" || attempt.Parent != request.ID || attempt.TraceID != request.TraceID || attempt.Failed {
		t.Errorf("the attempt's span is %+v, the request's %+v", attempt, request)
	}
	hold(t, attempt, map[string]string{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "usage-3", "server.address": "127.0.0.1",
		"server.port": port(strings.TrimSuffix(up.URL, "/v1")), "http.response.status_code": "200", "error.type": "", "mlxbar.attempt": "1", "mlxbar.provider": "far",
	})
	if request.StartNanos > attempt.StartNanos || request.EndNanos < attempt.EndNanos {
		t.Errorf("the attempt lasts from %d to %d, the request from %d to %d", attempt.StartNanos, attempt.EndNanos, request.StartNanos, request.EndNanos)
	}
	var batch collector.Span
	eventually(t, "the batch that completed it", func() bool {
		for _, s := range c.Spans("audit batch") {
			if len(s.Links) > 0 {
				batch = s
			}
		}
		return batch.ID != ""
	})
	if len(batch.Links) != 1 || batch.Links[0] != request.ID || batch.Parent != "" || batch.TraceID == request.TraceID || batch.Attributes["mlxbar.audit.records"] != "1" {
		t.Errorf("the batch's span is %+v", batch)
	}
}

func TestAFailureIsTracedWithItsKind(t *testing.T) {
	for _, c := range []struct {
		name, body         string
		stream             bool
		kind, status, from string // from: the status of the upstream, "" when it was not asked
		failed, attempted  bool
	}{
		{"an upstream that fails", `{"model": "status-500", "messages": [{"role": "user", "content": "x"}]}`, false, "upstream-failed", "502", "500", true, true},
		{"a stream that breaks off", `{"model": "cut", "stream": true, "messages": [{"role": "user", "content": "x"}]}`, true, "upstream-cut", "502", "200", true, true},
		{"no headers", `{"model": "cut-headers", "messages": [{"role": "user", "content": "x"}]}`, false, "upstream-cut", "502", "", true, true},
		{"a body that is no JSON", `{`, false, "invalid-json", "400", "", false, false},
		{"no model", `{"messages": [{"role": "user", "content": "x"}]}`, false, "invalid-request", "400", "", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, testkit.NewUpstream(t).URL)
			col := h.tells()
			h.start()
			h.drain(h.request("POST", "/v1/chat/completions", c.body))
			request := spans(t, col, "server", 1)[0]
			hold(t, request, map[string]string{"error.type": c.kind, "http.response.status_code": c.status, "gen_ai.operation.name": "chat", "mlxbar.status": "error"})
			if request.Failed != c.failed {
				t.Errorf("failed is %t", request.Failed)
			}
			if !c.attempted {
				spans(t, col, "client", 0)
				return
			}
			attempt := spans(t, col, "client", 1)[0]
			hold(t, attempt, map[string]string{"error.type": c.kind, "http.response.status_code": c.from})
			if !attempt.Failed || attempt.Parent != request.ID {
				t.Errorf("the attempt's span is %+v", attempt)
			}
		})
	}
}

const (
	theirTrace  = "0af7651916cd43dd8448eb211c80319c"
	theirSpan   = "b7ad6b7169203331"
	theirParent = "00-" + theirTrace + "-" + theirSpan + "-01"
)

func TestAClientsTraceIsContinued(t *testing.T) {
	up := testkit.NewUpstream(t)
	h := newHouse(t, up.URL)
	c := h.tells()
	h.start()
	h.text(h.chat("ok", false, header("traceparent", theirParent), header("tracestate", "vendor=1"), header("baggage", "user=somebody")), 200)
	request, attempt := spans(t, c, "server", 1)[0], spans(t, c, "client", 1)[0]
	if request.TraceID != theirTrace || request.Parent != theirSpan {
		t.Errorf("the request's span is %+v", request)
	}
	got := up.Requests()[0].Header
	if got.Get("Traceparent") != "00-"+theirTrace+"-"+attempt.ID+"-01" || got.Get("Tracestate") != "vendor=1" || got.Get("Baggage") != "user=somebody" {
		t.Errorf("the upstream of this machine was sent %v", got)
	}
	if strings.Contains(c.Text(), "somebody") {
		t.Error("the baggage was sent to the collector")
	}
	h.text(h.chat("ok", false, header("traceparent", strings.TrimSuffix(theirParent, "1")+"0")), 200)
	h.text(h.chat("ok-2", false), 200)
	for _, s := range spans(t, c, "server", 2) { // a client that asks for no trace gets none
		if s.Name == "chat ok-2" && (s.Parent != "" || s.TraceID == theirTrace) {
			t.Errorf("a trace of its own is %+v", s)
		}
	}
	if got := up.Requests()[1].Header.Get("Traceparent"); !strings.HasPrefix(got, "00-"+theirTrace) || !strings.HasSuffix(got, "-00") {
		t.Errorf("it goes on with %q", got)
	}
}

// As the specification of trace context has it, what cannot be read is as good as nothing.
func TestATraceThatIsNoneIsIgnored(t *testing.T) {
	up := testkit.NewUpstream(t)
	h := newHouse(t, up.URL)
	c := h.tells()
	h.start()
	for _, parent := range []string{
		"nonsense", "00-" + theirTrace, "ff-" + theirTrace + "-" + theirSpan + "-01", "00-" + strings.ToUpper(theirTrace) + "-" + theirSpan + "-01",
		"00-" + strings.Repeat("0", 32) + "-" + theirSpan + "-01", "00-" + theirTrace + "-" + strings.Repeat("0", 16) + "-01", theirParent + "-more",
		strings.Repeat("x", 10_000),
	} {
		h.text(h.chat("ok", false, header("traceparent", parent), header("tracestate", "vendor=1")), 200)
		got := up.Requests()[len(up.Requests())-1].Header
		if strings.Contains(got.Get("Traceparent"), theirTrace) || got.Get("Tracestate") != "" {
			t.Errorf("%q went on as %v", parent, got)
		}
	}
	for _, s := range spans(t, c, "server", 8) {
		if s.Parent != "" || s.TraceID == theirTrace {
			t.Errorf("it was continued: %+v", s)
		}
	}
}

// A provider elsewhere learns nothing of a trace. 0.0.0.0 is no loopback address, and leads to
// this machine all the same.
func TestATraceDoesNotLeaveTheMachine(t *testing.T) {
	for _, told := range []bool{true, false} {
		up := testkit.NewUpstream(t)
		h := newHouse(t, strings.Replace(up.URL, "127.0.0.1", "0.0.0.0", 1))
		h.writeSettings(strings.Replace(settingsFor(strings.Replace(up.URL, "127.0.0.1", "0.0.0.0", 1), ""), `, "api_key_env": "`+keyEnv+`"`, "", 1))
		h.opts.Getenv = environment()
		if told {
			h.tells()
		}
		h.start()
		h.text(h.chat("ok", false, header("traceparent", theirParent), header("tracestate", "vendor=1"), header("baggage", "user=somebody")), 200)
		for _, name := range []string{"Traceparent", "Tracestate", "Baggage"} {
			if got := up.Requests()[0].Header[name]; got != nil {
				t.Errorf("telemetry on: %t; it was sent %s %v", told, name, got)
			}
		}
	}
}

func TestWithoutTelemetryATraceGoesOnAsItCame(t *testing.T) {
	up := testkit.NewUpstream(t)
	h := newHouse(t, up.URL)
	h.opts.Getenv = environment()
	h.start()
	h.text(h.chat("ok", false, header("traceparent", theirParent), header("tracestate", "vendor=1"), header("baggage", "user=somebody")), 200)
	h.text(h.chat("ok", false), 200)
	if got := up.Requests()[0].Header; got.Get("Traceparent") != theirParent || got.Get("Tracestate") != "vendor=1" || got.Get("Baggage") != "user=somebody" {
		t.Errorf("the upstream was sent %v", got)
	}
	if got := up.Requests()[1].Header; got["Traceparent"] != nil {
		t.Errorf("a request without a trace got one: %v", got)
	}
}

// With the real engine: who causes a load sees it in the trace of the request.
func TestALoadIsPartOfTheRequestThatCausedIt(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.paths = datadir.At(testkit.Prepared(t))
	h.opts.DataDir = h.paths.Root
	c := h.tells()
	h.start()
	h.client.Timeout = 4 * testkit.Patience
	h.text(h.request("POST", "/v1/completions", `{"model": "`+models.StarterName+`", "prompt": "Hello", "max_tokens": 4}`), 200)
	request, attempt := spans(t, c, "server", 1)[0], spans(t, c, "client", 1)[0]
	var loads []collector.Span
	eventually(t, "the load", func() bool { loads = c.Spans("load " + models.StarterName); return len(loads) > 0 })
	load := loads[0]
	if load.Parent != request.ID || load.TraceID != request.TraceID || load.Kind != "internal" || load.Failed || load.EndNanos > attempt.StartNanos {
		t.Errorf("the load is %+v, the request %+v, the attempt %+v", load, request, attempt)
	}
	hold(t, load, map[string]string{"gen_ai.request.model": models.StarterName, "mlxbar.engine": "llamacpp", "mlxbar.result": "ready", "error.type": ""})
	hold(t, request, map[string]string{"gen_ai.operation.name": "text_completion", "gen_ai.provider.name": "llamacpp", "mlxbar.backend": "LOCAL", "gen_ai.usage.output_tokens": "4"})
	families := h.scraped()
	for _, name := range []string{"mlxbar_engine_memory_bytes", "mlxbar_engine_memory_used_bytes", "mlxbar_engine_memory_limit_bytes", "mlxbar_engine_in_flight", "mlxbar_engine_loads_total", "mlxbar_engine_load_duration_seconds"} {
		if families[name] == nil {
			t.Errorf("/metrics has no %s", name)
		}
	}
	if m := families["mlxbar_engine_memory_bytes"].GetMetric(); len(m) != 1 || m[0].GetGauge().GetValue() < 10<<20 {
		t.Errorf("the engine's memory is %v", m)
	}
}

// Spans and metrics name what was asked for, also of a request that does not even name a model.
func TestEveryEndpointHasItsOperation(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	c := h.tells()
	h.start()
	want := map[string]string{
		"/v1/chat/completions": "chat", "/v1/responses": "chat", "/v1/messages": "chat", "/v1/completions": "text_completion",
		"/v1/embeddings": "embeddings", "/v1/messages/count_tokens": "count_tokens", "/v1/rerank": "rerank",
	}
	count := map[string]float64{}
	for path, operation := range want {
		h.text(h.request("POST", path, "{"), http.StatusBadRequest)
		count[operation]++
	}
	for _, s := range spans(t, c, "server", len(want)) {
		path := s.Attributes["url.path"]
		if operation := s.Attributes["gen_ai.operation.name"]; operation != want[path] || s.Name != operation {
			t.Errorf("%s is traced as %q with the operation %q, want %q", path, s.Name, operation, want[path])
		}
	}
	f := h.scraped()
	for operation, times := range count {
		if n, _ := f.value("mlxbar_requests_total", "gen_ai_operation_name", operation); n != times {
			t.Errorf("/metrics counts %g of the operation %q, want %g", n, operation, times)
		}
	}
}
