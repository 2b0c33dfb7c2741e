package chat

import (
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

func (d *requestDecoder) message(at string, v gjson.Result) {
	if !v.IsObject() {
		d.Refuse(at, "must be an object with role and content; it is "+wire.Article(v))
		return
	}
	switch role := wire.Get(v, "role").Str; role {
	case "system", "developer":
		d.system(at, v)
	case "user":
		d.Others(at, v, "role", "content")
		d.add(at, turn.User, d.content(at+".content", wire.Get(v, "content"), d.part))
	case "assistant":
		d.assistant(at, v)
	case "tool":
		d.Others(at, v, "role", "content", "tool_call_id")
		d.add(at, turn.User, []turn.Block{{
			Kind: turn.ToolResult, At: at + ".tool_call_id", ID: d.Required(at+".tool_call_id", wire.Get(v, "tool_call_id")),
			Content: d.content(at+".content", wire.Get(v, "content"), d.part),
		}})
	case "function":
		d.Refuse(at+".role", "function is the old form of tool, which this conversion does not know; use tool")
	default:
		d.Refuse(at+".role", "is required: system, developer, user, assistant or tool")
	}
}

func (d *requestDecoder) add(at string, role turn.Role, blocks []turn.Block) {
	d.req.Messages = append(d.req.Messages, turn.Message{Role: role, At: at, Blocks: blocks})
}

// system adds to what stands before the conversation, or is a message of its own in it.
func (d *requestDecoder) system(at string, v gjson.Result) {
	d.Others(at, v, "role", "content")
	blocks := d.content(at+".content", wire.Get(v, "content"), func(at string, v gjson.Result) (turn.Block, bool) {
		if wire.Get(v, "type").Str != "text" {
			d.Refuse(at+".type", "must be text")
			return turn.Block{}, false
		}
		return d.part(at, v)
	})
	if len(d.req.Messages) == 0 {
		d.req.System = append(d.req.System, blocks...)
		return
	}
	d.add(at, turn.System, blocks)
}

func (d *requestDecoder) assistant(at string, v gjson.Result) {
	d.Others(at, v, "role", "content", "refusal", "tool_calls", "reasoning_content", "reasoning", "audio", "function_call", "annotations")
	for _, old := range []string{"audio", "function_call"} {
		if x := wire.Get(v, old); x.Exists() && x.Type != gjson.Null {
			d.Refuse(at+"."+old, "cannot be said to this model's provider")
		}
	}
	var blocks []turn.Block
	for _, name := range []string{"reasoning_content", "reasoning"} {
		if text := wire.Get(v, name); text.Type == gjson.String && text.Str != "" {
			blocks = append(blocks, turn.Block{Kind: turn.Thinking, At: at + "." + name, Text: text.Str})
			break
		}
	}
	if c := wire.Get(v, "content"); c.Type != gjson.Null {
		blocks = append(blocks, d.content(at+".content", c, d.part)...)
	}
	if text := d.Optional(at+".refusal", wire.Get(v, "refusal")); text != "" {
		blocks = append(blocks, turn.Block{Kind: turn.Refusal, At: at + ".refusal", Text: text})
	}
	d.Each(at+".tool_calls", wire.Get(v, "tool_calls"), func(at string, v gjson.Result) {
		blocks = append(blocks, d.toolCall(at, v))
	})
	d.add(at, turn.Assistant, blocks)
}

func (d *requestDecoder) toolCall(at string, v gjson.Result) turn.Block {
	b := turn.Block{Kind: turn.ToolCall, At: at + ".id", ID: d.Required(at+".id", wire.Get(v, "id"))}
	if wire.Get(v, "type").Str == "custom" {
		b.Custom, b.Name = true, d.Required(at+".custom.name", wire.Get(v, "custom", "name"))
		b.Arguments = d.Str(at+".custom.input", wire.Get(v, "custom", "input"))
		return b
	}
	b.Name = d.Required(at+".function.name", wire.Get(v, "function", "name"))
	b.Arguments = arguments(d, at+".function.arguments", wire.Get(v, "function", "arguments"))
	return b
}

// arguments must be an object: providers other than OpenAI take them as one.
func arguments(d *requestDecoder, at string, v gjson.Result) string {
	s := d.Str(at, v)
	if strings.TrimSpace(s) == "" {
		return "{}"
	}
	if _, ok := wire.Object([]byte(s)); !ok {
		d.Refuse(at, "must be a JSON object, written as a string")
	}
	return s
}

// content reads a string, or an array of parts.
func (d *requestDecoder) content(at string, v gjson.Result, part func(string, gjson.Result) (turn.Block, bool)) (blocks []turn.Block) {
	if v.Type == gjson.String {
		return []turn.Block{{Kind: turn.Text, At: at, Text: v.Str}}
	}
	if !v.IsArray() {
		d.Refuse(at, "must be a string or an array of parts; it is "+wire.Article(v))
		return nil
	}
	d.Each(at, v, func(at string, v gjson.Result) {
		if b, ok := part(at, v); ok {
			blocks = append(blocks, b)
		}
	})
	return blocks
}

func (d *requestDecoder) part(at string, v gjson.Result) (turn.Block, bool) {
	switch kind := wire.Get(v, "type").Str; kind {
	case "text":
		d.Others(at, v, "type", "text", "prompt_cache_breakpoint")
		return turn.Block{Kind: turn.Text, At: at, Text: d.Str(at+".text", wire.Get(v, "text"))}, true
	case "refusal":
		return turn.Block{Kind: turn.Refusal, At: at, Text: d.Str(at+".refusal", wire.Get(v, "refusal"))}, true
	case "image_url":
		src := d.Address(at+".image_url.url", wire.Get(v, "image_url", "url"))
		src.Detail = d.Optional(at+".image_url.detail", wire.Get(v, "image_url", "detail"))
		return turn.Block{Kind: turn.Image, At: at + ".image_url.url", Source: src}, true
	case "file":
		return d.file(at+".file", wire.Get(v, "file"))
	case "input_audio":
		d.Refuse(at+".type", "input_audio cannot be said to this model's provider")
	default:
		d.Refuse(at+".type", "must be text, image_url or file")
	}
	return turn.Block{}, false
}

func (d *requestDecoder) file(at string, v gjson.Result) (turn.Block, bool) {
	if id := wire.Get(v, "file_id"); id.Type == gjson.String {
		d.Refuse(at+".file_id", "names a file that lies with OpenAI; send file_data")
		return turn.Block{}, false
	}
	src := d.Address(at+".file_data", wire.Get(v, "file_data"))
	src.Name = d.Optional(at+".filename", wire.Get(v, "filename"))
	return turn.Block{Kind: turn.Document, At: at + ".file_data", Source: src}, true
}

// Address reads an address: one of the web, or a data URL whose bytes it holds.
func (d *requestDecoder) Address(at string, v gjson.Result) turn.Source {
	src, wrong := turn.ParseAddress(d.Required(at, v))
	if wrong != "" && v.Type == gjson.String {
		d.Refuse(at, wrong)
	}
	return src
}
