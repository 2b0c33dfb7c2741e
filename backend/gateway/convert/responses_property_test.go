package convert

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"mlxbar/backend/gateway/anthropic"
	"mlxbar/backend/gateway/openai/chat"
	"mlxbar/backend/gateway/openai/responses"
	"mlxbar/backend/gateway/turn"
)

// What Responses has and no other protocol: custom tools, tools in namespaces, and reasoning that goes out sealed and comes back.

// kit are the tools that a coding agent might bring. Two of them have names that are alike when the namespace is left out.
var kit = []turn.Tool{
	{Name: "f", Description: "plain", Schema: `{"type":"object","properties":{"a":{"type":"string"}}}`},
	{Name: "patch", Description: "takes text", Custom: true},
	{Namespace: "files", Name: "f", Schema: `{"type":"object","properties":{}}`},
	{Namespace: "files", Name: "patch", Custom: true},
	{Namespace: "a namespace whose name is so long that no function can be called by it", Name: "f", Schema: `{"type":"object","properties":{}}`},
}

// drawAgent is a conversation as a coding agent has it.
func drawAgent(t *rapid.T) *turn.Request {
	r := &turn.Request{Model: "m", Stream: rapid.Bool().Draw(t, "stream"), Tools: kit}
	r.System = []turn.Block{{Text: drawText(t, "instructions")}}
	if rapid.Bool().Draw(t, "developer first") {
		r.System = append(r.System, turn.Block{Text: drawText(t, "developer")})
	}
	n := 0
	for range rapid.IntRange(1, 4).Draw(t, "rounds") {
		user := turn.Message{Blocks: []turn.Block{{Text: drawText(t, "user")}}}
		if rapid.Bool().Draw(t, "image") {
			user.Blocks = append(user.Blocks, turn.Block{Kind: turn.Image, Source: turn.Source{MediaType: "image/png", Data: "iVBORw0KGgo="}})
		}
		r.Messages = append(r.Messages, user)
		if rapid.Bool().Draw(t, "developer") {
			r.Messages = append(r.Messages, turn.Message{Role: turn.System, Blocks: []turn.Block{{Text: drawText(t, "developer later")}}})
		}
		said := turn.Message{Role: turn.Assistant, Blocks: drawThought(t)}
		said.Blocks = append(said.Blocks, turn.Block{Text: drawText(t, "assistant")})
		var results turn.Message
		for range rapid.IntRange(0, 3).Draw(t, "calls") {
			call := drawCall(t, fmt.Sprintf("call_%d", n))
			n++
			said.Blocks = append(said.Blocks, call)
			results.Blocks = append(results.Blocks, turn.Block{Kind: turn.ToolResult, ID: call.ID, Content: []turn.Block{{Text: drawText(t, "result")}}})
		}
		r.Messages = append(r.Messages, said)
		if len(results.Blocks) > 0 {
			r.Messages = append(r.Messages, results)
		}
	}
	r.Messages = append(r.Messages, turn.Message{Blocks: []turn.Block{{Text: "go on"}}})
	return r
}

// drawThought is what a model thought before it spoke, with the signature of its provider.
func drawThought(t *rapid.T) (blocks []turn.Block) {
	if rapid.Bool().Draw(t, "thinks") {
		blocks = append(blocks, turn.Block{Kind: turn.Thinking, Text: drawText(t, "thinking"), Signature: rapid.StringMatching(`[A-Za-z0-9+/]{4,20}=`).Draw(t, "signature")})
	}
	if rapid.Bool().Draw(t, "thinks in secret") {
		blocks = append(blocks, turn.Block{Kind: turn.Redacted, Signature: rapid.StringMatching(`[A-Za-z0-9+/]{4,20}=`).Draw(t, "secret")})
	}
	return blocks
}

func drawCall(t *rapid.T, id string) turn.Block {
	tool := rapid.SampledFrom(kit).Draw(t, "tool")
	call := turn.Block{Kind: turn.ToolCall, ID: id, Name: tool.Name, Namespace: tool.Namespace, Custom: tool.Custom, Arguments: drawArguments(t)}
	if tool.Custom {
		call.Arguments = drawText(t, "input")
	}
	return call
}

type object map[string]any

