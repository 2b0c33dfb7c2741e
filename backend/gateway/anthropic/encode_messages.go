package anthropic

import (
	"regexp"
	"slices"

	"mlxbar/backend/gateway/turn"
)

// arrange gives the conversation as Anthropic wants it: what the system says goes
// before it, one speaker's messages are one, nothing is empty, and the results of
// tools come first in what the user says.
func (e *requestEncoder) arrange() []turn.Message {
	var talk []turn.Message
	for _, m := range e.req.Messages {
		if m.Role == turn.System {
			continue
		}
		m.Blocks = slices.DeleteFunc(slices.Clone(m.Blocks), e.leftOut)
		if len(m.Blocks) > 0 {
			talk = append(talk, m)
		}
	}
	talk = turn.Merge(talk, turn.SameSpeaker)
	for _, m := range talk {
		slices.SortStableFunc(m.Blocks, func(a, b turn.Block) int { return rank(a) - rank(b) })
	}
	return talk
}

func rank(b turn.Block) int {
	if b.Kind == turn.ToolResult {
		return 0
	}
	return 1
}

// leftOut says which blocks do not go on: empty text, which Anthropic refuses and
// which says nothing, and reasoning that it did not sign.
func (e *requestEncoder) leftOut(b turn.Block) bool {
	if b.Kind == turn.Thinking && b.Signature == "" {
		e.Drop(b.At, "is reasoning that this model's provider did not sign")
		return true
	}
	return (b.Kind == turn.Text || b.Kind == turn.Refusal) && b.Text == ""
}

func (e *requestEncoder) system() {
	blocks := slices.Clone(e.req.System)
	for _, m := range e.req.Messages {
		if m.Role == turn.System {
			e.Drop(m.At, "goes on before the conversation, where this model's provider has what the system says")
			blocks = append(blocks, m.Blocks...)
		}
	}
	blocks = slices.DeleteFunc(blocks, e.leftOut)
	switch len(blocks) {
	case 0:
	case 1:
		e.w.Key("system").Str(blocks[0].Text)
	default:
		e.w.Key("system")
		e.blocks(blocks)
	}
}

func (e *requestEncoder) message(m *turn.Message) {
	role := "user"
	if m.Role == turn.Assistant {
		role = "assistant"
	}
	e.w.Obj().Key("role").Str(role).Key("content")
	if len(m.Blocks) == 1 && m.Blocks[0].Kind == turn.Text {
		e.w.Str(m.Blocks[0].Text)
	} else {
		e.blocks(m.Blocks)
	}
	e.w.EndObj()
}

func (e *requestEncoder) blocks(blocks []turn.Block) {
	e.w.Arr()
	for i := range blocks {
		e.block(&blocks[i])
	}
	e.w.EndArr()
}

// notInID is what Anthropic does not take in the id of a call.
var notInID = regexp.MustCompile(`[^a-zA-Z0-9_-]`)

// callID gives the id of a call, and of its result, as Anthropic takes it. Ids mean
// nothing but each other, and the client does not see these.
func (e *requestEncoder) callID(id string) string {
	if clean, ok := e.ids[id]; ok {
		return clean
	}
	clean := notInID.ReplaceAllString(id, "_")
	for e.taken[clean] {
		clean += "_"
	}
	e.ids[id], e.taken[clean] = clean, true
	return clean
}

func (e *requestEncoder) block(b *turn.Block) {
	switch b.Kind {
	case turn.Text, turn.Refusal:
		e.w.Obj().Key("type").Str("text").Key("text").Str(b.Text).EndObj()
	case turn.Image:
		e.image(b)
	case turn.Document:
		e.document(b)
	case turn.ToolCall:
		e.w.Obj().Key("type").Str("tool_use").Key("id").Str(e.callID(b.ID)).Key("name").Str(e.names.Flat(b.Namespace, b.Name))
		e.w.Key("input").Raw(turn.FunctionArguments(b)).EndObj()
	case turn.ToolResult:
		e.result(b)
	case turn.Thinking:
		e.w.Obj().Key("type").Str("thinking").Key("thinking").Str(b.Text).Key("signature").Str(b.Signature).EndObj()
	case turn.Redacted:
		e.w.Obj().Key("type").Str("redacted_thinking").Key("data").Str(b.Signature).EndObj()
	}
}

func (e *requestEncoder) result(b *turn.Block) {
	e.w.Obj().Key("type").Str("tool_result").Key("tool_use_id").Str(e.callID(b.ID))
	content := slices.DeleteFunc(slices.Clone(b.Content), e.leftOut)
	switch {
	case len(content) == 1 && content[0].Kind == turn.Text:
		e.w.Key("content").Str(content[0].Text)
	case len(content) > 0:
		e.w.Key("content")
		e.blocks(content)
	}
	if b.IsError {
		e.w.Key("is_error").Bool(true)
	}
	e.w.EndObj()
}

var imageTypes = []string{"image/jpeg", "image/png", "image/gif", "image/webp"}

func (e *requestEncoder) image(b *turn.Block) {
	s := b.Source
	if s.Detail != "" && s.Detail != "auto" {
		e.Drop("detail", "cannot be said to this model's provider, which chooses it itself")
	}
	if s.URL == "" && !slices.Contains(imageTypes, s.MediaType) {
		e.Refuse(b.At, "must be a JPEG, PNG, GIF or WebP image for this model's provider")
	}
	e.w.Obj().Key("type").Str("image").Key("source")
	e.source(&s)
	e.w.EndObj()
}

func (e *requestEncoder) document(b *turn.Block) {
	s := b.Source
	if s.URL == "" && s.Data != "" && s.MediaType != "application/pdf" {
		e.Refuse(b.At, "must be a PDF for this model's provider")
	}
	e.w.Obj().Key("type").Str("document").Key("source")
	e.source(&s)
	if s.Name != "" {
		e.w.Key("title").Str(s.Name)
	}
	e.w.EndObj()
}

func (e *requestEncoder) source(s *turn.Source) {
	e.w.Obj()
	switch {
	case s.URL != "":
		e.w.Key("type").Str("url").Key("url").Str(s.URL)
	case s.Data != "":
		e.w.Key("type").Str("base64").Key("media_type").Str(s.MediaType).Key("data").Str(s.Data)
	default:
		e.w.Key("type").Str("text").Key("media_type").Str("text/plain").Key("data").Str(s.Text)
	}
	e.w.EndObj()
}
