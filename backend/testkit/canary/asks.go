package canary

import (
	"fmt"
	"strings"
)

// Ask is a request with words in all that a person may put into one.
type Ask struct {
	Method, Path, Body string
	Header             map[string]string
}

func (a Ask) String() string { return a.Method + " " + a.Path }

// endpoints are the paths that run a model, with a body that fills what they read. A word in
// capitals stands for a canary of its own, MODEL and STREAM for what they say.
var endpoints = []struct {
	path    string
	streams bool
	body    string
}{
	{"/v1/chat/completions", true, `{"model": MODEL, "stream": STREAM, "max_tokens": 8, "user": "USER", "messages": [
		{"role": "system", "content": "SYSTEM"}, {"role": "user", "content": "Repeat this: PROMPT"},
		{"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "note", "arguments": "{\"text\": \"TOOL\"}"}}]},
		{"role": "tool", "tool_call_id": "call_1", "content": "RESULT"}, {"role": "user", "content": [{"type": "text", "text": "PART"}]}],
		"tools": [{"type": "function", "function": {"name": "note", "description": "DESCRIPTION", "parameters": {"type": "object", "properties": {"PARAMETER": {"type": "string"}}}}}]}`},
	{"/v1/completions", true, `{"model": MODEL, "stream": STREAM, "max_tokens": 8, "prompt": "PROMPT", "suffix": "SUFFIX"}`},
	{"/v1/embeddings", false, `{"model": MODEL, "input": ["PROMPT", "INPUT"]}`},
	{"/v1/rerank", false, `{"model": MODEL, "query": "PROMPT", "documents": ["INPUT", "PART"]}`},
	{"/v1/responses", true, `{"model": MODEL, "stream": STREAM, "max_output_tokens": 8, "instructions": "SYSTEM", "user": "USER", "input": [{"role": "user", "content": "Repeat this: PROMPT"},
		{"type": "function_call", "call_id": "call_1", "name": "note", "arguments": "{\"text\": \"TOOL\"}"}, {"type": "function_call_output", "call_id": "call_1", "output": "RESULT"}],
		"tools": [{"type": "function", "name": "note", "strict": false, "description": "DESCRIPTION", "parameters": {"type": "object", "properties": {"PARAMETER": {"type": "string"}}}}]}`},
	{"/v1/messages", true, `{"model": MODEL, "stream": STREAM, "max_tokens": 8, "system": "SYSTEM", "metadata": {"user_id": "USER"}, "messages": [{"role": "user", "content": "Repeat this: PROMPT"},
		{"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "note", "input": {"text": "TOOL"}}]},
		{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "RESULT"}, {"type": "text", "text": "PART"}]}],
		"tools": [{"name": "note", "description": "DESCRIPTION", "input_schema": {"type": "object", "properties": {"PARAMETER": {"type": "string"}}}}]}`},
	{"/v1/messages/count_tokens", false, `{"model": MODEL, "messages": [{"role": "user", "content": "PROMPT"}]}`},
}

// Failures are the scripts of testkit/upstream that a provider goes through, right answers
// included. Their errors quote the request and its key, as those of careless servers do.
var Failures = []string{
	"ok", "usage", "timings", "tools", "crlf", "comments", "headers",
	"cut", "cut-headers", "cut-clean", "no-done", "malformed-json", "malformed-sse", "html", "empty", "error-event", "redirect",
	"status-400", "status-401", "status-403", "status-404", "status-422", "status-429", "status-500", "status-503", "no-such-script",
}

