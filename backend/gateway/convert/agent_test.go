package convert

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// agentRequest is what a coding agent sends in mid-session: long instructions, many tools with
// their schemas, and turns that hold calls of tools and their results. It is made up; its
// sizes are those of a short session.
func agentRequest(p Protocol) []byte {
	text := func(n int) string {
		return strings.Repeat("Read the file before you edit it, and say \"why\".\n", n/20+1)[:n]
	}
	schema := map[string]any{"type": "object", "additionalProperties": false, "required": []string{"path", "pattern"}, "properties": map[string]any{
		"path": map[string]any{"type": "string", "description": text(120)}, "pattern": map[string]any{"type": "string", "description": text(160)},
		"limit": map[string]any{"type": "integer", "description": text(80)}, "mode": map[string]any{"type": "string", "enum": []string{"content", "files", "count"}}}}
	const nTools, nTurns = 16, 12
	body := map[string]any{"model": "some-model", "stream": true}
	var tools, messages []any
	say := func(m map[string]any) { messages = append(messages, m) }
	for i := range nTools {
		name, about := fmt.Sprintf("tool_%d", i), text(900)
		switch p {
		case Messages:
			tools = append(tools, map[string]any{"name": name, "description": about, "input_schema": schema})
		case Chat:
			tools = append(tools, map[string]any{"type": "function", "function": map[string]any{"name": name, "description": about, "parameters": schema}})
		case Responses:
			tools = append(tools, map[string]any{"type": "function", "name": name, "description": about, "parameters": schema, "strict": false})
		}
	}
	input := map[string]any{"path": "backend/gateway", "pattern": "func.*"}
	arguments := `{"path":"backend/gateway","pattern":"func.*"}`
	switch p {
	case Messages:
		body["max_tokens"] = 32000
		body["system"] = []any{map[string]any{"type": "text", "text": text(12000)}}
	case Chat:
		say(map[string]any{"role": "system", "content": text(12000)})
	case Responses:
		body["instructions"], body["store"] = text(12000), false
	}
	for i := range nTurns {
		id := fmt.Sprintf("call_%d", i)
		switch p {
		case Messages:
			say(map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": text(200)}}})
			say(map[string]any{"role": "assistant", "content": []any{map[string]any{"type": "text", "text": text(300)}, map[string]any{"type": "tool_use", "id": id, "name": "tool_1", "input": input}}})
			say(map[string]any{"role": "user", "content": []any{map[string]any{"type": "tool_result", "tool_use_id": id, "content": text(2000)}}})
		case Chat:
			say(map[string]any{"role": "user", "content": text(200)})
			say(map[string]any{"role": "assistant", "content": text(300), "tool_calls": []any{map[string]any{"id": id, "type": "function", "function": map[string]any{"name": "tool_1", "arguments": arguments}}}})
			say(map[string]any{"role": "tool", "tool_call_id": id, "content": text(2000)})
		case Responses:
			say(map[string]any{"type": "message", "role": "user", "content": []any{map[string]any{"type": "input_text", "text": text(200)}}})
			say(map[string]any{"type": "message", "role": "assistant", "content": []any{map[string]any{"type": "output_text", "text": text(300)}}})
			say(map[string]any{"type": "function_call", "call_id": id, "name": "tool_1", "arguments": arguments})
			say(map[string]any{"type": "function_call_output", "call_id": id, "output": text(2000)})
		}
	}
	body["tools"] = tools
	if p == Responses {
		body["input"] = messages
	} else {
		body["messages"] = messages
	}
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return raw
}

func BenchmarkAgentRequest(b *testing.B) {
	for _, direction := range []string{"messages-chat", "chat-messages", "responses-chat", "responses-messages"} {
		benchmarkNew(b, direction, agentRequest(directions[direction][0]))
	}
}
