package turn

import "strings"

// Marks of reasoning that went out to a client as opaque content. They tell it from
// the content of other providers, which an upstream would refuse.
const (
	sealThinking = "mlxbar.thinking:"
	sealRedacted = "mlxbar.redacted:"
)

// Seal gives what a client must bring back for the reasoning to be taken again,
// "" if nothing does.
func Seal(b *Block) string {
	switch {
	case b.Signature == "":
		return ""
	case b.Kind == Redacted:
		return sealRedacted + b.Signature
	}
	return sealThinking + b.Signature
}

// Unseal is the way back; ok is false for content that was not sealed here.
func Unseal(sealed, text string) (b Block, ok bool) {
	if s, ok := strings.CutPrefix(sealed, sealThinking); ok && s != "" {
		return Block{Kind: Thinking, Text: text, Signature: s}, true
	}
	if s, ok := strings.CutPrefix(sealed, sealRedacted); ok && s != "" {
		return Block{Kind: Redacted, Signature: s}, true
	}
	return Block{Kind: Thinking, Text: text}, false
}
