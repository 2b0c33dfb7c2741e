package connect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/connect"
	"mlxbar/backend/gateway/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script answers a tool's request.
type script func(w http.ResponseWriter, r *http.Request)

// events answers with a stream.
func events(lines ...string) script {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range map[string]string{
			"Content-Type": "text/event-stream", "X-Request-Id": "req_1", "X-Mlxbar-Backend": "LOCAL", "X-Mlxbar-Provider": "llamacpp",
			"X-Mlxbar-Model": "served", "X-Mlxbar-Attempts": "1", "X-Mlxbar-Dropped": "cache_control, tools[3]",
		} {
			w.Header().Set(name, value)
		}
		for _, line := range lines {
			io.WriteString(w, "data: "+line+"\n\n")
		}
	}
}

// cut is events and then a broken connection.
func cut(lines ...string) script {
	return func(w http.ResponseWriter, r *http.Request) {
		events(lines...)(w, r)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// refusal answers with a problem, as the gateway does.
func refusal(kind problem.Kind, detail string) script {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "req_1")
		problem.Write(w, r, problem.New(kind, detail))
	}
}

func hangs(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// checker asks a server that answers by the script; its models are two.
func checker(t *testing.T, s script) *connect.Checker {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/models" {
			io.WriteString(w, `{"data": [{"id": "one"}, {"id": "two"}]}`)
			return
		}
		io.Copy(io.Discard, r.Body)
		s(w, r)
	}))
	client := server.Client()
	t.Cleanup(func() { client.CloseIdleConnections(); server.Close() })
	return &connect.Checker{URL: func() string { return server.URL }, Pass: "the-house", Version: "1", Client: client}
}

func find(t *testing.T, id string) connect.Tool {
	t.Helper()
	tool, ok := connect.Find(id)
	if !ok {
		t.Fatalf("no tool %s", id)
	}
	return tool
}

// What a right answer is, in each protocol: text, and a tool's call.
var (
	chatText = []string{`{"choices":[{"delta":{"role":"assistant","content":""}}]}`, `{"choices":[{"delta":{"content":"Hello"}}]}`,
		`{"choices":[{"delta":{},"finish_reason":"stop"}]}`, `{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}`, `[DONE]`}
	chatCall = []string{`{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"read_file","arguments":"{}"}}]}}],"usage":{"prompt_tokens":5,"completion_tokens":2}}`, `[DONE]`}
	msgText  = []string{`{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":0}}}`, `{"type":"content_block_start","content_block":{"type":"text"}}`,
		`{"type":"content_block_delta","delta":{"type":"text_delta","text":"Hello"}}`, `{"type":"message_delta","usage":{"output_tokens":2}}`, `{"type":"message_stop"}`}
	msgCall = []string{`{"type":"message_start","message":{"usage":{"input_tokens":0}}}`, `{"type":"content_block_start","content_block":{"type":"tool_use"}}`,
		`{"type":"message_delta","usage":{"input_tokens":5,"output_tokens":2}}`, `{"type":"message_stop"}`}
	respText = []string{`{"type":"response.created"}`, `{"type":"response.output_text.delta","delta":"Hello"}`,
		`{"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":2}}}`}
	respCall = []string{`{"type":"response.output_item.added","item":{"type":"function_call"}}`,
		`{"type":"response.incomplete","response":{"usage":{"input_tokens":5,"output_tokens":2}}}`}
)

