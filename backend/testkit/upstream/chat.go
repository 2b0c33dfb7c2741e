package upstream

// buildChat makes the answer of blocks for chat and completions; extra members go to the body and to the last chunk.
func buildChat(a ask, blocks []block, extra map[string]any) *answer {
	count, thought := tokensOf(blocks)
	usage := map[string]any{
		"prompt_tokens": PromptTokens, "completion_tokens": count, "total_tokens": PromptTokens + count,
		"prompt_tokens_details":     map[string]any{"cached_tokens": CachedTokens, "audio_tokens": 0},
		"completion_tokens_details": map[string]any{"reasoning_tokens": thought},
	}
	stop, _ := stopped(blocks)
	whole := a.envelope(false)
	whole["choices"] = []any{a.choice("message", a.message(blocks), stop)}
	whole["usage"] = usage
	merge(whole, extra)
	out := &answer{json: marshal(whole), done: []byte("data: [DONE]\n\n")}

	event := func(choices []any, more map[string]any) []byte {
		e := a.envelope(true)
		e["choices"] = choices
		if a.usage {
			e["usage"] = nil
		}
		merge(e, more)
		return sse(marshal(e))
	}
	delta := func(d map[string]any) []byte { return event([]any{a.choice("delta", d, nil)}, nil) }
	if a.endpoint == chat {
		out.role = delta(map[string]any{"role": "assistant", "content": ""})
	}
	calls := 0
	for _, b := range blocks {
		first := []byte(nil)
		if b.kind == toolCall {
			first = delta(map[string]any{"tool_calls": []any{chatCall(b, calls, "")}})
			calls++
		}
		for _, piece := range b.pieces {
			out.tokens = append(out.tokens, append(first, delta(chatDelta(b, calls-1, piece))...))
			first = nil
		}
	}
	out.finish = event([]any{a.choice("delta", map[string]any{}, stop)}, extra)
	out.usage = event([]any{}, map[string]any{"usage": usage})
	return out
}

// chatCall is a tool call with its place among several, -1 for none.
func chatCall(b block, place int, arguments string) map[string]any {
	call := map[string]any{"id": "call_" + b.id, "type": "function", "function": map[string]any{"name": b.name, "arguments": arguments}}
	if place >= 0 {
		call["index"] = place
	}
	return call
}

func chatDelta(b block, place int, piece string) map[string]any {
	switch b.kind {
	case toolCall:
		return map[string]any{"tool_calls": []any{map[string]any{"index": place, "function": map[string]any{"arguments": piece}}}}
	case thinking: // as the servers write it that show it
		return map[string]any{"reasoning_content": piece}
	}
	return map[string]any{"content": piece}
}

// message is what blocks are together.
func (a ask) message(blocks []block) map[string]any {
	m := map[string]any{"role": "assistant", "content": nil, "refusal": nil}
	var calls []any
	for _, b := range blocks {
		switch b.kind {
		case text:
			m["content"] = b.whole()
		case thinking:
			m["reasoning_content"] = b.whole()
		case toolCall:
			calls = append(calls, chatCall(b, -1, b.whole()))
		}
	}
	if calls != nil {
		m["tool_calls"] = calls
	}
	return m
}

func (a ask) envelope(chunk bool) map[string]any {
	e := map[string]any{"id": "chatcmpl-upstream1", "created": created, "model": a.model, "system_fingerprint": "fp_upstream"}
	switch {
	case a.endpoint == completions:
		e["id"], e["object"] = "cmpl-upstream1", "text_completion"
	case chunk:
		e["object"] = "chat.completion.chunk"
	default:
		e["object"] = "chat.completion"
	}
	return e
}

// choice is the one that there is: a message, or a delta of one. Completions have its text alone.
func (a ask) choice(kind string, m map[string]any, finish any) map[string]any {
	c := map[string]any{"index": 0, "logprobs": nil, "finish_reason": finish}
	if a.endpoint != completions {
		c[kind] = m
		return c
	}
	text, _ := m["content"].(string)
	c["text"] = text
	return c
}
