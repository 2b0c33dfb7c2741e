package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

func TestAnAnswerComesBackAsItWas(t *testing.T) {
	for _, endpoint := range []struct{ path, body string }{
		{"/v1/chat/completions", chat("ok", false)},
		{"/v1/completions", `{"model":"ok","prompt":"canary-prompt"}`},
		{"/v1/embeddings", `{"model":"ok","input":["canary-prompt"]}`},
	} {
		t.Run(endpoint.path, func(t *testing.T) {
			h := newHouse(t, nil, upstream.Key("sk-engine"))
			resp := h.request("POST", endpoint.path, endpoint.body, header("User-Agent", "Zed/0.212 (linux)"))
			body := readBody(t, resp)
			if resp.StatusCode != http.StatusOK || !gjson.Get(body, "usage").Exists() {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			sent := h.upstream.Requests()
			if len(sent) != 1 || string(sent[0].Body) != endpoint.body || sent[0].Path != endpoint.path {
				t.Errorf("the upstream received %+v, want the body as it came", sent)
			}
			rec := h.only()
			if rec.Status != audit.Success || rec.Backend != audit.Local || rec.Provider != "llamacpp" || rec.Endpoint != endpoint.path ||
				rec.Model != "ok" || rec.ServedModel != "ok" || rec.Stream || rec.Client != "Zed/0.212" || rec.Attempts != 1 {
				t.Errorf("record %+v", rec)
			}
			if *rec.PromptTokens != gjson.Get(body, "usage.prompt_tokens").Int() || *rec.TotalTokens != gjson.Get(body, "usage.total_tokens").Int() {
				t.Errorf("tokens %d of %d, answer says %s", *rec.PromptTokens, *rec.TotalTokens, gjson.Get(body, "usage"))
			}
			if rec.RequestID != resp.Header.Get("X-Request-ID") || *rec.DurationMS <= 0 || *rec.HTTPStatus != 200 {
				t.Errorf("record %+v", rec)
			}
		})
	}
}

func TestAStreamComesBackEventByEvent(t *testing.T) {
	for _, model := range []string{"ok", "usage", "timings", "crlf", "split", "comments", "tools", "linger", "huge-event", "no-done"} {
		t.Run(model, func(t *testing.T) {
			h := newHouse(t, nil)
			resp := h.request("POST", "/v1/chat/completions", chat(model, true))
			data, err := readEvents(resp)
			if err != nil || len(data) < 2 {
				t.Fatalf("%d events, %v", len(data), err)
			}
			if last := data[len(data)-1]; model != "no-done" && last != "[DONE]" {
				t.Errorf("the last event is %q", last)
			}
			if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
				t.Errorf("Content-Type %q", got)
			}
			rec := h.only()
			if rec.Status != audit.Success || !rec.Stream || rec.TTFTMS == nil || *rec.TTFTMS > *rec.DurationMS {
				t.Errorf("record %+v", rec)
			}
			if model == "usage" || model == "timings" {
				if rec.PromptTokens == nil || rec.CompletionTokens == nil || *rec.TotalTokens != *rec.PromptTokens+*rec.CompletionTokens {
					t.Errorf("tokens are not in the record %+v", rec)
				}
			}
			if model == "timings" && (rec.PromptMS == nil || rec.GenerationMS == nil) {
				t.Errorf("timings are not in the record %+v", rec)
			}
		})
	}
}

// The first event must be at the client while the upstream still waits to send
// the rest.
func TestAStreamIsNotHeldBack(t *testing.T) {
	h := newHouse(t, nil)
	resp := h.request("POST", "/v1/chat/completions", chat("slow-idle=60s", true))
	first := make([]byte, 64)
	n, err := resp.Body.Read(first)
	if err != nil || !strings.HasPrefix(string(first[:n]), "data: ") {
		t.Fatalf("%q, %v", first[:n], err)
	}
	resp.Body.Close()
	testkit.Receive(t, h.upstream.Gone())
	if rec := h.only(); rec.Status != audit.Cancelled {
		t.Errorf("record %+v", rec)
	}
}

func TestARouteLeadsToItsProvider(t *testing.T) {
	h := newHouse(t, func(s *settings.Settings) {
		s.Routes = []settings.Route{{Model: "gpt-*", Targets: []settings.Target{{Provider: "far", Model: "ok-3"}}}}
	}, upstream.Key("sk-far"))
	resp := h.request("POST", "/v1/chat/completions", chat("gpt-4o", false), header("Authorization", "Bearer sk-client"), header("Cookie", "a=b"))
	if resp.StatusCode != http.StatusOK {
		t.Fatal(readBody(t, resp))
	}
	sent := h.upstream.Requests()[0]
	if sent.Model != "ok-3" || sent.Header.Get("Authorization") != "Bearer sk-far" || sent.Header.Get("Cookie") != "" {
		t.Errorf("the provider received %+v", sent)
	}
	rec := h.only()
	if rec.Backend != audit.OpenAI || rec.Provider != "far" || rec.Model != "gpt-4o" || rec.ServedModel != "ok-3" || *rec.TotalTokens == 0 {
		t.Errorf("record %+v", rec)
	}
}

