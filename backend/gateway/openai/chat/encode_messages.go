package chat

import (
	"strings"

	"mlxbar/backend/gateway/turn"
)

func (e *requestEncoder) system(blocks []turn.Block) {
	if len(blocks) == 0 {
		return
	}
	e.w.Obj().Key("role").Str("system").Key("content")
	e.content(blocks)
	e.w.EndObj()
}

func (e *requestEncoder) message(m *turn.Message) {
	switch m.Role {
	case turn.System:
		e.system(m.Blocks)
	case turn.Assistant:
		e.assistant(m)
	default:
		e.user(m)
	}
}

// user writes the results of tools as messages of their own, and what else there
// is after them: a result must follow its call at once.
func (e *requestEncoder) user(m *turn.Message) {
	var rest []turn.Block
	for i := range m.Blocks {
		if b := &m.Blocks[i]; b.Kind == turn.ToolResult {
			rest = append(rest, e.result(b)...)
		}
	}
	for _, b := range m.Blocks {
		if b.Kind != turn.ToolResult {
			rest = append(rest, b)
		}
	}
	if len(rest) == 0 {
		return
	}
	e.w.Obj().Key("role").Str("user").Key("content")
	e.content(rest)
	e.w.EndObj()
}

// result writes what a tool said. A tool's message holds text alone; images and
// files in it come back, to be shown right after.
func (e *requestEncoder) result(b *turn.Block) (shown []turn.Block) {
	var text []turn.Block
	for _, c := range b.Content {
		if c.Kind == turn.Text {
			text = append(text, c)
			continue
		}
		e.Drop(c.At, "stands in a message of the user after the tool's, which can hold text only")
		shown = append(shown, c)
	}
	if b.IsError {
		e.Drop("is_error", "cannot be said of a tool's result")
	}
	e.w.Obj().Key("role").Str("tool").Key("tool_call_id").Str(b.ID).Key("content")
	e.content(text)
	e.w.EndObj()
	return shown
}

// content writes one text as a string, which every server takes, and anything else
// as an array of parts.
func (e *requestEncoder) content(blocks []turn.Block) {
	if len(blocks) == 0 {
		e.w.Str("")
		return
	}
	if len(blocks) == 1 && blocks[0].Kind == turn.Text {
		e.w.Str(blocks[0].Text)
		return
	}
	e.w.Arr()
	for i := range blocks {
		e.part(&blocks[i])
	}
	e.w.EndArr()
}

func (e *requestEncoder) part(b *turn.Block) {
	switch b.Kind {
	case turn.Text:
		e.w.Obj().Key("type").Str("text").Key("text").Str(b.Text).EndObj()
	case turn.Image:
		e.w.Obj().Key("type").Str("image_url").Key("image_url").Obj().Key("url").Str(b.Source.Address())
		if b.Source.Detail != "" {
			e.w.Key("detail").Str(b.Source.Detail)
		}
		e.w.EndObj().EndObj()
	case turn.Document:
		e.document(b)
	default:
		e.Refuse(b.At, "cannot stand in a message of this role")
	}
}

func (e *requestEncoder) document(b *turn.Block) {
	switch s := b.Source; {
	case s.URL != "":
		e.Refuse(b.At, "is the address of a document, which this model's provider does not fetch; send its bytes")
	case s.Data == "":
		e.Drop(b.At, "is a document of plain text, and goes on as text")
		e.w.Obj().Key("type").Str("text").Key("text").Str(s.Text).EndObj()
	default:
		name := s.Name
		if name == "" {
			name = "document"
		}
		e.w.Obj().Key("type").Str("file").Key("file").Obj().Key("filename").Str(name).Key("file_data").Str(s.Address()).EndObj().EndObj()
	}
}

// assistant writes what the model said before. Chat has one order: reasoning, text,
// calls.
func (e *requestEncoder) assistant(m *turn.Message) {
	var text, calls []turn.Block
	var thought, refusal strings.Builder
	for _, b := range m.Blocks {
		switch b.Kind {
		case turn.Text:
			if len(calls) > 0 {
				e.Drop(b.At, "stands after a tool call, and goes on before it")
			}
			text = append(text, b)
		case turn.ToolCall:
			calls = append(calls, b)
		case turn.Refusal:
			refusal.WriteString(b.Text)
		case turn.Thinking:
			if e.options.Extended {
				thought.WriteString(b.Text)
			} else {
				e.Drop(b.At, "is reasoning, which this model's provider does not take back")
			}
		case turn.Redacted:
			e.Drop(b.At, "is reasoning that only the provider that wrote it can read")
		default:
			e.Refuse(b.At, "cannot stand in a message of the assistant")
		}
	}
	if len(text)+len(calls)+thought.Len()+refusal.Len() == 0 {
		return // there is nothing left of it
	}
	e.w.Obj().Key("role").Str("assistant").Key("content")
	if len(text) == 0 {
		e.w.Raw("null")
	} else {
		e.content(text)
	}
	if thought.Len() > 0 {
		e.w.Key("reasoning_content").Str(thought.String())
	}
	if refusal.Len() > 0 {
		e.w.Key("refusal").Str(refusal.String())
	}
	e.calls(calls)
	e.w.EndObj()
}

func (e *requestEncoder) calls(calls []turn.Block) {
	if len(calls) == 0 {
		return
	}
	e.w.Key("tool_calls").Arr()
	for i := range calls {
		b := &calls[i]
		e.w.Obj().Key("id").Str(b.ID).Key("type").Str("function").Key("function").Obj()
		e.w.Key("name").Str(e.names.Flat(b.Namespace, b.Name)).Key("arguments").Str(turn.FunctionArguments(b)).EndObj().EndObj()
	}
	e.w.EndArr()
}
