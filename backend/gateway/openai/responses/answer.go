package responses

import (
	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// EncodeAnswer writes a for a client that asked by Responses.
func EncodeAnswer(a *turn.Answer, r turn.Reply, asked *Asked) []byte {
	refusal := false
	for _, b := range a.Blocks {
		refusal = refusal || b.Kind == turn.Refusal
	}
	state := statusOf(a.Stop, refusal)
	output := wire.Writer{}
	n := 0
	for i, b := range a.Blocks {
		status := completed.name
		if i == len(a.Blocks)-1 {
			status = state.name
		}
		if it, ok := newItem(&b, &r, asked, n); ok {
			it.write(&output, status, asked.encrypted)
			n++
		}
	}
	w := wire.Writer{}
	writeResponse(&w, &r, asked, a.Model, state, output.B, &a.Usage)
	return w.B
}

// newItem makes the item of a block; ok is false for reasoning of which there is
// nothing to show.
func newItem(b *turn.Block, r *turn.Reply, asked *Asked, n int) (item, bool) {
	it := item{kind: b.Kind, callID: b.ID, body: escape(b.Text), signature: escape(b.Signature)}
	if b.Kind == turn.ToolCall {
		it.tool, it.body = r.Names.Origin(b.Name), escape(b.Arguments)
	}
	it.id = itemID(b.Kind, it.tool.Custom, r.ID, n)
	return it, b.Kind != turn.Redacted || asked.encrypted
}

// escape gives the body of the JSON string of s.
func escape(s string) []byte {
	if s == "" {
		return nil
	}
	quoted := gjson.AppendJSONString(nil, s)
	return quoted[1 : len(quoted)-1]
}
