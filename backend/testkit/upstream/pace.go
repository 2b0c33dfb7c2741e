package upstream

import (
	"fmt"
	"time"
)

// pings ends with MaxDelay at the latest.
func pings(x *exchange) {
	a, until := x.built(x.server.options.chunks).answer, time.Now().Add(MaxDelay)
	if x.halfOf(a) {
		return
	}
	ping := []byte(": ping\n\n")
	if x.endpoint == messages {
		ping = append(ping, event("ping", map[string]any{})...)
	}
	x.streamHead()
	if !x.each(append(a.opening(), a.tokens[:2]...)) {
		return
	}
	for i := 0; i < x.n && time.Now().Before(until); i++ {
		if !x.wait() || !x.send(ping) {
			return
		}
	}
}

// steps are blocks of a tool of the server's own in Messages, and chunks that change nothing elsewhere.
func steps(x *exchange) {
	a := x.built(x.server.options.chunks).answer
	if !x.stream {
		x.json(a.json)
		return
	}
	x.streamHead()
	if !x.each(append(a.opening(), a.tokens[0])) {
		return
	}
	for i := range x.n {
		if !x.wait() || !x.send(x.step(i)) {
			return
		}
	}
	x.unpaced()
	x.each(append(append([][]byte{}, a.tokens[1:]...), a.finish, a.done))
}

func (x *exchange) step(i int) []byte {
	if x.endpoint != messages {
		return sse(marshal(map[string]any{"id": "chatcmpl-upstream1", "object": "chat.completion.chunk", "model": x.model,
			"choices": []any{map[string]any{"index": 0, "delta": map[string]any{}, "finish_reason": nil}}}))
	}
	block := map[string]any{"type": "server_tool_use", "id": fmt.Sprint("srvtoolu_", i), "name": "web_search", "input": map[string]any{}}
	return append(event("content_block_start", map[string]any{"index": i + 1, "content_block": block}), event("content_block_stop", map[string]any{"index": i + 1})...)
}
