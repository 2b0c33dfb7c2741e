package anthropic

import (
	"strings"

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
	if ReportsFailure(body) {
		return nil, ParseReported(name, body)
	}
	if root.Get("type").Str != "message" || !root.Get("content").IsArray() {
		return nil, malformed(name, "answered without a message")
	}
	a := &turn.Answer{
		ID: root.Get("id").Str, Model: root.Get("model").Str, Stop: stopOf(root.Get("stop_reason").Str),
		StopSequence: root.Get("stop_sequence").Str, Usage: addUsage(turn.Usage{}, root.Get("usage")),
	}
	for _, v := range root.Get("content").Array() {
		b := turn.Block{}
		switch v.Get("type").Str {
		case "text":
			b.Text = v.Get("text").Str
		case "thinking":
			b.Kind, b.Text, b.Signature = turn.Thinking, v.Get("thinking").Str, v.Get("signature").Str
		case "redacted_thinking":
			b.Kind, b.Signature = turn.Redacted, v.Get("data").Str
		case "tool_use":
			b.Kind, b.ID, b.Name, b.Arguments = turn.ToolCall, v.Get("id").Str, v.Get("name").Str, wire.Compact(v.Get("input").Raw)
			if b.ID == "" || b.Name == "" || !v.Get("input").IsObject() {
				return nil, malformed(name, "called a tool without id, name or input")
			}
			if turn.Called(a.Blocks, b.ID) {
				return nil, malformed(name, "called two tools under one id")
			}
		default:
			return nil, malformed(name, "answered with a kind of block that it was not asked for")
		}
		a.Blocks = append(a.Blocks, b)
	}
	return a, nil
}

// EncodeAnswer writes a for a client that asked by Messages. The arguments of a call
// that the limit of tokens cut off are no object, which Messages has no way to say.
func EncodeAnswer(a *turn.Answer, r turn.Reply) ([]byte, *problem.Error) {
	w := wire.Writer{}
	w.Obj().Key("id").Str("msg_" + r.ID).Key("type").Str("message").Key("role").Str("assistant").Key("model").Str(model(a.Model, r))
	w.Key("content").Arr()
	stop := a.Stop
	for _, b := range a.Blocks {
		switch b.Kind {
		case turn.Text, turn.Refusal:
			if b.Kind == turn.Refusal {
				stop = turn.Refused
			}
			w.Obj().Key("type").Str("text").Key("text").Str(b.Text).EndObj()
		case turn.Thinking:
			w.Obj().Key("type").Str("thinking").Key("thinking").Str(b.Text).Key("signature").Str(b.Signature).EndObj()
		case turn.Redacted:
			w.Obj().Key("type").Str("redacted_thinking").Key("data").Str(b.Signature).EndObj()
		case turn.ToolCall:
			input := strings.TrimSpace(b.Arguments)
			if !turn.IsObject(input) {
				return nil, problem.New(problem.UpstreamMalformed, "The model called a tool with arguments that are no JSON object; they may have been cut off by max_tokens.")
			}
			b = r.Names.Restore(b)
			w.Obj().Key("type").Str("tool_use").Key("id").Str(b.ID).Key("name").Str(b.Name).Key("input").Raw(input).EndObj()
		}
	}
	w.EndArr()
	writeStop(&w, stop, a.StopSequence)
	w.Key("usage")
	writeUsage(&w, &a.Usage)
	return w.EndObj().B, nil
}

func writeStop(w *wire.Writer, stop turn.Stop, sequence string) {
	w.Key("stop_reason").Str(stopReason(stop)).Key("stop_sequence")
	if sequence == "" {
		w.Raw("null")
		return
	}
	w.Str(sequence)
}

func writeUsage(w *wire.Writer, u *turn.Usage) {
	w.Obj().Key("input_tokens").Int(fresh(u)).Key("cache_creation_input_tokens").Int(u.CacheWrite)
	w.Key("cache_read_input_tokens").Int(u.CacheRead).Key("output_tokens").Int(u.Output)
	if u.ReasoningTokens > 0 {
		w.Key("output_tokens_details").Obj().Key("thinking_tokens").Int(u.ReasoningTokens).EndObj()
	}
	w.EndObj()
}

func model(upstream string, r turn.Reply) string {
	if r.Model != "" {
		return r.Model
	}
	return upstream
}

// EncodeTokens writes the answer to a count of tokens.
func EncodeTokens(n int64) []byte {
	w := wire.Writer{}
	return w.Obj().Key("input_tokens").Int(n).EndObj().B
}

// A Model is one line of the model list.
type Model struct {
	ID      string
	Name    string // for people; "" for the id
	Created string // RFC 3339; "" for one that is not known
}

// EncodeModel writes one model.
func EncodeModel(m Model) []byte {
	w := wire.Writer{}
	writeModel(&w, m)
	return w.B
}

// EncodeModels writes a whole list as one page.
func EncodeModels(models []Model) []byte {
	w := wire.Writer{}
	w.Obj().Key("data").Arr()
	for _, m := range models {
		writeModel(&w, m)
	}
	w.EndArr().Key("has_more").Bool(false)
	for _, edge := range []string{"first_id", "last_id"} {
		w.Key(edge)
		switch {
		case len(models) == 0:
			w.Raw("null")
		case edge == "first_id":
			w.Str(models[0].ID)
		default:
			w.Str(models[len(models)-1].ID)
		}
	}
	return w.EndObj().B
}

func writeModel(w *wire.Writer, m Model) {
	if m.Name == "" {
		m.Name = m.ID
	}
	if m.Created == "" { // what Anthropic writes for a date that it does not know
		m.Created = "1970-01-01T00:00:00Z"
	}
	w.Obj().Key("type").Str("model").Key("id").Str(m.ID).Key("display_name").Str(m.Name).Key("created_at").Str(m.Created).EndObj()
}
