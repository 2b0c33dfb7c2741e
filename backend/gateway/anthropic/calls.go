package anthropic

import (
	"bytes"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

var toolUse = []byte(`tool_use"`)

// FollowAnswer tells c the tool calls of a whole message; ok is false if one is wrong.
func FollowAnswer(c *turn.Calls, body []byte) (ok bool) {
	if !bytes.Contains(body, toolUse) {
		return true
	}
	root := gjson.Parse(wire.View(body))
	ok = true
	root.Get("content").ForEach(func(_, v gjson.Result) bool {
		if v.Get("type").Str == "tool_use" {
			p := turn.Part{ID: v.Get("id").Str, New: true}
			if input := v.Get("input"); !input.IsObject() {
				quoted := gjson.AppendJSONString(nil, input.Raw)
				p.Arguments = wire.View(quoted[1 : len(quoted)-1])
			}
			ok = c.Take(p)
		}
		return ok
	})
	return ok && c.EndAll(cut(root.Get("stop_reason").Str))
}

// cut says whether an answer that ends so says itself that it was cut: its arguments may be, too.
func cut(reason string) bool {
	switch stopOf(reason) {
	case turn.MaxTokens, turn.ContextFull, turn.Refused:
		return true
	}
	return false
}

// begin takes the beginning of a block.
func (s *Stream) begin(root gjson.Result) bool {
	if s.Calls == nil || root.Get("content_block.type").Str != "tool_use" {
		return true
	}
	s.calling = true
	return s.Calls.Take(turn.Part{Index: root.Get("index").Int(), Indexed: true, ID: root.Get("content_block.id").Str, New: true})
}

// more takes a part of a block's content.
func (s *Stream) more(data []byte) bool {
	root := gjson.Parse(wire.View(data))
	if root.Get("delta.type").Str != "input_json_delta" {
		return true
	}
	return s.Calls.Take(turn.Part{Index: root.Get("index").Int(), Indexed: true, Arguments: wire.Body(root.Get("delta.partial_json"))})
}