// Failures before the first byte are answers of their own.
func TestFailuresOfAnUpstream(t *testing.T) {
	for model, want := range map[string]struct {
		kind   problem.Kind
		status int
	}{
		"status-400":     {problem.ContextExceeded, 400},
		"status-401":     {problem.UpstreamKey, 502},
		"status-403":     {problem.UpstreamKey, 502},
		"status-404":     {problem.ModelNotFound, 404},
		"status-429":     {problem.RateLimited, 429},
		"status-500":     {problem.UpstreamFailed, 502},
		"status-503":     {problem.UpstreamFailed, 502},
		"redirect":       {problem.UpstreamMalformed, 502},
		"malformed-json": {problem.UpstreamMalformed, 502},
		"html":           {problem.UpstreamMalformed, 502},
		"empty":          {problem.UpstreamMalformed, 502},
		"error-event":    {problem.UpstreamFailed, 502},
		"cut-headers":    {problem.UpstreamCut, 502},
		"cut":            {problem.UpstreamCut, 502},
	} {
		t.Run(model, func(t *testing.T) {
			h := newHouse(t, nil)
			resp := h.request("POST", "/v1/chat/completions", chat(model, false))
			doc := readProblem(t, resp)
			if resp.StatusCode != want.status || doc.Type != "/problems/"+string(want.kind) {
				t.Errorf("got %d %s (%s), want %d %s", resp.StatusCode, doc.Type, doc.Detail, want.status, want.kind)
			}
			if want.kind == problem.RateLimited && resp.Header.Get("Retry-After") == "" {
				t.Error("Retry-After was not passed on")
			}
			rec := h.only()
			if rec.Status != audit.Failed || rec.ErrorType != string(want.kind) || rec.TotalTokens != nil {
				t.Errorf("record %+v", rec)
			}
			h.noCanary(doc)
		})
	}
}

// noCanary searches what may be kept or shown for the prompt and the keys, which
// the upstream's errors quote.
func (h *house) noCanary(doc problem.Document) {
	h.t.Helper()
	for what, text := range map[string]string{"log": h.log.String(), "detail": doc.Detail} {
		for _, canary := range []string{"canary-prompt", "sk-engine", "sk-far"} {
			if strings.Contains(text, canary) {
				h.t.Errorf("the %s holds %q: %s", what, canary, text)
			}
		}
	}
}

// Failures after the first byte are an event of the stream and a cut connection,
// never a clean end.
func TestFailuresInMidStream(t *testing.T) {
	for model, want := range map[string]problem.Kind{
		"cut":            problem.UpstreamCut,
		"cut-clean":      problem.UpstreamCut,
		"error-event":    problem.UpstreamFailed,
		"malformed-json": problem.UpstreamMalformed,
	} {
		t.Run(model, func(t *testing.T) {
			h := newHouse(t, nil)
			resp := h.request("POST", "/v1/chat/completions", chat(model, true))
			data, err := readEvents(resp)
			if resp.StatusCode != http.StatusOK || len(data) < 2 {
				t.Fatalf("%d with %q", resp.StatusCode, data)
			}
			if err == nil {
				t.Error("the stream ended cleanly")
			}
			doc := parseProblem(t, data[len(data)-1])
			if doc.Type != "/problems/"+string(want) || doc.Error == nil || doc.RequestID != resp.Header.Get("X-Request-ID") {
				t.Errorf("error event %+v, want %s", doc, want)
			}
			rec := h.only()
			if rec.Status != audit.Failed || rec.ErrorType != string(want) || rec.TotalTokens != nil || rec.CompletionTokens != nil {
				t.Errorf("record %+v", rec)
			}
			h.noCanary(doc)
		})
	}
}

func TestAStreamThatFailsBeforeItsFirstEventIsAPlainError(t *testing.T) {
	h := newHouse(t, nil)
	resp := h.request("POST", "/v1/chat/completions", chat("malformed-sse", true))
	if doc := readProblem(t, resp); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("%d %+v", resp.StatusCode, doc)
	}
}

func TestABodyThatDoesNotComeIsATimeoutAndItsConnectionServesNoOther(t *testing.T) {
	h := newHouse(t, func(s *settings.Settings) { s.Timeouts.Chat = settings.Duration(150 * time.Millisecond) })
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", conn.RemoteAddr())
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := readProblem(t, resp); d.Type != "/problems/timeout" || !strings.Contains(d.Detail, "body") || !resp.Close {
		t.Errorf("%+v, Connection: close is %v", d, resp.Close)
	}
	if rec := h.only(); rec.Status != audit.TimedOut {
		t.Errorf("record %+v", rec)
	}
}

