package responses

import (
	"bytes"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

var callType = []byte(`_call"`)

// FollowAnswer tells c the tool calls of a whole response; ok is false if one is wrong.
func FollowAnswer(c *turn.Calls, body []byte) (ok bool) {
	return !bytes.Contains(body, callType) || followOutput(c, gjson.Parse(wire.View(body)))
}

func followOutput(c *turn.Calls, response gjson.Result) (ok bool) {
	ok = true
	response.Get("output").ForEach(func(_, item gjson.Result) bool {
		if p, called := part(item); called {
			p.New = true
			ok = c.Take(p)
		}
		return ok
	})
	return ok && c.EndAll(response.Get("status").Str == "incomplete")
}

// part is what an item says of a call; called is false for one that is none of the client's tools.
func part(item gjson.Result) (p turn.Part, called bool) {
	kind := item.Get("type").Str
	return turn.Part{
		ID: item.Get("call_id").Str, Free: kind == "custom_tool_call" || item.Get("status").Str == "incomplete",
		Arguments: wire.Body(item.Get("arguments")), Whole: true,
	}, kind == "function_call" || kind == "custom_tool_call"
}

// follow takes an item that begins or is whole. Its arguments count when it is.
func (s *Stream) follow(root gjson.Result, whole bool) bool {
	if s.Calls == nil {
		return true
	}
	p, called := part(root.Get("item"))
	if !called {
		return true
	}
	i := root.Get("output_index")
	p.Index, p.Indexed = i.Int(), i.Type == gjson.Number
	if !whole {
		p.Free, p.Arguments = false, ""
	}
	return s.Calls.Take(p)
}

// end takes the response that ends the stream, in which all items stand once more.
func (s *Stream) end(response gjson.Result, cut bool) bool {
	if s.Calls == nil {
		return true
	}
	if !s.Calls.EndAll(cut) {
		return false
	}
	again := turn.Calls{Limit: s.Calls.Limit}
	if !cut && !followOutput(&again, response) {
		s.Calls.Wrong = again.Wrong
	}
	return s.Calls.Wrong == ""
}
