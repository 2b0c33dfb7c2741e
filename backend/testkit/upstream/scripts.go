package upstream

import (
	"bytes"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"
)

type script struct {
	about string
	n     int // default of -n; 0 takes the server's chunks
	run   func(*exchange)
	model string // how the list writes it when it needs a number
}

// A Description tells what a script does.
type Description struct {
	Model string // the model name that chooses it
	About string
}

// Scripts lists every script by name.
func Scripts() []Description {
	var out []Description
	for name, s := range scripts {
		if s.model != "" {
			name = s.model
		}
		out = append(out, Description{name, s.about})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Model < out[j].Model })
	return out
}

// scripts is every script by the name that chooses it.
var scripts = map[string]script{
	"ok":       {about: "a right answer of -n tokens; =delay pauses between them", run: ok},
	"usage":    {about: "as ok, with a usage chunk even when it was not asked for", run: usageAlways},
	"timings":  {about: "as ok, with llama.cpp's timings at the end", run: timings},
	"clock":    {about: "as ok, each token tells when it was sent, as " + ClockMark + " and nanoseconds since 1970", run: clock},
	"tools":    {about: "calls a tool instead of answering", run: toolCall},
	"crlf":     {about: "as ok, lines end in CRLF", run: crlf},
	"split":    {about: "as ok, flushed byte by byte", n: 3, run: split},
	"comments": {about: "as ok, with comments and pings between events", run: comments},
	"linger":   {about: "as ok, but the connection stays open for a while after [DONE]", run: linger},
	"headers":  {about: "as ok, with headers that a gateway must not pass on", run: headers},

	"slow-headers": {about: "waits before the headers", run: slowHeaders},
	"slow-first":   {about: "sends the headers and waits before the first event", run: slowFirst},
	"slow-content": {about: "sends headers and role and waits before the first token", run: slowContent},
	"slow-idle":    {about: "stops for a while between tokens", run: slowIdle},
	"hang":         {about: "never answers", run: func(x *exchange) { hang(x); x.abort() }},

	"cut":         {about: "breaks the connection in mid-answer, after -n tokens", n: 2, run: cut},
	"cut-headers": {about: "breaks the connection before the headers", run: (*exchange).abort},
	"cut-clean":   {about: "ends properly in mid-answer: no finish_reason, no [DONE]", n: 2, run: cutClean},
	"no-done":     {about: "has a finish_reason but no [DONE]", run: noDone},

	"malformed-json": {about: "JSON, or an event's data, that does not parse", run: malformedJSON},
	"malformed-sse":  {about: "a stream that is not one of events", run: malformedSSE},
	"html":           {about: "200 with a web page", run: html},
	"empty":          {about: "200 with no body", run: empty},
	"error-event":    {about: "an error that quotes the prompt, in mid-stream", n: 2, run: errorEvent},
	"huge-event":     {about: "one event of -n KiB", n: 1024, run: hugeEvent},
	"redirect":       {about: "307 to another address", run: redirect},
	"status":         {about: "an error of status -n that quotes the prompt", n: 500, run: status, model: "status-500"},
}

func ok(x *exchange) {
	b := x.built(x.n)
	if !x.stream {
		if x.paced && !x.wait() {
			return
		}
		x.json(b.answer.json)
		return
	}
	x.streamHead()
	x.each(b.events)
}

// transformed sends an answer event by event, each changed by f.
func (x *exchange) transformed(a *answer, usage bool, f func([]byte) []byte) {
	if !x.stream {
		x.json(a.json)
		return
	}
	x.streamHead()
	events := a.all(usage)
	for i := range events {
		events[i] = f(events[i])
	}
	x.each(events)
}

func unchanged(e []byte) []byte { return e }

func usageAlways(x *exchange) {
	x.transformed(x.built(x.n).answer, true, unchanged)
}

func timings(x *exchange) {
	a := build(x.ask, pieces(x.n), map[string]any{"timings": map[string]any{
		"cache_n": CachedTokens, "prompt_n": PromptTokens - CachedTokens, "prompt_ms": PromptMS,
		"predicted_n": x.n, "predicted_ms": GenerationMS}})
	x.transformed(a, x.usage, unchanged)
}

func crlf(x *exchange) {
	x.transformed(x.built(x.n).answer, x.usage, func(e []byte) []byte {
		return bytes.ReplaceAll(e, []byte("\n"), []byte("\r\n"))
	})
}

func split(x *exchange) {
	b := x.built(x.n)
	all := b.answer.json
	if x.stream {
		all = bytes.Join(b.events, nil)
	}
	if !x.head(-1) {
		return
	}
	for i := range all {
		if !x.send(all[i : i+1]) {
			return
		}
	}
}

func comments(x *exchange) {
	x.transformed(x.built(x.n).answer, x.usage, func(e []byte) []byte {
		return append([]byte(": ping\n\n:\nid: 7\nretry: 1000\n"), e...)
	})
}

func linger(x *exchange) {
	ok(x)
	if !x.gone && x.send(nil) {
		x.wait()
	}
}

func headers(x *exchange) {
	h := x.w.Header()
	h.Set("Set-Cookie", "session=upstream")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Strict-Transport-Security", "max-age=60")
	h.Set("X-Internal-Host", "upstream.internal")
	h.Set("Openai-Organization", "org-upstream")
	h.Set("X-Ratelimit-Remaining-Requests", "41")
	ok(x)
}

func slowHeaders(x *exchange) {
	if x.wait() {
		ok(x.unpaced())
	}
}

func slowFirst(x *exchange) { x.pausedAfter(0) }

func slowContent(x *exchange) {
	x.pausedAfter(len(x.built(x.n).answer.opening()))
}

