package turn

import "slices"

// Merge joins messages that follow each other where join says so.
func Merge(messages []Message, join func(a, b *Message) bool) []Message {
	var merged []Message
	for i := range messages {
		m := messages[i]
		if n := len(merged); n > 0 && join(&merged[n-1], &m) {
			merged[n-1].Blocks = slices.Concat(merged[n-1].Blocks, m.Blocks)
			continue
		}
		merged = append(merged, m)
	}
	return merged
}

// SameSpeaker joins what one role says in a row.
func SameSpeaker(a, b *Message) bool { return a.Role == b.Role && a.Role != System }

// SameTurn joins what the assistant says in a row, and the results of its calls.
// Other messages of the user stay apart.
func SameTurn(a, b *Message) bool {
	return a.Role == b.Role && (a.Role == Assistant || a.Role == User && onlyResults(a) && onlyResults(b))
}

func onlyResults(m *Message) bool {
	return !slices.ContainsFunc(m.Blocks, func(b Block) bool { return b.Kind != ToolResult })
}
