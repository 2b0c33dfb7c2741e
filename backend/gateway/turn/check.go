package turn

import (
	"slices"

	"mlxbar/backend/gateway/wire"
)

// Check refuses what no protocol can follow: two calls with one id, and a result
// of a call that was not made.
func Check(r *Request, out *wire.Reader) {
	calls := map[string]bool{}
	for _, m := range r.Messages {
		for _, b := range m.Blocks {
			switch {
			case b.Kind == ToolCall && calls[b.ID]:
				out.Refuse(b.At, "is a second tool call with the id of an earlier one; ids must differ")
			case b.Kind == ToolCall:
				calls[b.ID] = true
			case b.Kind == ToolResult && !calls[b.ID]:
				out.Refuse(b.At, "is the result of a tool call that no earlier message holds")
			}
		}
	}
	if r.Choice.Mode != Named {
		return
	}
	for _, t := range r.Tools {
		if t.Name == r.Choice.Name && t.Namespace == r.Choice.Namespace {
			return
		}
	}
	out.Refuse(r.Choice.At, "names a tool that is not among tools, or one that cannot be offered here")
}

// Called says whether one of blocks is a call with that id.
func Called(blocks []Block, id string) bool {
	return slices.ContainsFunc(blocks, func(b Block) bool { return b.Kind == ToolCall && b.ID == id })
}

// Offer keeps of r's tools those that allowed names, as the allowed_tools of a
// client's tool choice means it.
func (r *Request) Offer(allowed []Ref) {
	var kept []Tool
	for _, t := range r.Tools {
		for _, ref := range allowed {
			if t.Name == ref.Name && (ref.Namespace == "" || t.Namespace == ref.Namespace) {
				kept = append(kept, t)
				break
			}
		}
	}
	r.Tools = kept
}
