package responses

import (
	"strconv"

	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// An item is one part of a response's output. Its text is the body of a JSON
// string, so that what came in pieces is written without another look.
type item struct {
	kind      turn.Kind
	id        string
	callID    string
	tool      turn.Tool // of a call
	body      []byte
	signature []byte // of reasoning
}

var prefixes = map[turn.Kind]string{turn.Thinking: "rs_", turn.Redacted: "rs_", turn.ToolCall: "fc_"}

// itemID names the nth item of a response.
func itemID(kind turn.Kind, custom bool, response string, n int) string {
	prefix, ok := prefixes[kind]
	switch {
	case !ok:
		prefix = "msg_"
	case custom:
		prefix = "ctc_"
	}
	return prefix + response + "_" + strconv.Itoa(n)
}

// write writes the item as it is when its status is such.
func (i *item) write(w *wire.Writer, status string, encrypted bool) {
	w.Obj().Key("id").Str(i.id)
	switch {
	case i.kind == turn.Thinking || i.kind == turn.Redacted:
		i.writeReasoning(w, status, encrypted)
	case i.kind == turn.ToolCall && i.tool.Custom:
		w.Key("type").Str("custom_tool_call").Key("status").Str(status)
		i.writeName(w)
		w.Key("input").Str(turn.CustomInput(wire.Unescape(i.body)))
	case i.kind == turn.ToolCall:
		w.Key("type").Str("function_call").Key("status").Str(status)
		i.writeName(w)
		w.Key("arguments").Bodies(i.body)
	default:
		w.Key("type").Str("message").Key("status").Str(status).Key("role").Str("assistant").Key("content").Arr()
		if status != inProgress.name {
			i.writePart(w, i.body)
		}
		w.EndArr()
	}
	w.EndObj()
}

func (i *item) writeName(w *wire.Writer) {
	w.Key("call_id").Str(i.callID).Key("name").Str(i.tool.Name)
	if i.tool.Namespace != "" {
		w.Key("namespace").Str(i.tool.Namespace)
	}
}

// writeReasoning shows reasoning as its summary, which is where clients look, and
// seals what its provider wants back, if the client asked for it.
func (i *item) writeReasoning(w *wire.Writer, status string, encrypted bool) {
	w.Key("type").Str("reasoning").Key("summary").Arr()
	if len(i.body) > 0 && status != inProgress.name {
		w.Obj().Key("type").Str("summary_text").Key("text").Bodies(i.body).EndObj()
	}
	w.EndArr()
	if encrypted && status != inProgress.name {
		if sealed := turn.Seal(&turn.Block{Kind: i.kind, Signature: wire.Unescape(i.signature)}); sealed != "" {
			w.Key("encrypted_content").Str(sealed)
		}
	}
}

// writePart writes the part of a message's content that holds text.
func (i *item) writePart(w *wire.Writer, body []byte) {
	if i.kind == turn.Refusal {
		w.Obj().Key("type").Str("refusal").Key("refusal").Bodies(body).EndObj()
		return
	}
	w.Obj().Key("type").Str("output_text").Key("annotations").Arr().EndArr().Key("logprobs").Arr().EndArr()
	w.Key("text").Bodies(body).EndObj()
}
