package anthropic

import (
	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

func (d *requestDecoder) message(at string, v gjson.Result) {
	m := turn.Message{At: at}
	switch wire.Get(v, "role").Str {
	case "user":
	case "assistant":
		m.Role = turn.Assistant
	case "system":
		m.Role = turn.System
	default:
		d.Refuse(at+".role", "must be user, assistant or system")
	}
	d.Others(at, v, "role", "content")
	at += ".content"
	content := wire.Get(v, "content")
	switch {
	case m.Role == turn.System:
		m.Blocks = d.texts(at, content)
	case content.Type == gjson.String:
		m.Blocks = []turn.Block{{Kind: turn.Text, At: at, Text: content.Str}}
	case !content.IsArray():
		d.Refuse(at, "must be a string or an array of blocks; it is "+wire.Article(content))
	default:
		d.Each(at, content, func(at string, v gjson.Result) {
			if b, ok := d.block(at, v, m.Role); ok {
				m.Blocks = append(m.Blocks, b)
			}
		})
	}
	d.req.Messages = append(d.req.Messages, m)
}

// texts reads a string, or an array of blocks of text.
func (d *requestDecoder) texts(at string, v gjson.Result) (blocks []turn.Block) {
	if v.Type == gjson.String {
		return []turn.Block{{Kind: turn.Text, At: at, Text: v.Str}}
	}
	if !v.IsArray() {
		d.Refuse(at, "must be a string or an array of blocks of text; it is "+wire.Article(v))
		return nil
	}
	d.Each(at, v, func(at string, v gjson.Result) {
		if wire.Get(v, "type").Str != "text" {
			d.Refuse(at+".type", "must be text")
			return
		}
		if b, ok := d.block(at, v, turn.System); ok {
			blocks = append(blocks, b)
		}
	})
	return blocks
}

func (d *requestDecoder) block(at string, v gjson.Result, role turn.Role) (b turn.Block, ok bool) {
	kind := wire.Get(v, "type").Str
	d.cached(v)
	b.At = at
	switch {
	case kind == "text":
		d.Others(at, v, "type", "text", "cache_control")
		b.Kind, b.Text = turn.Text, d.Str(at+".text", wire.Get(v, "text"))
	case kind == "image" && role == turn.User:
		b.Kind = turn.Image
		b.Source = d.source(at+".source", wire.Get(v, "source"))
	case kind == "document" && role == turn.User:
		d.Others(at, v, "type", "source", "title", "cache_control")
		b.Kind = turn.Document
		b.Source = d.source(at+".source", wire.Get(v, "source"))
		b.Source.Name = d.Optional(at+".title", wire.Get(v, "title"))
	case kind == "tool_result" && role == turn.User:
		return d.result(at, v), true
	case kind == "tool_use" && role == turn.Assistant:
		b.Kind, b.ID, b.Name = turn.ToolCall, d.Required(at+".id", wire.Get(v, "id")), d.Required(at+".name", wire.Get(v, "name"))
		if !wire.Get(v, "input").IsObject() {
			d.Refuse(at+".input", "must be an object; it is "+wire.Article(wire.Get(v, "input")))
		}
		b.Arguments = wire.Compact(wire.Get(v, "input").Raw)
	case kind == "thinking" && role == turn.Assistant:
		b.Kind, b.Text = turn.Thinking, d.Str(at+".thinking", wire.Get(v, "thinking"))
		b.Signature = d.Optional(at+".signature", wire.Get(v, "signature"))
	case kind == "redacted_thinking" && role == turn.Assistant:
		b.Kind, b.Signature = turn.Redacted, d.Str(at+".data", wire.Get(v, "data"))
	default:
		d.Refuse(at+".type", "is a kind of block that can only be said to Anthropic, or that has no place in a message of this role")
		return b, false
	}
	return b, true
}

func (d *requestDecoder) result(at string, v gjson.Result) turn.Block {
	b := turn.Block{Kind: turn.ToolResult, At: at, ID: d.Required(at+".tool_use_id", wire.Get(v, "tool_use_id"))}
	failed := d.Bool(at+".is_error", wire.Get(v, "is_error"))
	b.IsError = failed != nil && *failed
	at += ".content"
	content := wire.Get(v, "content")
	if content.Type == gjson.String {
		b.Content = []turn.Block{{Kind: turn.Text, At: at, Text: content.Str}}
		return b
	}
	d.Each(at, content, func(at string, v gjson.Result) {
		if wire.Get(v, "type").Str == "tool_result" {
			d.Refuse(at+".type", "must be text, image or document")
			return
		}
		if c, ok := d.block(at, v, turn.User); ok {
			b.Content = append(b.Content, c)
		}
	})
	return b
}

// source reads where an image or a document comes from.
func (d *requestDecoder) source(at string, v gjson.Result) (s turn.Source) {
	switch wire.Get(v, "type").Str {
	case "base64":
		s.MediaType = d.Required(at+".media_type", wire.Get(v, "media_type"))
		s.Data = d.Required(at+".data", wire.Get(v, "data"))
		if _, wrong := turn.ParseAddress(s.Address()); wrong != "" && s.Data != "" && s.MediaType != "" {
			d.Refuse(at+".data", "must be base64")
		}
	case "url":
		s.URL = d.Required(at+".url", wire.Get(v, "url"))
	case "text":
		s.MediaType, s.Text = "text/plain", d.Str(at+".data", wire.Get(v, "data"))
	default:
		d.Refuse(at+".type", "must be base64, url or text")
	}
	return s
}
