package upstream

import (
	"slices"

	"github.com/tidwall/gjson"
)

// echoed is how many characters of a message a token of the script "echo" has.
const echoed = 8

// echo says what the last message said, so that a client can be told anything: Markdown, HTML, code.
func echo(x *exchange) {
	text := []rune(gjson.GetBytes(x.body, "messages.@reverse.0.content").String())
	var parts []string
	for part := range slices.Chunk(text, echoed) {
		parts = append(parts, string(part))
	}
	if parts == nil {
		parts = []string{Marker}
	}
	x.transformed(x.build([]block{said(parts...)}), x.usage, unchanged)
}
