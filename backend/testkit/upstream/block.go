package upstream

import "strings"

type blockKind int

const (
	text blockKind = iota
	thinking
	toolCall
)

// A block is one part of an answer, in the pieces in which it is streamed. What protocols call
// tokens are the pieces.
type block struct {
	kind     blockKind
	pieces   []string
	id, name string // of a tool call, whose pieces are its arguments; the id without its protocol's prefix
}

func (b block) whole() string { return strings.Join(b.pieces, "") }

// Signature is what a provider gives out with its model's thinking, to know it again.
const Signature = "c2lnbmVkIGJ5IHRoZSB1cHN0cmVhbQ=="

// Arguments are those of every tool call that is as it should be.
const Arguments = `{"city":"` + Marker + `"}`

// The second call is of another tool, so that nobody can take it for the first.
var (
	firstCall  = block{kind: toolCall, id: "upstream1", name: "weather", pieces: []string{`{"city"`, `:"`, Marker, `"}`}}
	secondCall = block{kind: toolCall, id: "upstream2", name: "time", pieces: []string{`{"city":"` + Marker, `"}`}}
)

// Reasoning is what the script "thinking" thinks.
const Reasoning = Marker + " is what one thinks of"

// Unicode is what the script "unicode" says: characters of two, three and four bytes.
const Unicode = "Marzipän \u2028 杏仁 🍬 " + Marker

func said(pieces ...string) block { return block{kind: text, pieces: pieces} }

// contents are the scripts that answer something else than a text, and are well behaved otherwise or
// wrong in what they say.
var contents = map[string][]block{
	"tools":    {firstCall},
	"parallel": {said(Marker, " first"), firstCall, secondCall},
	"thinking": {{kind: thinking, pieces: []string{Marker, " is what", " one thinks of"}}, said(Marker, " it is")},
	"json":     {said(`{"city"`, `:"`, Marker, `"}`)},
	"unicode":  {said("Marzip", "än \u2028 杏", "仁 🍬 ", Marker)},
	"twins":    {firstCall, {kind: toolCall, id: firstCall.id, name: secondCall.name, pieces: secondCall.pieces}},
	"no-json":  {{kind: toolCall, id: firstCall.id, name: firstCall.name, pieces: []string{`{"city":`, Marker, `}`}}},
}

// content answers with what the script's name stands for.
func content(x *exchange) { x.transformed(x.build(x.blocks()), x.usage, unchanged) }

// blocks are what the script says; an endpoint that has text alone gets that.
func (x *exchange) blocks() []block {
	b, ok := contents[x.name]
	if !ok || x.endpoint == completions {
		b = []block{said(pieces(x.n)...)}
	}
	return b
}

// stopped is why an answer of blocks ends, in the words of chat and of Messages.
func stopped(blocks []block) (chat, messages string) {
	for _, b := range blocks {
		if b.kind == toolCall {
			return "tool_calls", "tool_use"
		}
	}
	return "stop", "end_turn"
}

// tokensOf counts the tokens of an answer, and those of them that were thought.
func tokensOf(blocks []block) (all, thought int) {
	for _, b := range blocks {
		all += len(b.pieces)
		if b.kind == thinking {
			thought += len(b.pieces)
		}
	}
	return all, thought
}