func TestTimeouts(t *testing.T) {
	const idle, long = settings.Duration(150 * time.Millisecond), settings.Duration(time.Minute)
	const begin = settings.Duration(2 * time.Second) // also on a busy machine the request has reached the upstream by then
	for name, c := range map[string]struct {
		limit  func(*settings.Timeouts)
		model  string
		stream bool
		says   string
	}{
		"total":                  {func(l *settings.Timeouts) { l.Chat = begin }, "hang", false, "timeouts.chat"},
		"total, streamed":        {func(l *settings.Timeouts) { l.Chat = begin }, "slow-idle=60s", true, "timeouts.chat"},
		"first token":            {func(l *settings.Timeouts) { l.FirstToken = begin }, "slow-first=60s", true, "timeouts.first_token"},
		"first token, no header": {func(l *settings.Timeouts) { l.FirstToken = begin }, "slow-headers=60s", true, "timeouts.first_token"},
		"first token, role only": {func(l *settings.Timeouts) { l.FirstToken = begin }, "slow-content=60s", true, "timeouts.first_token"},
		"idle":                   {func(l *settings.Timeouts) { l.Idle = idle }, "slow-idle=60s", true, "timeouts.idle"},
	} {
		for _, where := range []string{"", "far/"} {
			t.Run(name+" "+where, func(t *testing.T) {
				h := newHouse(t, func(s *settings.Settings) {
					s.Timeouts = settings.Timeouts{Chat: long, Completions: long, Embeddings: long, Connect: long, FirstToken: long, Idle: long}
					c.limit(&s.Timeouts)
					s.Routes[0].Targets[0].Model = c.model
				})
				resp := h.request("POST", "/v1/chat/completions", chat(where+c.model, c.stream))
				var doc problem.Document
				if resp.StatusCode == http.StatusOK {
					data, err := readEvents(resp)
					if err == nil {
						t.Error("the stream ended cleanly")
					}
					doc = parseProblem(t, data[len(data)-1])
				} else {
					doc = readProblem(t, resp)
				}
				want := "/problems/timeout"
				if c.says == "timeouts.first_token" {
					want = "/problems/first-token-timeout"
				}
				if doc.Type != want || doc.Status != http.StatusGatewayTimeout || !strings.Contains(doc.Detail, c.says) {
					t.Errorf("%+v, want a timeout that names %s", doc, c.says)
				}
				if gone := testkit.Receive(t, h.upstream.Gone()); gone.Model != c.model {
					t.Errorf("the upstream lost %q", gone.Model)
				}
				if rec := h.only(); rec.Status != audit.TimedOut || *rec.HTTPStatus != 504 || rec.TotalTokens != nil {
					t.Errorf("record %+v", rec)
				}
			})
		}
	}
}

func TestAClientThatLeavesEndsItsRequest(t *testing.T) {
	for name, c := range map[string]struct {
		model  string
		stream bool
	}{"waiting": {"hang", false}, "before the stream": {"slow-first=60s", true}} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			ctx, leave := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, "POST", h.url+"/v1/chat/completions", strings.NewReader(chat(c.model, c.stream)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			ended := make(chan error, 1)
			go func() {
				_, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
				ended <- err
			}()
			waitFor(t, "the upstream has the request", func() bool { return len(h.upstream.Requests()) == 1 })
			leave()
			if err := testkit.Receive(t, ended); !errors.Is(err, context.Canceled) {
				t.Fatalf("there was an answer, or none for another reason: %v", err)
			}
			testkit.Receive(t, h.upstream.Gone())
			if rec := h.only(); rec.Status != audit.Cancelled || *rec.HTTPStatus != 499 || rec.ErrorType != string(problem.Cancelled) {
				t.Errorf("record %+v", rec)
			}
		})
	}
}

func TestAShutdownEndsAStreamWithAnError(t *testing.T) {
	h := newHouse(t, nil)
	resp := h.request("POST", "/v1/chat/completions", chat("slow-idle=60s", true))
	resp.Body.Read(make([]byte, 1))
	h.base(problem.New(problem.ShuttingDown, "The server is stopping."))
	data, err := readEvents(resp)
	if err == nil {
		t.Error("the stream ended cleanly")
	}
	if doc := parseProblem(t, data[len(data)-1]); doc.Type != "/problems/shutting-down" {
		t.Errorf("%+v", doc)
	}
	if rec := h.only(); rec.Status != audit.Interrupted {
		t.Errorf("record %+v", rec)
	}
}

func TestAProviderWithoutItsKey(t *testing.T) {
	h := newHouse(t, nil)
	delete(h.env, "FAR_KEY")
	resp := h.request("POST", "/v1/chat/completions", chat("far/ok", false))
	if doc := readProblem(t, resp); doc.Type != "/problems/upstream-key" || !strings.Contains(doc.Detail, "FAR_KEY") {
		t.Errorf("%+v", doc)
	}
	if n := len(h.upstream.Requests()); n != 0 {
		t.Errorf("%d requests went out", n)
	}
}