func TestAWorkingTool(t *testing.T) {
	for _, c := range []struct {
		tool   string
		stream []string
		called *bool
	}{
		{"curl", chatText, nil}, {"aider", chatText, nil}, {"anthropic-python", msgText, nil},
		{"opencode", chatCall, ptr(true)}, {"zed", chatText, ptr(false)},
		{"claude-code", msgCall, ptr(true)}, {"claude-code", msgText, ptr(false)},
		{"codex", respCall, ptr(true)}, {"codex", respText, ptr(false)},
	} {
		t.Run(fmt.Sprint(c.tool, " ", c.called != nil && *c.called), func(t *testing.T) {
			r, err := checker(t, events(c.stream...)).Check(t.Context(), find(t, c.tool), "asked", "")
			if err != nil || !r.OK || r.Kind != "" || r.Advice != "" || r.Summary == "" {
				t.Fatalf("%+v, %v", r, err)
			}
			if r.RequestID != "req_1" || r.Backend != "LOCAL" || r.Provider != "llamacpp" || r.ServedModel != "served" || r.Attempts != 1 || len(r.Dropped) != 2 {
				t.Errorf("of who answered it tells %+v", r)
			}
			if r.TTFTMS == nil || *r.PromptTokens != 5 || *r.CompletionTokens != 2 {
				t.Errorf("of the answer it tells %+v", r)
			}
			if (r.ToolCalled == nil) != (c.called == nil) || c.called != nil && *r.ToolCalled != *c.called {
				t.Errorf("tool_called is %v", r.ToolCalled)
			}
			if noted := len(r.Notes) > 0; noted != (c.called != nil && !*c.called) {
				t.Errorf("notes %q", r.Notes)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestAToolThatCannotAsk(t *testing.T) {
	document := `{"type":"/problems/upstream-cut","title":"t","status":502,"detail":"Provider far broke its answer off.","error":{"message":"m"}}`
	for _, c := range []struct {
		name, tool string
		answers    script
		kind       problem.Kind
		says       string
		advises    string
	}{
		{"no such model", "codex", refusal(problem.ModelNotFound, "There is no model of this name."), problem.ModelNotFound, "There is no model asked. There are: one, two.", "Choose one"},
		{"a key is required", "curl", refusal(problem.InvalidKey, "The request has no API key."), problem.InvalidKey, "no API key", "mlxbar keys create"},
		{"the key is for others", "claude-code", refusal(problem.ModelNotAllowed, "The API key may not ask this model; it may ask: a."), problem.ModelNotAllowed, "may not ask", "the key"},
		{"used up", "curl", refusal(problem.RateLimited, "The API key has used up its limit."), problem.RateLimited, "used up", "limit"},
		{"it would leave the machine", "curl", refusal(problem.LocalOnly, "The route of this model leads away."), problem.LocalOnly, "leads away", "local_only"},
		{"circuit open", "claude-code", refusal(problem.CircuitOpen, "Every target is left alone."), problem.CircuitOpen, "left alone", "audit"},
		{"nothing listens there", "curl", refusal(problem.UpstreamUnreachable, "Provider far takes no connections."), problem.UpstreamUnreachable, "far", "address"},
		{"the provider's key", "curl", refusal(problem.UpstreamKey, "Provider far refused the key."), problem.UpstreamKey, "far", "key anew"},
		{"too long", "claude-code", refusal(problem.ContextExceeded, "The prompt is too long."), problem.ContextExceeded, "too long", "larger context"},
		{"not of its protocol", "codex", refusal(problem.UpstreamMalformed, "Provider far sent HTML."), problem.UpstreamMalformed, "HTML", "/v1"},
		{"no first token", "curl", refusal(problem.FirstToken, "No token came."), problem.FirstToken, "No token", "first_token"},
		{"a defect", "curl", refusal(problem.Internal, "Something went wrong inside mlxbar."), problem.Internal, "went wrong", "log"},

		{"a failure in mid-answer, of chat", "curl", cut(chatText[1], document), problem.UpstreamCut, "far broke", "log"},
		{"a failure in mid-answer, converted", "curl", cut(chatText[1], `{"error":{"message":"Provider far stalled.","type":"server_error","code":"timeout"}}`), problem.Timeout, "far stalled", "too slow"},
		{"a failure in mid-answer, of messages", "claude-code", cut(msgText[0], `{"type":"error","error":{"type":"api_error","message":"Provider far broke its answer off."}}`), "", "far broke", "audit"},
		{"a failure in mid-answer, of responses", "codex", cut(respText[0], `{"type":"response.failed","response":{"error":{"code":"server_error","message":"Provider far broke its answer off."}}}`), "", "far broke", "audit"},
		{"an error event of responses", "codex", cut(respText[0], `{"type":"error","code":"upstream_cut","message":"Provider far broke its answer off."}`), problem.UpstreamCut, "far broke", "log"},
		{"cut off", "curl", cut(chatText[1]), problem.UpstreamCut, "broke off", "log"},
		{"no end, of chat", "curl", events(chatText[:3]...), problem.UpstreamCut, "ended without", "log"},
		{"no end, of messages", "claude-code", events(msgText[:4]...), problem.UpstreamCut, "ended without", "log"},
		{"no end, of responses", "codex", events(respText[:2]...), problem.UpstreamCut, "ended without", "log"},
		{"no beginning, of messages", "claude-code", events(msgText[1:]...), problem.UpstreamMalformed, "did not begin", "protocol"},
		{"a page", "curl", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, problem.UpstreamCut, "broke off", "log"},
		{"an answer of another program", "curl", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, "", "418", "audit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := checker(t, c.answers).Check(t.Context(), find(t, c.tool), "asked", "")
			if err != nil || r.OK || r.Kind != string(c.kind) || !strings.Contains(r.Summary, c.says) || !strings.Contains(r.Advice, c.advises) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestACheckEnds(t *testing.T) {
	c := checker(t, hangs)
	c.Limit = 50 * time.Millisecond
	r, err := c.Check(t.Context(), find(t, "curl"), "asked", "")
	if err != nil || r.OK || r.Kind != string(problem.Timeout) || !strings.Contains(r.Summary, "0.05 seconds") {
		t.Errorf("over its time: %+v, %v", r, err)
	}
	left := errors.New("left")
	ctx, leave := context.WithCancelCause(t.Context())
	c = checker(t, func(w http.ResponseWriter, r *http.Request) { leave(left); hangs(w, r) })
	if r, err := c.Check(ctx, find(t, "curl"), "asked", ""); !errors.Is(err, left) {
		t.Errorf("when its client has left: %+v, %v", r, err)
	}
	c = checker(t, hangs)
	c.URL = func() string { return "http://127.0.0.1:1" }
	if r, err := c.Check(t.Context(), find(t, "curl"), "asked", ""); err != nil || r.OK || r.RequestID != "" || !strings.Contains(r.Summary, "own address") {
		t.Errorf("of a server that is not there: %+v, %v", r, err)
	}
}

func TestHowAToolAsks(t *testing.T) {
	for _, tool := range connect.Tools() {
		for key, bears := range map[string]string{"": "the-house", "sk-mlxbar-mine": "sk-mlxbar-mine"} {
			var got *http.Request
			c := checker(t, func(_ http.ResponseWriter, r *http.Request) { got = r })
			if _, err := c.Check(t.Context(), tool, "asked", key); err != nil {
				t.Fatal(err)
			}
			if got.Method != "POST" || got.Header.Get("Authorization") != "Bearer "+bears || got.UserAgent() != "mlxbar-check/1 ("+tool.ID+")" || got.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %s %v", tool.ID, got.Method, got.Header)
			}
			if speaks := strings.Contains(got.URL.Path, "/messages"); speaks != (got.Header.Get("Anthropic-Version") != "") {
				t.Errorf("%s: %s with %v", tool.ID, got.URL, got.Header)
			}
		}
	}
}
