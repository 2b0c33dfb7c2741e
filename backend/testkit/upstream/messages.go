package upstream

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Anthropic's side of the upstream: the same scripts, in the events of Messages.
const (
	messages    endpoint = "/v1/messages"
	countTokens endpoint = "/v1/messages/count_tokens"
)

// event is one of Anthropic's events, or of OpenAI's Responses: its name stands twice.
func event(name string, data map[string]any) []byte {
	data["type"] = name
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, marshal(data))
}

// buildMessage makes the answer of blocks as Messages has it. Of its prompt tokens those in
// the cache are told apart, as Anthropic does.
func buildMessage(a ask, blocks []block) *answer {
	count, _ := tokensOf(blocks)
	_, stop := stopped(blocks)
	envelope := func(content []any, stop any, output int) map[string]any {
		return map[string]any{"id": "msg_upstream1", "type": "message", "role": "assistant", "model": a.model, "content": content,
			"stop_reason": stop, "stop_sequence": nil, "usage": map[string]any{"input_tokens": PromptTokens - CachedTokens,
				"cache_read_input_tokens": CachedTokens, "cache_creation_input_tokens": 0, "output_tokens": output}}
	}
	var content []any
	for _, b := range blocks {
		content = append(content, messageBlock(b, true))
	}
	out := &answer{json: marshal(envelope(content, stop, count)), done: event("message_stop", map[string]any{})}
	before := event("message_start", map[string]any{"message": envelope([]any{}, nil, 1)})
	for i, b := range blocks {
		before = append(before, event("content_block_start", map[string]any{"index": i, "content_block": messageBlock(b, false)})...)
		if i == 0 {
			before = append(before, event("ping", map[string]any{})...)
			out.role, before = before, nil
		}
		for _, piece := range b.pieces {
			delta := event("content_block_delta", map[string]any{"index": i, "delta": messageDelta(b, piece)})
			out.tokens = append(out.tokens, append(before, delta...))
			before = nil
		}
		if b.kind == thinking {
			before = append(before, event("content_block_delta", map[string]any{"index": i, "delta": map[string]any{"type": "signature_delta", "signature": Signature}})...)
		}
		before = append(before, event("content_block_stop", map[string]any{"index": i})...)
	}
	out.finish = append(before, event("message_delta", map[string]any{"delta": map[string]any{"stop_reason": stop, "stop_sequence": nil},
		"usage": map[string]any{"output_tokens": count}})...)
	return out
}

// messageBlock is b, or its beginning in a stream.
func messageBlock(b block, whole bool) map[string]any {
	content, signature := "", ""
	if whole {
		content, signature = b.whole(), Signature
	}
	switch b.kind {
	case thinking:
		return map[string]any{"type": "thinking", "thinking": content, "signature": signature}
	case toolCall:
		var input any = map[string]any{}
		if whole {
			input = content
			if json.Valid([]byte(content)) {
				input = json.RawMessage(content)
			}
		}
		return map[string]any{"type": "tool_use", "id": "toolu_" + b.id, "name": b.name, "input": input}
	}
	return map[string]any{"type": "text", "text": content}
}

func messageDelta(b block, piece string) map[string]any {
	switch b.kind {
	case thinking:
		return map[string]any{"type": "thinking_delta", "thinking": piece}
	case toolCall:
		return map[string]any{"type": "input_json_delta", "partial_json": piece}
	}
	return map[string]any{"type": "text_delta", "text": piece}
}

// counted answers a question of how many tokens a request has.
func (s *Server) counted(w http.ResponseWriter, _ *http.Request, _ []byte) {
	w.Header()["Content-Type"] = typeJSON
	w.Write(marshal(map[string]any{"input_tokens": PromptTokens}))
}

// messageErrors are the types of error that Anthropic's documents pair with each status.
var messageErrors = map[int]string{
	400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large",
	429: "rate_limit_error", 500: "api_error", 504: "timeout_error", 529: "overloaded_error",
}

// fault is e as the endpoint's protocol writes it.
func (x *exchange) fault(status int, e apiError) []byte {
	if x.endpoint != messages {
		return e.body()
	}
	kind := messageErrors[status]
	switch {
	case e.Code == "model_not_found":
		kind, e.Message = "not_found_error", "model: "+e.Message
	case kind != "":
	case status < 500:
		kind = "invalid_request_error"
	default:
		kind = "api_error"
	}
	return marshal(map[string]any{"type": "error", "error": map[string]any{"type": kind, "message": e.Message}, "request_id": upstreamID[0]})
}

func (x *exchange) refuse(status int, e apiError) {
	x.w.Header()["Content-Type"] = typeJSON
	x.w.WriteHeader(status)
	x.w.Write(x.fault(status, e))
}

// faultEvent is fault as an event of a stream.
func (x *exchange) faultEvent(e apiError) []byte {
	switch x.endpoint {
	case messages:
		return append([]byte("event: error\n"), sse(x.fault(500, e))...)
	case responses:
		return failedResponse(x.ask, e)
	}
	return sse(x.fault(500, e))
}
