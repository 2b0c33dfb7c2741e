package upstream

import (
	"bytes"
	"slices"
	"sort"
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
	"ok":      {about: "a right answer of -n tokens; =delay pauses between them", run: ok},
	"usage":   {about: "as ok, with a usage chunk even when it was not asked for", run: usageAlways},
	"timings": {about: "as ok, with llama.cpp's timings at the end", run: timings},
	"clock":   {about: "as ok, each token tells when it was sent, as " + ClockMark + " and nanoseconds since 1970", run: clock},
	"echo":    {about: "says what the last message said; =delay pauses between every eight characters", run: echo},

	"agent":    {about: "calls tools of coding agents that the request offers, one after the other, then answers", run: agent},
	"tools":    {about: "calls a tool instead of answering", run: content},
	"parallel": {about: "says something and calls two tools at once", run: content},
	"thinking": {about: "thinks before it answers; Anthropic's and Responses' way with a signature", run: content},
	"json":     {about: "answers with a JSON object", run: content},
	"unicode":  {about: "characters of several bytes, flushed byte by byte", run: unicode},
	"twins":    {about: "calls two tools under one id", run: content},
	"no-json":  {about: "calls a tool with arguments that are no JSON", run: content},

	"crlf":     {about: "as ok, lines end in CRLF", run: crlf},
	"split":    {about: "as ok, flushed byte by byte", n: 3, run: split},
	"packets":  {about: "as ok, in packets of -n bytes: an event in several, several in one", n: 100, run: packets},
	"headless": {about: "as ok, but Messages lack their message_start, as llama.cpp's at times", run: headless},
	"comments": {about: "as ok, with comments and pings between events", run: comments},
	"fields":   {about: "as ok, with fields of events that no protocol has", run: fields},
	"pings":    {about: "sends two tokens, then nothing but -n pings, with =delay between them", n: 1 << 20, run: pings},
	"steps":    {about: "sends a token, then -n events without text, with =delay between them, then the rest", n: 3, run: steps},
	"linger":   {about: "as ok, but the connection stays open for a while after [DONE]", run: linger},
	"headers":  {about: "as ok, with headers that a gateway must not pass on", run: headers},

	"slow-headers": {about: "waits before the headers", run: slowHeaders},
	"slow-first":   {about: "sends the headers and waits before the first event", run: slowFirst},
	"slow-content": {about: "sends headers and role and waits before the first token", run: slowContent},
	"slow-idle":    {about: "stops for a while between tokens", run: slowIdle},
	"endless":      {about: "goes on for ever with tokens; =delay pauses between them", run: endless},
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
	a := buildChat(x.ask, []block{said(pieces(x.n)...)}, map[string]any{"timings": map[string]any{
		"cache_n": CachedTokens, "prompt_n": PromptTokens - CachedTokens, "prompt_ms": PromptMS,
		"predicted_n": x.n, "predicted_ms": GenerationMS}})
	x.transformed(a, x.usage, unchanged)
}

func crlf(x *exchange) {
	x.transformed(x.built(x.n).answer, x.usage, func(e []byte) []byte {
		return bytes.ReplaceAll(e, []byte("\n"), []byte("\r\n"))
	})
}

func headless(x *exchange) {
	x.transformed(x.built(x.n).answer, x.usage, func(e []byte) []byte {
		if bytes.HasPrefix(e, []byte("event: message_start")) {
			_, e, _ = bytes.Cut(e, []byte("\n\n"))
		}
		return e
	})
}

func split(x *exchange) {
	x.inPackets(x.built(x.n).answer, 1)
}

// inPackets sends an answer in packets of size bytes, wherever its events begin and end.
func (x *exchange) inPackets(a *answer, size int) {
	all := a.json
	if x.stream {
		all = bytes.Join(a.all(x.usage), nil)
	}
	if !x.head(-1) {
		return
	}
	for part := range slices.Chunk(all, size) {
		if !x.send(part) {
			return
		}
	}
}

func packets(x *exchange) { x.inPackets(x.built(x.server.options.chunks).answer, max(x.n, 1)) }

func unicode(x *exchange) { x.inPackets(x.build(x.blocks()), 1) }

func comments(x *exchange) {
	x.transformed(x.built(x.n).answer, x.usage, func(e []byte) []byte {
		return append([]byte(": ping\n\n:\n"), e...)
	})
}

func fields(x *exchange) {
	x.transformed(x.built(x.n).answer, x.usage, func(e []byte) []byte {
		return append([]byte("id: 7\nretry: 1000\nnothing: known\n"), e...)
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
