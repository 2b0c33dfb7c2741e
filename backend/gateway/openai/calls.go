package openai

import (
	"bytes"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

var callsKey = []byte(`"tool_calls"`)

// FollowAnswer tells c the tool calls of a whole chat completion; ok is false if one is wrong.
func FollowAnswer(c *turn.Calls, body []byte) (ok bool) {
	if !bytes.Contains(body, callsKey) {
		return true
	}
	return followCalls(c, gjson.Parse(wire.View(body)), "message") && c.EndAll(false)
}

// followCalls takes the calls of each choice, which stand in its member, and its end.
func followCalls(c *turn.Calls, root gjson.Result, member string) (ok bool) {
	ok = true
	n := int64(-1)
	root.Get("choices").ForEach(func(_, choice gjson.Result) bool {
		n++
		number := n
		if i := choice.Get("index"); i.Type == gjson.Number {
			number = i.Int()
		}
		choice.Get(member + ".tool_calls").ForEach(func(_, v gjson.Result) bool {
			p := part(v)
			p.Choice, p.New = number, member == "message"
			ok = c.Take(p)
			return ok
		})
		if reason := choice.Get("finish_reason"); ok && reason.Type == gjson.String && reason.Str != "" {
			// Where the answer says itself that it was cut, its arguments may be, too.
			ok = c.End(number, reason.Str == "length" || reason.Str == "content_filter")
		}
		return ok
	})
	return ok
}

func part(call gjson.Result) turn.Part {
	index, name := call.Get("index"), call.Get("function.name")
	return turn.Part{
		Index: index.Int(), Indexed: index.Type == gjson.Number, ID: call.Get("id").Str, Named: name.Type == gjson.String && name.Str != "",
		Free: call.Get("type").Str == "custom", Arguments: wire.Body(call.Get("function.arguments")),
	}
}