// asResponses writes r as a client of Responses does.
func asResponses(r *turn.Request) []byte {
	items := []any{}
	for i, b := range r.System[1:] {
		items = append(items, object{"type": "message", "role": []string{"developer", "system"}[i%2], "content": b.Text})
	}
	for _, m := range r.Messages {
		var parts []any
		for _, b := range m.Blocks {
			switch b.Kind {
			case turn.Text:
				kind := map[turn.Role]string{turn.Assistant: "output_text", turn.User: "input_text", turn.System: "input_text"}[m.Role]
				parts = append(parts, object{"type": kind, "text": b.Text})
			case turn.Image:
				parts = append(parts, object{"type": "input_image", "image_url": b.Source.Address()})
			case turn.Thinking, turn.Redacted:
				summary := []any{}
				if b.Text != "" {
					summary = []any{object{"type": "summary_text", "text": b.Text}}
				}
				items = append(items, object{"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": turn.Seal(&b)})
			case turn.ToolCall:
				if parts != nil {
					items = append(items, object{"role": "assistant", "content": parts})
					parts = nil
				}
				call := object{"type": "function_call", "call_id": b.ID, "name": b.Name, "arguments": b.Arguments}
				if b.Custom {
					call = object{"type": "custom_tool_call", "call_id": b.ID, "name": b.Name, "input": b.Arguments}
				}
				if b.Namespace != "" {
					call["namespace"] = b.Namespace
				}
				items = append(items, call)
			case turn.ToolResult:
				items = append(items, object{"type": "function_call_output", "call_id": b.ID, "output": b.Content[0].Text})
			}
		}
		if parts != nil {
			items = append(items, object{"role": []string{"user", "assistant", "developer"}[m.Role], "content": parts})
		}
	}
	raw, _ := json.Marshal(object{"model": r.Model, "stream": r.Stream, "instructions": r.System[0].Text, "input": items, "tools": kitAsResponses(), "include": []any{"reasoning.encrypted_content"}})
	return raw
}

func kitAsResponses() (tools []any) {
	spaces := map[string]object{}
	for _, k := range kit {
		tool := object{"type": "function", "name": k.Name, "description": k.Description, "parameters": json.RawMessage(k.Schema)}
		if k.Custom {
			tool = object{"type": "custom", "name": k.Name, "description": k.Description}
		}
		switch space := spaces[k.Namespace]; {
		case k.Namespace == "":
			tools = append(tools, tool)
		case space == nil:
			space = object{"type": "namespace", "name": k.Namespace, "tools": []any{tool}}
			spaces[k.Namespace] = space
			tools = append(tools, space)
		default:
			space["tools"] = append(space["tools"].([]any), tool)
		}
	}
	return tools
}

// restored gives what the assistant called the names that the client knows, as answers do.
func restored(r *turn.Request, names *turn.Names) *turn.Request {
	for i := range r.Messages {
		for j, b := range r.Messages[i].Blocks {
			if b.Kind == turn.ToolCall {
				r.Messages[i].Blocks[j] = names.Restore(b)
			}
		}
	}
	r.Tools = kit
	return r
}

func TestARequestOfResponsesKeepsItsMeaningInEveryProtocol(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawAgent(t)
		got, _, fault := responses.DecodeRequest(asResponses(want))
		if fault != nil || len(got.Notes) > 0 {
			t.Fatalf("%v, notes %v", fault, got.Notes)
		}
		if diff := sameMeaning(want, got); diff != "" {
			t.Fatalf("Responses lost something:\n%s", diff)
		}
		names := turn.NewNames(got)

		asChat, _, fault := chat.EncodeRequest(got, names, chat.Options{Extended: true})
		if fault != nil {
			t.Fatal(fault)
		}
		fromChat, fault := chat.DecodeRequest(asChat)
		if fault != nil {
			t.Fatalf("%v in %s", fault, asChat)
		}
		if diff := sameMeaning(unsigned(want), restored(fromChat, names)); diff != "" {
			t.Fatalf("chat lost something:\n%s", diff)
		}

		asMessages, _, fault := anthropic.EncodeRequest(got, names, anthropic.Options{MaxTokens: 5})
		if fault != nil {
			t.Fatal(fault)
		}
		fromMessages, fault := anthropic.DecodeRequest(asMessages)
		if fault != nil {
			t.Fatalf("%v in %s", fault, asMessages)
		}
		fromMessages.MaxTokens = nil // which Messages wants, and Responses does not
		if diff := sameMeaning(systemFirst(want), restored(fromMessages, names)); diff != "" {
			t.Fatalf("Messages lost something:\n%s\n%s", diff, asMessages)
		}
	})
}

// unsigned is r without what chat has no place for.
func unsigned(r *turn.Request) *turn.Request {
	c := *r
	c.Messages = nil
	for _, m := range r.Messages {
		var blocks []turn.Block
		for _, b := range m.Blocks {
			if b.Signature = ""; b.Kind != turn.Redacted {
				blocks = append(blocks, b)
			}
		}
		c.Messages = append(c.Messages, turn.Message{Role: m.Role, Blocks: blocks})
	}
	return &c
}

// systemFirst is r with all that the system says before the conversation, where Messages has it.
func systemFirst(r *turn.Request) *turn.Request {
	c := *r
	c.Messages, c.System = nil, append([]turn.Block(nil), r.System...)
	for _, m := range r.Messages {
		if m.Role == turn.System {
			c.System = append(c.System, m.Blocks...)
			continue
		}
		c.Messages = append(c.Messages, m)
	}
	return &c
}

