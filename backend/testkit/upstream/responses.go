package upstream

// OpenAI's Responses: the same scripts, in its items and events. A stream has no [DONE].
const responses endpoint = "/v1/responses"

// buildResponse makes the answer of blocks as Responses has it.
func buildResponse(a ask, blocks []block) *answer {
	w := &responseWriter{ask: a}
	out := &answer{json: marshal(w.response("completed", blocks, nil))}
	before := append(w.event("response.created", "response", w.response("in_progress", nil, nil)),
		w.event("response.in_progress", "response", w.response("in_progress", nil, nil))...)
	for i, b := range blocks {
		w.place, w.item = i, b
		before = append(before, w.begin()...)
		if i == 0 {
			out.role, before = before, nil
		}
		for _, piece := range b.pieces {
			out.tokens = append(out.tokens, append(before, w.located(responseTypes[b.kind].text+".delta", "delta", piece)...))
			before = nil
		}
		before = append(before, w.end()...)
	}
	out.finish = before
	out.done = w.event("response.completed", "response", w.response("completed", blocks, nil))
	return out
}

// failedResponse is how a stream of Responses says that it failed.
func failedResponse(a ask, e apiError) []byte {
	w := &responseWriter{ask: a, number: 99}
	return w.event("response.failed", "response", w.response("failed", nil, map[string]any{"code": "server_error", "message": e.Message}))
}

// responseTypes are, for each kind of block, its item's prefix of ids, the name of its part and how the events of its text begin.
var responseTypes = map[blockKind]struct{ id, part, text string }{
	text:     {"msg_upstream", "response.content_part", "response.output_text"},
	thinking: {"rs_upstream", "response.reasoning_summary_part", "response.reasoning_summary_text"},
	toolCall: {"fc_upstream", "", "response.function_call_arguments"},
}

// A responseWriter numbers events and knows which item they are of.
type responseWriter struct {
	ask    ask
	number int
	place  int
	item   block
}

func (w *responseWriter) event(name, member string, value any) []byte {
	data := map[string]any{"sequence_number": w.number, member: value}
	w.number++
	return event(name, data)
}

// located is an event of the item at hand, with the members by which its kind is found.
func (w *responseWriter) located(name, member string, value any) []byte {
	data := map[string]any{"sequence_number": w.number, "output_index": w.place, "item_id": responseID(w.item, w.place), member: value}
	w.number++
	switch w.item.kind {
	case text:
		data["content_index"] = 0
		if member != "part" {
			data["logprobs"] = []any{}
		}
	case thinking:
		data["summary_index"] = 0
	case toolCall:
		if member == "arguments" {
			data["name"] = w.item.name
		}
	}
	return event(name, data)
}

func (w *responseWriter) begin() []byte {
	out := w.ofItem("response.output_item.added", responseItem(w.item, w.place, false))
	if part := responseTypes[w.item.kind].part; part != "" {
		out = append(out, w.located(part+".added", "part", responsePart(w.item, false))...)
	}
	return out
}

func (w *responseWriter) end() []byte {
	t := responseTypes[w.item.kind]
	member := "text"
	if w.item.kind == toolCall {
		member = "arguments"
	}
	out := w.located(t.text+".done", member, w.item.whole())
	if t.part != "" {
		out = append(out, w.located(t.part+".done", "part", responsePart(w.item, true))...)
	}
	return append(out, w.ofItem("response.output_item.done", responseItem(w.item, w.place, true))...)
}

func (w *responseWriter) ofItem(name string, item map[string]any) []byte {
	data := map[string]any{"sequence_number": w.number, "output_index": w.place, "item": item}
	w.number++
	return event(name, data)
}

func responseID(b block, place int) string {
	return responseTypes[b.kind].id + string(rune('1'+place))
}

func responsePart(b block, whole bool) map[string]any {
	content := ""
	if whole {
		content = b.whole()
	}
	if b.kind == thinking {
		return map[string]any{"type": "summary_text", "text": content}
	}
	return map[string]any{"type": "output_text", "text": content, "annotations": []any{}, "logprobs": []any{}}
}

func responseItem(b block, place int, whole bool) map[string]any {
	status, parts, arguments := "in_progress", []any{}, ""
	if whole {
		status, parts, arguments = "completed", []any{responsePart(b, true)}, b.whole()
	}
	item := map[string]any{"id": responseID(b, place), "status": status}
	switch b.kind {
	case thinking:
		item["type"], item["summary"], item["encrypted_content"] = "reasoning", parts, Signature
	case toolCall:
		item["type"], item["call_id"], item["name"], item["arguments"] = "function_call", "call_"+b.id, b.name, arguments
	default:
		item["type"], item["role"], item["content"] = "message", "assistant", parts
	}
	return item
}

// response is the object that stands for the whole, with as much of it as there is.
func (w *responseWriter) response(status string, blocks []block, failure any) map[string]any {
	r := map[string]any{
		"id": "resp_upstream1", "object": "response", "created_at": created, "status": status, "error": failure, "incomplete_details": nil,
		"instructions": nil, "max_output_tokens": nil, "metadata": map[string]any{}, "model": w.ask.model, "parallel_tool_calls": true,
		"previous_response_id": nil, "reasoning": map[string]any{"effort": nil, "summary": nil}, "store": true, "temperature": 1,
		"text": map[string]any{"format": map[string]any{"type": "text"}}, "tool_choice": "auto", "tools": []any{}, "top_p": 1,
		"truncation": "disabled", "usage": nil, "user": nil,
	}
	output := []any{}
	for i, b := range blocks {
		output = append(output, responseItem(b, i, true))
	}
	r["output"] = output
	if status == "completed" {
		count, thought := tokensOf(blocks)
		r["usage"] = map[string]any{
			"input_tokens": PromptTokens, "input_tokens_details": map[string]any{"cached_tokens": CachedTokens},
			"output_tokens": count, "output_tokens_details": map[string]any{"reasoning_tokens": thought}, "total_tokens": PromptTokens + count,
		}
	}
	return r
}
