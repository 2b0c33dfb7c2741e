package upstream

import (
	"fmt"
	"net/http"
	"strings"
)

// Anthropic's side of the upstream: the same scripts, in the events of Messages.
const (
	messages    endpoint = "/v1/messages"
	countTokens endpoint = "/v1/messages/count_tokens"
)

// event is one of Anthropic's events: its name stands twice.
func event(name string, data map[string]any) []byte {
	data["type"] = name
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, marshal(data))
}

// buildMessage makes the answer out of tokens as Messages has it. Of its prompt tokens those in
// the cache are told apart, as Anthropic does.
func buildMessage(a ask, tokens []string) *answer {
	usage := func(output int) map[string]any {
		return map[string]any{"input_tokens": PromptTokens - CachedTokens, "cache_read_input_tokens": CachedTokens, "cache_creation_input_tokens": 0, "output_tokens": output}
	}
	envelope := func(content []any, stop any, output int) map[string]any {
		return map[string]any{"id": "msg_upstream1", "type": "message", "role": "assistant", "model": a.model, "content": content,
			"stop_reason": stop, "stop_sequence": nil, "usage": usage(output)}
	}
	out := &answer{
		json: marshal(envelope([]any{map[string]any{"type": "text", "text": strings.Join(tokens, "")}}, "end_turn", len(tokens))),
		role: append(event("message_start", map[string]any{"message": envelope([]any{}, nil, 1)}),
			event("content_block_start", map[string]any{"index": 0, "content_block": map[string]any{"type": "text", "text": ""}})...),
		finish: append(event("content_block_stop", map[string]any{"index": 0}),
			event("message_delta", map[string]any{"delta": map[string]any{"stop_reason": "end_turn", "stop_sequence": nil}, "usage": map[string]any{"output_tokens": len(tokens)}})...),
		done: event("message_stop", map[string]any{}),
	}
	for _, t := range tokens {
		out.tokens = append(out.tokens, event("content_block_delta", map[string]any{"index": 0, "delta": map[string]any{"type": "text_delta", "text": t}}))
	}
	return out
}

// messageTool calls a tool instead of answering, its arguments in two parts.
func messageTool(x *exchange) {
	use := map[string]any{"type": "tool_use", "id": "toolu_upstream1", "name": "weather", "input": map[string]any{"city": Marker}}
	if !x.stream {
		x.json(marshal(map[string]any{"id": "msg_upstream1", "type": "message", "role": "assistant", "model": x.model, "content": []any{use},
			"stop_reason": "tool_use", "stop_sequence": nil, "usage": map[string]any{"input_tokens": PromptTokens, "output_tokens": 5}}))
		return
	}
	a := buildMessage(x.ask, nil)
	use["input"] = map[string]any{}
	part := func(json string) []byte {
		return event("content_block_delta", map[string]any{"index": 0, "delta": map[string]any{"type": "input_json_delta", "partial_json": json}})
	}
	start := event("message_start", map[string]any{"message": map[string]any{"id": "msg_upstream1", "type": "message", "role": "assistant", "model": x.model, "content": []any{},
		"stop_reason": nil, "stop_sequence": nil, "usage": map[string]any{"input_tokens": PromptTokens, "output_tokens": 1}}})
	x.streamHead()
	x.each([][]byte{
		start, event("content_block_start", map[string]any{"index": 0, "content_block": use}), part(`{"city":`), part(`"` + Marker + `"}`),
		event("content_block_stop", map[string]any{"index": 0}),
		event("message_delta", map[string]any{"delta": map[string]any{"stop_reason": "tool_use", "stop_sequence": nil}, "usage": map[string]any{"output_tokens": 5}}), a.done,
	})
}

// counted answers a question of how many tokens a request has.
func (s *Server) counted(w http.ResponseWriter, _ *http.Request, _ []byte) {
	w.Header()["Content-Type"] = typeJSON
	w.Write(marshal(map[string]any{"input_tokens": PromptTokens}))
}

// body is e as the endpoint's protocol writes it.
func (x *exchange) fault(e apiError) []byte {
	if x.endpoint != messages {
		return e.body()
	}
	kind := map[string]string{"requests": "rate_limit_error", "server_error": "api_error"}[e.Type]
	if kind == "" {
		kind = "invalid_request_error"
	}
	return marshal(map[string]any{"type": "error", "error": map[string]any{"type": kind, "message": e.Message}})
}

func (x *exchange) refuse(status int, e apiError) {
	x.w.Header()["Content-Type"] = typeJSON
	x.w.WriteHeader(status)
	x.w.Write(x.fault(e))
}

// faultEvent is fault as an event of a stream.
func (x *exchange) faultEvent(e apiError) []byte {
	raw := sse(x.fault(e))
	if x.endpoint == messages {
		return append([]byte("event: error\n"), raw...)
	}
	return raw
}