// drawSigned is an answer of Messages with all that it has and chat has not.
func drawSigned(t *rapid.T) *turn.Answer {
	a := &turn.Answer{ID: "x", Model: "served", Stop: turn.EndTurn, Blocks: append(drawThought(t), turn.Block{Text: drawText(t, "text")})}
	names := turn.NewNames(&turn.Request{Tools: kit})
	for n := range rapid.IntRange(0, 3).Draw(t, "calls") {
		call := drawCall(t, fmt.Sprintf("toolu_%d", n))
		call.Name, call.Arguments = names.Flat(call.Namespace, call.Name), turn.FunctionArguments(&call)
		call.Namespace, call.Custom = "", false
		a.Blocks, a.Stop = append(a.Blocks, call), turn.ToolUse
	}
	if a.Stop == turn.EndTurn && rapid.Bool().Draw(t, "a stop sequence") {
		a.Stop, a.StopSequence = turn.StopSequence, drawText(t, "sequence")
	}
	a.Usage = turn.Usage{Known: true, CacheRead: rapid.Int64Range(0, 50).Draw(t, "cached"), CacheWrite: rapid.Int64Range(0, 50).Draw(t, "written"), Output: 9}
	a.Usage.Input = a.Usage.CacheRead + a.Usage.CacheWrite + rapid.Int64Range(1, 99).Draw(t, "input")
	return a
}

func TestMessagesSayAllThatTheyHave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawSigned(t)
		messagesSay(t, want, want)
	})
}

// What a model of Anthropic's says to a client of Responses is, when the client brings it back, what it said: signatures,
// custom tools and namespaces too. Whole and streamed are the same.
func TestWhatAClientOfResponsesBringsBackIsWhatWasSaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		said := drawSigned(t)
		request, asked, fault := responses.DecodeRequest(asResponses(&turn.Request{Model: "m", System: []turn.Block{{Text: "x"}}, Messages: []turn.Message{{Blocks: []turn.Block{{Text: "hi"}}}}}))
		if fault != nil {
			t.Fatal(fault)
		}
		names := turn.NewNames(request)
		reply := turn.Reply{ID: "x", Names: names}
		answer := responses.EncodeAnswer(said, reply, asked)

		stream := feed(t, turn.NewConverter(anthropic.NewDecoder("it"), responses.NewEncoder(reply, asked)), messagesStream(t, said))
		events := dataOf(stream)
		if diff := cmp.Diff(string(answer), gjson.Get(events[len(events)-1], "response").Raw); diff != "" {
			t.Fatalf("streamed it is something else:\n%s", diff)
		}

		output := gjson.GetBytes(answer, "output").Array()
		input := []any{object{"role": "user", "content": "hi"}}
		for _, item := range output {
			input = append(input, json.RawMessage(item.Raw))
		}
		body, _ := json.Marshal(object{"model": "m", "input": input, "tools": kitAsResponses()})
		back, _, fault := responses.DecodeRequest(body)
		if fault != nil {
			t.Fatalf("%v in %s", fault, body)
		}
		want := &turn.Request{Messages: []turn.Message{{Role: turn.Assistant, Blocks: said.Blocks}}}
		restored(want, names)
		if diff := cmp.Diff(plainly(want).Messages, plainly(back).Messages[1:]); diff != "" {
			t.Fatalf("what came back: %s\n%s", diff, answer)
		}
	})
}

// messagesStream writes a as Anthropic streams it, in any pieces.
func messagesStream(t *rapid.T, a *turn.Answer) (events []string) {
	event := func(v object) {
		raw, _ := json.Marshal(v)
		events = append(events, string(raw))
	}
	event(object{"type": "message_start", "message": object{"id": "msg_x", "model": a.Model, "usage": object{"input_tokens": a.Usage.Input - a.Usage.CacheRead - a.Usage.CacheWrite,
		"cache_read_input_tokens": a.Usage.CacheRead, "cache_creation_input_tokens": a.Usage.CacheWrite, "output_tokens": 1}}})
	for i, b := range a.Blocks {
		kind, delta, body := object{"type": "text", "text": ""}, "text", b.Text
		switch b.Kind {
		case turn.Thinking:
			kind, delta = object{"type": "thinking", "thinking": "", "signature": ""}, "thinking"
		case turn.Redacted:
			kind, body = object{"type": "redacted_thinking", "data": b.Signature}, ""
		case turn.ToolCall:
			kind, delta, body = object{"type": "tool_use", "id": b.ID, "name": b.Name, "input": object{}}, "input_json", b.Arguments
		}
		event(object{"type": "content_block_start", "index": i, "content_block": kind})
		member := map[string]string{"input_json": "partial_json"}[delta]
		if member == "" {
			member = delta
		}
		for _, p := range pieces(t, body) {
			event(object{"type": "content_block_delta", "index": i, "delta": object{"type": delta + "_delta", member: p}})
		}
		if b.Kind == turn.Thinking {
			event(object{"type": "content_block_delta", "index": i, "delta": object{"type": "signature_delta", "signature": b.Signature}})
		}
		event(object{"type": "content_block_stop", "index": i})
	}
	stop := map[turn.Stop]string{turn.EndTurn: "end_turn", turn.ToolUse: "tool_use", turn.StopSequence: "stop_sequence"}[a.Stop]
	event(object{"type": "message_delta", "delta": object{"stop_reason": stop, "stop_sequence": a.StopSequence}, "usage": object{"output_tokens": a.Usage.Output}})
	event(object{"type": "message_stop"})
	return events
}
