package convert

import (
	"strings"
	"testing"

	"mlxbar/backend/gateway/turn"
)

func conversion(b *testing.B, direction, dir string) *Conversion {
	b.Helper()
	raw, ok := read("testdata/" + direction + "/" + dir + "/request.in.json")
	if !ok {
		b.Fatal("no request")
	}
	d := directions[direction]
	c, fault := New(d[0], d[1], raw, options(direction))
	if fault != nil {
		b.Fatal(fault)
	}
	return c
}

// BenchmarkRequest converts what a coding agent sends.
func BenchmarkRequest(b *testing.B) {
	for direction, dir := range map[string]string{"messages-chat": "claude-code", "responses-messages": "codex", "chat-messages": "tools"} {
		raw, _ := read("testdata/" + direction + "/" + dir + "/request.in.json")
		benchmarkNew(b, direction, raw)
	}
}

// benchmarkNew converts one request over and over.
func benchmarkNew(b *testing.B, direction string, raw []byte) {
	d := directions[direction]
	b.Run(direction, func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			if _, fault := New(d[0], d[1], raw, options(direction)); fault != nil {
				b.Fatal(fault)
			}
		}
	})
}

// BenchmarkEvent converts one token in mid-stream.
func BenchmarkEvent(b *testing.B) {
	chatBegin := []string{`{"id":"x","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}`}
	chatToken := `{"choices":[{"finish_reason":null,"index":0,"delta":{"content":" glad"}}],"created":1795495167,"id":"chatcmpl-yn8mqDu6lYUdzM3X0mkpxG2ilIfuxCSt","model":"smollm2-135m-instruct","object":"chat.completion.chunk"}`
	messagesBegin := []string{
		`{"type":"message_start","message":{"id":"x","model":"m","usage":{"input_tokens":1,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
	}
	messagesToken := `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" glad"}}`
	for _, c := range []struct {
		direction, dir, token string
		begin                 []string
	}{
		{"messages-chat", "claude-code", chatToken, chatBegin},
		{"messages-chat", "claude-code", strings.Replace(chatToken, " glad", `\n\"glad\" `, 1), chatBegin},
		{"responses-chat", "codex", chatToken, chatBegin},
		{"chat-messages", "plain", messagesToken, messagesBegin},
		{"responses-messages", "codex", messagesToken, messagesBegin},
	} {
		b.Run(c.direction, func(b *testing.B) {
			stream := conversion(b, c.direction, c.dir).NewStream()
			for _, data := range c.begin {
				mustFeed(b, stream, nil, []byte(data))
			}
			var out []byte
			data := []byte(c.token)
			b.ReportAllocs()
			for b.Loop() {
				out = mustFeed(b, stream, out[:0], data)
			}
			if len(out) == 0 {
				b.Fatal("nothing came out")
			}
		})
	}
}

func mustFeed(b *testing.B, c *turn.Converter, dst, data []byte) []byte {
	out, fault := c.Feed(dst, data)
	if fault != nil {
		b.Fatal(fault)
	}
	return out
}
