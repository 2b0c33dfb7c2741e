package e2e

import (
	"slices"
	"strings"
	"testing"

	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

// checkFar holds a record to the provider.
func checkFar(t *testing.T, r audit.Record, model string) {
	t.Helper()
	if r.Backend != audit.OpenAI || r.Provider != "far" || r.Model != model || r.ServedModel != model || !strings.HasPrefix(r.Client, "OpenAI/Python ") {
		t.Errorf("record %+v, want provider far", r)
	}
}

func (h *house) asks(model string, stream bool) call {
	return call{Do: "chat.completions.create", With: with{"model": model, "messages": h.secrets.messages(), "stream": stream}}
}

func TestTheOfficialClientIsAnsweredByAProvider(t *testing.T) {
	h := newHouse(t)
	c := h.client()
	for _, stream := range []bool{false, true} {
		o := c.do(h.asks("usage=1ms", stream))
		// The record has the usage of a stream in any case, its client only when it asks.
		if o.Error != nil || !strings.Contains(o.Text, "almonds") || o.FinishReason != "stop" || stream != (o.Usage == nil) {
			t.Fatalf("streamed %v: %+v", stream, o)
		}
		r := h.record(o.RequestID)
		if stream {
			o.Usage = &usage{upstream.PromptTokens, 8, upstream.PromptTokens + 8}
		}
		checkFar(t, r, "usage=1ms")
		checkSuccess(t, r, o, "/v1/chat/completions", stream)
	}
	for _, sent := range h.upstream.Requests() {
		if got := sent.Header.Get("Authorization"); got != "Bearer "+h.secrets.providerKey {
			t.Errorf("the provider received the key %q", got)
		}
	}
}

// A failure before the first byte is an exception of its status.
func TestTheOfficialClientRaisesWhatAProviderDoesWrong(t *testing.T) {
	h := newHouse(t)
	c := h.client()
	const server = "InternalServerError"
	for _, test := range []struct {
		model, class string
		status       int
		kind         problem.Kind
		stream       bool
	}{
		{"status-400=1s", "BadRequestError", 400, problem.ContextExceeded, false},
		{"status-401=1s", server, 502, problem.UpstreamKey, false},
		{"status-403=1s", server, 502, problem.UpstreamKey, false},
		{"status-404=1s", "NotFoundError", 404, problem.ModelNotFound, false},
		{"status-422=1s", "UnprocessableEntityError", 422, problem.UpstreamRefused, false},
		{"status-429=1s", "RateLimitError", 429, problem.RateLimited, false},
		{"status-500=1s", server, 502, problem.UpstreamFailed, false},
		{"status-503=1s", server, 502, problem.UpstreamFailed, false},
		{"error-event=1ms", server, 502, problem.UpstreamFailed, false},
		{"redirect=1ms", server, 502, problem.UpstreamMalformed, false},
		{"html=1ms", server, 502, problem.UpstreamMalformed, false},
		{"empty=1ms", server, 502, problem.UpstreamMalformed, false},
		{"malformed-json=1ms", server, 502, problem.UpstreamMalformed, false},
		{"cut=1ms", server, 502, problem.UpstreamCut, false},
		{"cut-headers=1ms", server, 502, problem.UpstreamCut, false},
		{"status-429=2s", "RateLimitError", 429, problem.RateLimited, true},
		{"html=2ms", server, 502, problem.UpstreamMalformed, true},
		{"empty=2ms", server, 502, problem.UpstreamCut, true},
		{"malformed-sse=2ms", server, 502, problem.UpstreamCut, true},
		{"cut-headers=2ms", server, 502, problem.UpstreamCut, true},
	} {
		t.Run(test.model, func(t *testing.T) {
			o := c.do(h.asks(test.model, test.stream))
			if o.class() != test.class || o.Error.Status != test.status || !slices.Contains(o.Error.Kinds, "APIStatusError") {
				t.Fatalf("%+v", o)
			}
			if test.kind == problem.RateLimited && o.Error.RetryAfter == "" {
				t.Errorf("Retry-After %q", o.Error.RetryAfter)
			}
			h.checkFailure(t, o, test.model, test.kind, test.status)
		})
	}
}

// checkFailure holds the record to a failure, and what the client read to our own words.
func (h *house) checkFailure(t *testing.T, o outcome, model string, kind problem.Kind, status int) {
	t.Helper()
	for _, word := range []string{h.secrets.prompt, h.secrets.tool, h.secrets.providerKey} {
		if strings.Contains(o.Error.Message, word) {
			t.Errorf("the message quotes the upstream: %s", o.Error.Message)
		}
	}
	want := audit.Failed
	if kind == problem.Timeout || kind == problem.FirstToken {
		want = audit.TimedOut
	}
	r := h.record(o.id())
	checkFar(t, r, model)
	if r.Status != want || figure(r.HTTPStatus) != any(int64(status)) || r.ErrorType != string(kind) || r.TotalTokens != nil || r.CompletionTokens != nil {
		t.Errorf("record %+v, want %s", r, kind)
	}
}

// A failure after the first byte is raised out of the loop over the stream.
func TestTheOfficialClientRaisesWhatBreaksInMidStream(t *testing.T) {
	h := newHouse(t)
	c := h.client()
	for model, kind := range map[string]problem.Kind{
		"cut=1ms":            problem.UpstreamCut,
		"cut-clean=1ms":      problem.UpstreamCut,
		"error-event=1ms":    problem.UpstreamFailed,
		"malformed-json=1ms": problem.UpstreamMalformed,
	} {
		t.Run(model, func(t *testing.T) {
			o := c.do(h.asks(model, true))
			if o.class() != "APIError" || o.Tokens == 0 || o.FinishReason != "" || o.Error.Code != strings.ReplaceAll(string(kind), "-", "_") {
				t.Fatalf("%+v", o)
			}
			h.checkFailure(t, o, model, kind, 502)
		})
	}
}

func TestTheOfficialClientTriesAgainWhenAProviderLimitsIt(t *testing.T) {
	h := newHouse(t)
	what := h.asks("status-429=1s", false)
	what.Retries = 1
	o := h.client().do(what)
	if o.class() != "RateLimitError" || o.Error.Code != "rate_limit_exceeded" || o.Error.Type != "rate_limit_error" {
		t.Fatalf("%+v", o)
	}
	if n := len(h.upstream.Requests()); n != 6 { // each of the client's two is tried again twice when the provider says
		t.Errorf("the provider received %d requests, want the first and one more, three times each", n)
	}
	h.record(o.Error.RequestID)
	if all := h.records(); len(all) != 2 || all[0].RequestID == all[1].RequestID || all[1].ErrorType != string(problem.RateLimited) {
		t.Errorf("records %+v", all)
	}
}

// Limits that are set while the server runs hold for the next request.
func TestTheOfficialClientIsToldOfTimeouts(t *testing.T) {
	h := newHouse(t)
	c := h.client()

	h.api("PATCH", "/api/settings", `{"timeouts":{"first_token":"3s"}}`, nil) // by then the provider has the request, on a busy machine too
	o := c.do(h.asks("slow-first=60s", true))
	if o.class() != "InternalServerError" || o.Error.Status != 504 || !strings.Contains(o.Error.Message, "timeouts.first_token") {
		t.Fatalf("%+v", o)
	}
	h.checkFailure(t, o, "slow-first=60s", problem.FirstToken, 504)
	testkit.Receive(t, h.upstream.Gone())

	h.api("PATCH", "/api/settings", `{"timeouts":{"first_token":"1m","idle":"1s"}}`, nil)
	o = c.do(h.asks("slow-idle=60s", true))
	if o.class() != "APIError" || o.Tokens == 0 || o.Error.Code != "timeout" || !strings.Contains(o.Error.Message, "timeouts.idle") {
		t.Fatalf("%+v", o)
	}
	h.checkFailure(t, o, "slow-idle=60s", problem.Timeout, 504)
	testkit.Receive(t, h.upstream.Gone())
}

func TestAClientThatGivesUpEndsTheProvidersWork(t *testing.T) {
	for name, test := range map[string]struct {
		call  call
		class string
	}{
		"its own time is over": {call{With: with{"model": "hang=60s"}, Timeout: 3}, "APITimeoutError"},
		"it closes the stream": {call{With: with{"model": "slow-idle=60s", "stream": true}, CloseAfter: 1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			test.call.Do, test.call.With["messages"] = "chat.completions.create", h.secrets.messages()
			if o := h.client().do(test.call); o.class() != test.class {
				t.Fatalf("%+v", o)
			}
			testkit.Receive(t, h.upstream.Gone())
			r := h.only()
			checkFar(t, r, test.call.With["model"].(string))
			if r.Status != audit.Cancelled || figure(r.HTTPStatus) != any(int64(499)) || r.ErrorType != string(problem.Cancelled) || r.TotalTokens != nil {
				t.Errorf("record %+v", r)
			}
		})
	}
}