// refused are requests that are turned down before a model is looked for, or are none of a model's.
var refused = []struct{ method, path, body string }{
	{"POST", "/v1/chat/completions", `{"model": "any", "messages": "PROMPT"}`},
	{"POST", "/v1/chat/completions", `{"model": "any", "messages": [{"role": "PROMPT`},
	{"POST", "/v1/chat/completions", `{"model": "any", "max_tokens": "PROMPT", "messages": [{"role": "user"}]}`},
	{"POST", "/v1/chat/completions", `PROMPT`},
	{"POST", "/v1/chat/completions?key=QUERY", `{}`},
	{"POST", "/v1/embeddings", `{"model": "any", "input": {"PROMPT": 1}}`},
	{"PUT", "/v1/completions", `{"model": "any", "prompt": "PROMPT"}`},
	{"POST", "/v1/no/such/path?q=QUERY", `{"prompt": "PROMPT"}`},
	{"GET", "/v1/models?api_key=QUERY", ""},
	{"GET", "/api/status?QUERY=1", ""},
	{"GET", "/api/audit?limit=QUERY", ""},
	{"GET", "/api/ledger?from=QUERY", ""},
	{"POST", "/api/session", `{"token": "LOGIN"}`},
	{"POST", "/api/session", `{"token": ["LOGIN"], "LOGIN": 1}`},
	{"PATCH", "/api/settings", `{"api_key": "SETTING"}`},
	{"PATCH", "/api/settings", `{"providers": [{"name": "a", "kind": "openai", "base_url": "https://SETTING@h", "api_key_env": "SETTING"}]}`},
	{"GET", "/login?code=LOGIN", ""},
	{"PUT", "/api/providers/far/key", `{"key": "SETTING"}`}, // which takes its key from a variable
	{"PUT", "/api/providers/far/key", `{"key": "SETTING\n"}`},
	{"PUT", "/api/providers/far/key", `{"SETTING": ["SETTING"]}`},
	{"PUT", "/api/providers/SETTING/key", `{"key": "SETTING"}`},
	{"PUT", "/api/hub/token", `{"key": "SETTING and a blank"}`},
	{"PUT", "/api/hub/token", `{"SETTING": ["SETTING"]}`},
	{"POST", "/api/providers/SETTING/test", ""},
}

// purposes are the words in capitals.
var purposes = []string{"DESCRIPTION", "PARAMETER", "SETTING", "RESULT", "SYSTEM", "SUFFIX", "PROMPT", "INPUT", "LOGIN", "QUERY", "PART", "TOOL", "USER"}

func (w *Words) fill(text string, pairs ...string) string {
	for _, p := range purposes {
		pairs = append(pairs, p, w.Word(strings.ToLower(p)))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// header is what clients send beside a body. The state of a trace has no word in it: clients put
// it there for those who collect the trace, and so it reaches them.
func (w *Words) header() map[string]string {
	return map[string]string{
		"Content-Type": "application/json", "Authorization": "Bearer sk-" + w.Word("key"), "X-Api-Key": w.Word("key"),
		"User-Agent": "Tool/1.0 (" + w.Word("agent") + ")", "Cookie": "session=" + w.Word("cookie"), "Referer": "http://127.0.0.1/" + w.Word("referer"),
		"Anthropic-Beta": w.Word("beta"), "Openai-Organization": w.Word("organization"), "Baggage": "a=" + w.Word("baggage"), "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
}

// Asks are the requests to a model, at each endpoint, in one piece and streamed.
func (w *Words) Asks(model string) (asks []Ask) {
	for i, e := range endpoints {
		// A target that fails again and again is left alone, so each endpoint has one of its own: a script's pause tells them apart.
		model := strings.Replace(model, "=1ms", fmt.Sprintf("=%dms", i+1), 1)
		for _, stream := range []bool{false, true} {
			if stream && !e.streams {
				continue
			}
			body := w.fill(e.body, "MODEL", fmt.Sprintf("%q", model), "STREAM", fmt.Sprint(stream))
			asks = append(asks, Ask{"POST", e.path, body, w.header()})
		}
	}
	return asks
}

// Refused are requests that no model ever hears of.
func (w *Words) Refused() (asks []Ask) {
	for _, r := range refused {
		asks = append(asks, Ask{r.method, w.fill(r.path), w.fill(r.body), w.header()})
	}
	return asks
}