func slowIdle(x *exchange) {
	x.pausedAfter(len(x.built(x.n).answer.opening()) + (x.n+1)/2)
}

// pausedAfter sends k events, or that share of a JSON answer, waits, and sends the rest.
func (x *exchange) pausedAfter(k int) {
	b := x.built(x.n)
	parts := b.events
	if !x.stream {
		half := min(k, 1) * len(b.answer.json) / 2
		parts, k = [][]byte{b.answer.json[:half], b.answer.json[half:]}, 1
	}
	x.unpaced()
	if x.head(len(b.answer.json)) && x.each(parts[:k]) && x.wait() {
		x.each(parts[k:])
	}
}

// unpaced keeps the delay for a single wait and not for one between tokens.
func (x *exchange) unpaced() *exchange { x.paced = false; return x }

func hang(x *exchange) {
	if !x.paced {
		x.delay = MaxDelay
	}
	x.wait()
}

func cut(x *exchange) {
	b := x.built(max(x.n, x.server.options.chunks))
	if x.head(len(b.answer.json)) {
		x.firstPart(b.answer)
	}
	x.abort()
}

func cutClean(x *exchange) {
	a := x.built(max(x.n, x.server.options.chunks)).answer
	if x.head(-1) {
		x.firstPart(a)
	}
}

// firstPart sends n tokens, or half of the JSON.
func (x *exchange) firstPart(a *answer) bool {
	if !x.stream {
		return x.send(a.json[:len(a.json)/2])
	}
	return x.each(append(a.opening(), a.tokens[:x.n]...))
}

func noDone(x *exchange) {
	a := x.built(x.n).answer
	if !x.stream {
		x.json(a.json)
		return
	}
	x.streamHead()
	x.each(a.body(x.usage))
}

func malformedJSON(x *exchange) {
	broken := []byte(`{"id":"chatcmpl-upstream1","object":"chat.completion","choices":[{"index":0,,"` + Marker)
	if !x.stream {
		x.json(broken)
		return
	}
	a := x.built(x.n).answer
	x.streamHead()
	x.each(append(a.opening(), a.tokens[0], sse(broken), a.done))
}

func malformedSSE(x *exchange) {
	x.streamHead()
	x.send([]byte("\x00\x01\xff this is no stream of events\n" + Marker + "\n{\"id\":1}\n"))
}

func html(x *exchange) {
	x.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(x.w, "<!doctype html><title>Sign in</title><p>Sign in to the hotel's network. You said: %s</p>", x.body)
}

func empty(x *exchange) { x.head(0) }

// quote is an error as careless servers write it: with the prompt and the key in it.
func (x *exchange) quote(kind, code string) apiError {
	return apiError{Type: kind, Code: code,
		Message: fmt.Sprintf("Refused (%s): %s", x.r.Header.Get("Authorization"), x.body)}
}

func errorEvent(x *exchange) {
	e := x.quote("server_error", "internal_error")
	if !x.stream {
		x.json(x.fault(e))
		return
	}
	a := x.built(max(x.n, x.server.options.chunks)).answer
	x.streamHead()
	if x.firstPart(a) {
		x.send(x.faultEvent(e))
	}
}

func hugeEvent(x *exchange) {
	big := Marker + strings.Repeat("x", x.n<<10)
	x.transformed(x.build([]string{big}), x.usage, unchanged)
}

func redirect(x *exchange) {
	x.w.Header().Set("Location", "http://127.0.0.1:1/v1/chat/completions")
	x.w.WriteHeader(http.StatusTemporaryRedirect)
}

func status(x *exchange) {
	e := x.quote("server_error", "internal_error")
	switch x.n {
	case http.StatusBadRequest:
		e = x.quote("invalid_request_error", "context_length_exceeded")
	case http.StatusUnauthorized:
		e = x.quote("invalid_request_error", "invalid_api_key")
	case http.StatusNotFound:
		e = x.quote("invalid_request_error", "model_not_found")
	case http.StatusTooManyRequests:
		e = x.quote("requests", "rate_limit_exceeded")
		after := 7 * time.Second
		if x.paced {
			after = x.delay
		}
		x.w.Header().Set("Retry-After", strconv.Itoa(int(after/time.Second)))
	}
	if x.n < 200 || x.n > 599 {
		x.n = http.StatusInternalServerError
	}
	x.refuse(x.n, e)
}

func toolCall(x *exchange) {
	call := map[string]any{"index": 0, "id": "call_upstream1", "type": "function",
		"function": map[string]any{"name": "weather", "arguments": `{"city":"` + Marker + `"}`}}
	choice := map[string]any{"index": 0, "logprobs": nil}
	whole := x.envelope(x.stream)
	whole["choices"] = []any{choice}
	switch x.endpoint {
	case messages:
		messageTool(x)
		return
	case completions, embeddings:
		ok(x)
		return
	}
	if !x.stream {
		choice["message"] = map[string]any{"role": "assistant", "content": nil, "tool_calls": []any{call}}
		choice["finish_reason"] = "tool_calls"
		whole["usage"] = map[string]any{"prompt_tokens": PromptTokens, "completion_tokens": 5, "total_tokens": PromptTokens + 5}
		x.json(marshal(whole))
		return
	}
	a := x.built(0).answer
	choice["finish_reason"], choice["delta"] = nil, map[string]any{"tool_calls": []any{call}}
	events := append(a.opening(), sse(marshal(whole)))
	choice["finish_reason"], choice["delta"] = "tool_calls", map[string]any{}
	events = append(events, sse(marshal(whole)), a.done)
	x.streamHead()
	x.each(events)
}
