package responses

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

func (d *requestDecoder) input(at string, v gjson.Result) {
	if v.Type == gjson.String {
		d.add(at, turn.User, turn.Block{Kind: turn.Text, At: at, Text: v.Str})
		return
	}
	if !v.IsArray() {
		d.Refuse(at, "must be a string or an array of items; it is "+wire.Article(v))
		return
	}
	d.Each(at, v, d.item)
}

func (d *requestDecoder) add(at string, role turn.Role, blocks ...turn.Block) {
	d.req.Messages = append(d.req.Messages, turn.Message{Role: role, At: at, Blocks: blocks})
}

// past are records of what tools that OpenAI runs did earlier in a conversation.
var past = []string{
	"web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_list_tools", "mcp_call",
	"mcp_approval_request", "mcp_approval_response", "tool_search_call", "tool_search_output",
}

func (d *requestDecoder) item(at string, v gjson.Result) {
	kind := wire.Get(v, "type").Str
	switch {
	case !v.IsObject():
		d.Refuse(at, "must be an object; it is "+wire.Article(v))
	case kind == "message" || kind == "" && wire.Get(v, "role").Exists():
		d.message(at, v)
	case kind == "function_call":
		d.add(at, turn.Assistant, turn.Block{
			Kind: turn.ToolCall, At: at + ".call_id", ID: d.Required(at+".call_id", wire.Get(v, "call_id")), Name: d.Required(at+".name", wire.Get(v, "name")),
			Namespace: d.Optional(at+".namespace", wire.Get(v, "namespace")), Arguments: d.arguments(at+".arguments", wire.Get(v, "arguments")),
		})
	case kind == "custom_tool_call":
		d.add(at, turn.Assistant, turn.Block{
			Kind: turn.ToolCall, At: at + ".call_id", Custom: true, ID: d.Required(at+".call_id", wire.Get(v, "call_id")), Name: d.Required(at+".name", wire.Get(v, "name")),
			Namespace: d.Optional(at+".namespace", wire.Get(v, "namespace")), Arguments: d.Str(at+".input", wire.Get(v, "input")),
		})
	case kind == "function_call_output" || kind == "custom_tool_call_output":
		d.add(at, turn.User, turn.Block{
			Kind: turn.ToolResult, At: at + ".call_id", ID: d.Required(at+".call_id", wire.Get(v, "call_id")),
			Content: d.content(at+".output", wire.Get(v, "output")),
		})
	case kind == "reasoning":
		d.reasoning(at, v)
	case kind == "additional_tools":
		d.Each(at+".tools", wire.Get(v, "tools"), d.tool)
	case kind == "item_reference" || kind == "" && wire.Get(v, "id").Exists():
		d.Refuse(at, "refers to an item that lies with OpenAI and cannot be known here; send the item itself")
	case slices.Contains(past, kind):
		d.Drop(at, "is of a tool that OpenAI runs")
	default:
		d.Refuse(at+".type", "is a kind of item that cannot be said to this model's provider")
	}
}

// arguments must be an object: providers other than OpenAI take them as one.
func (d *requestDecoder) arguments(at string, v gjson.Result) string {
	s := d.Str(at, v)
	if strings.TrimSpace(s) == "" {
		return "{}"
	}
	if _, ok := wire.Object([]byte(s)); !ok {
		d.Refuse(at, "must be a JSON object, written as a string")
	}
	return s
}

func (d *requestDecoder) message(at string, v gjson.Result) {
	blocks := d.content(at+".content", wire.Get(v, "content"))
	switch wire.Get(v, "role").Str {
	case "user":
		d.add(at, turn.User, blocks...)
	case "assistant":
		d.add(at, turn.Assistant, blocks...)
	case "system", "developer":
		for _, b := range blocks {
			if b.Kind != turn.Text {
				d.Refuse(b.At, "must be text in a message of this role")
			}
		}
		if len(d.req.Messages) == 0 {
			d.req.System = append(d.req.System, blocks...)
			return
		}
		d.add(at, turn.System, blocks...)
	default:
		d.Refuse(at+".role", "is required: user, assistant, system or developer")
	}
}

// content reads a string, or an array of parts.
func (d *requestDecoder) content(at string, v gjson.Result) (blocks []turn.Block) {
	if v.Type == gjson.String {
		return []turn.Block{{Kind: turn.Text, At: at, Text: v.Str}}
	}
	if !v.IsArray() {
		d.Refuse(at, "must be a string or an array of parts; it is "+wire.Article(v))
		return nil
	}
	d.Each(at, v, func(at string, v gjson.Result) {
		if b, ok := d.part(at, v); ok {
			blocks = append(blocks, b)
		}
	})
	return blocks
}

func (d *requestDecoder) part(at string, v gjson.Result) (b turn.Block, ok bool) {
	b.At = at
	switch kind := wire.Get(v, "type").Str; kind {
	case "input_text", "output_text", "text":
		b.Text = d.Str(at+".text", wire.Get(v, "text"))
	case "refusal":
		b.Kind, b.Text = turn.Refusal, d.Str(at+".refusal", wire.Get(v, "refusal"))
	case "input_image":
		if d.stored(at, v) {
			return b, false
		}
		b.Kind, b.At = turn.Image, at+".image_url"
		b.Source = d.address(at+".image_url", wire.Get(v, "image_url"))
		b.Source.Detail = d.Optional(at+".detail", wire.Get(v, "detail"))
	case "input_file":
		if d.stored(at, v) {
			return b, false
		}
		b.Kind = turn.Document
		if url := wire.Get(v, "file_url"); url.Type == gjson.String {
			b.Source = d.address(at+".file_url", url)
		} else {
			b.Source = d.address(at+".file_data", wire.Get(v, "file_data"))
		}
		b.Source.Name = d.Optional(at+".filename", wire.Get(v, "filename"))
	default:
		d.Refuse(at+".type", "must be input_text, input_image, input_file, output_text or refusal")
		return b, false
	}
	return b, true
}

func (d *requestDecoder) stored(at string, v gjson.Result) bool {
	if wire.Get(v, "file_id").Type != gjson.String {
		return false
	}
	d.Refuse(at+".file_id", "names a file that lies with OpenAI; send its bytes")
	return true
}

func (d *requestDecoder) address(at string, v gjson.Result) turn.Source {
	src, wrong := turn.ParseAddress(d.Required(at, v))
	if wrong != "" && v.Type == gjson.String && v.Str != "" {
		d.Refuse(at, wrong)
	}
	return src
}

// reasoning takes back what went out sealed; the readable text of other reasoning
// goes on where a protocol has a place for it.
func (d *requestDecoder) reasoning(at string, v gjson.Result) {
	var text strings.Builder
	parts := wire.Get(v, "content")
	if !parts.Get("0").Exists() {
		parts = wire.Get(v, "summary")
	}
	d.Each(at+".summary", parts, func(at string, v gjson.Result) {
		if text.Len() > 0 {
			text.WriteString("\n\n")
		}
		text.WriteString(d.Str(at+".text", wire.Get(v, "text")))
	})
	sealed := d.Optional(at+".encrypted_content", wire.Get(v, "encrypted_content"))
	b, ok := turn.Unseal(sealed, text.String())
	if sealed != "" && !ok {
		d.Drop(at+".encrypted_content", "is reasoning that only the provider that wrote it can read")
	}
	b.At = at
	if b.Text != "" || b.Signature != "" {
		d.add(at, turn.Assistant, b)
	}
}
