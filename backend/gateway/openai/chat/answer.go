package chat

import (
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/openai"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// DecodeAnswer reads an answer of the upstream called name.
func DecodeAnswer(name string, body []byte) (*turn.Answer, *problem.Error) {
	root, ok := wire.Object(body)
	if !ok {
		return nil, malformed(name, "answered with something that is not a JSON object")
	}
	if openai.ReportsFailure(body) {
		return nil, openai.ParseReported(name, body)
	}
	choice := root.Get("choices.0")
	message := choice.Get("message")
	if !message.IsObject() {
		return nil, malformed(name, "answered without a message")
	}
	a := &turn.Answer{ID: root.Get("id").Str, Model: root.Get("model").Str, Usage: usageOf(root)}
	refused := false
	for _, m := range textMembers {
		text := message.Get(m.name)
		if text.Type != gjson.String || text.Str == "" {
			continue
		}
		if m.kind == turn.Thinking && len(a.Blocks) > 0 { // some write both
			continue
		}
		refused = refused || m.kind == turn.Refusal
		a.Blocks = append(a.Blocks, turn.Block{Kind: m.kind, Text: text.Str})
	}
	calls := message.Get("tool_calls").Array()
	a.Stop = stopOf(choice.Get("finish_reason").Str, len(calls) > 0, refused)
	for i, c := range calls {
		b := turn.Block{Kind: turn.ToolCall, ID: c.Get("id").Str, Name: c.Get("function.name").Str, Arguments: c.Get("function.arguments").Str}
		if b.Name == "" {
			return nil, malformed(name, "called a tool without its name")
		}
		if b.ID == "" {
			b.ID = madeUpID(a.ID, i)
		}
		if turn.Called(a.Blocks, b.ID) {
			return nil, malformed(name, "called two tools under one id")
		}
		if strings.TrimSpace(b.Arguments) == "" {
			b.Arguments = "{}"
		}
		if a.Stop != turn.MaxTokens && !wire.ValidString(b.Arguments) {
			return nil, malformed(name, "called a tool with arguments that are no JSON")
		}
		a.Blocks = append(a.Blocks, b)
	}
	return a, nil
}

// EncodeAnswer writes a for a client that asked by Chat Completions.
func EncodeAnswer(a *turn.Answer, r turn.Reply) []byte {
	w := wire.Writer{}
	w.Obj().Key("id").Str("chatcmpl-" + r.ID).Key("object").Str("chat.completion").Key("created").Int(r.Created)
	w.Key("model").Str(model(a.Model, r)).Key("choices").Arr().Obj().Key("index").Int(0)
	w.Key("message").Obj().Key("role").Str("assistant")
	var text, thought, refusal strings.Builder
	var calls []turn.Block
	for _, b := range a.Blocks {
		switch b.Kind {
		case turn.Text:
			text.WriteString(b.Text)
		case turn.Thinking:
			thought.WriteString(b.Text)
		case turn.Refusal:
			refusal.WriteString(b.Text)
		case turn.ToolCall:
			calls = append(calls, r.Names.Restore(b))
		}
	}
	textOrNull(&w, "content", text.String())
	textOrNull(&w, "refusal", refusal.String())
	if thought.Len() > 0 {
		w.Key("reasoning_content").Str(thought.String())
	}
	if len(calls) > 0 {
		w.Key("tool_calls").Arr()
		for i := range calls {
			writeCall(&w, &calls[i])
		}
		w.EndArr()
	}
	w.EndObj().Key("logprobs").Raw("null").Key("finish_reason").Str(finishReason(a.Stop)).EndObj().EndArr()
	if a.Usage.Known {
		writeUsage(&w, &a.Usage)
	}
	return w.EndObj().B
}

func textOrNull(w *wire.Writer, key, text string) {
	w.Key(key)
	if text == "" {
		w.Raw("null")
		return
	}
	w.Str(text)
}

func writeCall(w *wire.Writer, b *turn.Block) {
	w.Obj().Key("id").Str(b.ID)
	if b.Custom {
		w.Key("type").Str("custom").Key("custom").Obj().Key("name").Str(b.Name).Key("input").Str(b.Arguments).EndObj().EndObj()
		return
	}
	w.Key("type").Str("function").Key("function").Obj().Key("name").Str(b.Name).Key("arguments").Str(b.Arguments).EndObj().EndObj()
}

func writeUsage(w *wire.Writer, u *turn.Usage) {
	w.Key("usage").Obj().Key("prompt_tokens").Int(u.Input).Key("completion_tokens").Int(u.Output).Key("total_tokens").Int(u.Input + u.Output)
	w.Key("prompt_tokens_details").Obj().Key("cached_tokens").Int(u.CacheRead).Key("cache_write_tokens").Int(u.CacheWrite).EndObj()
	w.Key("completion_tokens_details").Obj().Key("reasoning_tokens").Int(u.ReasoningTokens).EndObj().EndObj()
}

func model(upstream string, r turn.Reply) string {
	if r.Model != "" {
		return r.Model
	}
	return upstream
}
