package convert

import (
	"encoding/json"
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"mlxbar/backend/gateway/turn"
)

// What a conversation can hold that every protocol can say.

func drawText(t *rapid.T, label string) string {
	return rapid.StringOfN(rapid.RuneFrom([]rune("ab \"\\\n\t<é😀\u2028")), 1, 12, -1).Draw(t, label)
}

func drawArguments(t *rapid.T) string {
	v := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "é\"x"}), rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.Int32(), func(n int32) any { return n }),
	), 0, 3).Draw(t, "arguments")
	raw, _ := json.Marshal(v)
	return string(raw)
}

func drawRequest(t *rapid.T) *turn.Request {
	r := &turn.Request{Model: "m", Stream: rapid.Bool().Draw(t, "stream")}
	if rapid.Bool().Draw(t, "system") {
		r.System = []turn.Block{{Text: drawText(t, "system text")}}
	}
	calls := 0
	for range rapid.IntRange(1, 4).Draw(t, "rounds") {
		user := turn.Message{Blocks: []turn.Block{{Text: drawText(t, "user")}}}
		if rapid.Bool().Draw(t, "image") {
			user.Blocks = append(user.Blocks, turn.Block{Kind: turn.Image, Source: turn.Source{MediaType: "image/png", Data: "iVBORw0KGgo="}})
		}
		said := turn.Message{Role: turn.Assistant}
		if rapid.Bool().Draw(t, "says") {
			said.Blocks = append(said.Blocks, turn.Block{Text: drawText(t, "assistant")})
		}
		var results turn.Message
		for range rapid.IntRange(0, 3).Draw(t, "calls") {
			id := fmt.Sprintf("call_%d", calls)
			calls++
			said.Blocks = append(said.Blocks, turn.Block{Kind: turn.ToolCall, ID: id, Name: rapid.SampledFrom([]string{"f", "g"}).Draw(t, "tool"), Arguments: drawArguments(t)})
			results.Blocks = append(results.Blocks, turn.Block{Kind: turn.ToolResult, ID: id, Content: []turn.Block{{Text: drawText(t, "result")}}})
		}
		if len(said.Blocks) == 0 {
			said.Blocks = []turn.Block{{Text: "."}}
		}
		r.Messages = append(r.Messages, user, said)
		if len(results.Blocks) > 0 {
			r.Messages = append(r.Messages, results, turn.Message{Role: turn.Assistant, Blocks: []turn.Block{{Text: "ok"}}})
		}
	}
	r.Messages = append(r.Messages, turn.Message{Blocks: []turn.Block{{Text: "go on"}}})
	drawSettings(t, r)
	return r
}

func drawSettings(t *rapid.T, r *turn.Request) {
	limit := rapid.Int64Range(1, 4096).Draw(t, "max tokens")
	r.MaxTokens = &limit
	if rapid.Bool().Draw(t, "samples") {
		temperature, topP := rapid.SampledFrom([]float64{0, 0.25, 1}).Draw(t, "temperature"), 0.5
		r.Temperature, r.TopP = &temperature, &topP
	}
	r.Stop = rapid.SliceOfN(rapid.StringN(1, 4, -1), 0, 4).Draw(t, "stop")
	if len(r.Stop) == 0 {
		r.Stop = nil
	}
	if rapid.Bool().Draw(t, "tools") {
		strict := true
		r.Tools = []turn.Tool{
			{Name: "f", Description: drawText(t, "description"), Schema: `{"type":"object","properties":{"a":{"type":"string"}}}`},
			{Name: "g", Schema: `{"type":"object","properties":{},"additionalProperties":false}`, Strict: &strict},
		}
		r.Choice.Mode = rapid.SampledFrom([]turn.Mode{turn.Auto, turn.None, turn.Required, turn.Named}).Draw(t, "choice")
		if r.Choice.Mode == turn.Named {
			r.Choice.Name = "g"
		}
		if r.Choice.Mode != turn.None && rapid.Bool().Draw(t, "says whether parallel") {
			parallel := rapid.Bool().Draw(t, "parallel")
			r.Parallel = &parallel
		}
	}
	if rapid.Bool().Draw(t, "schema") {
		strict := true
		r.Format = turn.Format{Kind: turn.JSONSchema, Name: "answer", Schema: `{"type":"object","properties":{},"additionalProperties":false}`, Strict: &strict}
	}
	if rapid.Bool().Draw(t, "named user") {
		r.User = drawText(t, "user id")
	}
}

// drawAnswer makes an answer that chat and Messages can both say.
func drawAnswer(t *rapid.T) *turn.Answer {
	a := &turn.Answer{ID: "x", Model: "served", Stop: turn.EndTurn}
	if rapid.Bool().Draw(t, "thinks") {
		a.Blocks = append(a.Blocks, turn.Block{Kind: turn.Thinking, Text: drawText(t, "thinking")})
	}
	if rapid.Bool().Draw(t, "says") {
		a.Blocks = append(a.Blocks, turn.Block{Text: drawText(t, "text")})
	}
	for n := range rapid.IntRange(0, 3).Draw(t, "calls") {
		a.Blocks = append(a.Blocks, turn.Block{Kind: turn.ToolCall, ID: fmt.Sprintf("call_%d", n), Name: "f", Arguments: drawArguments(t)})
		a.Stop = turn.ToolUse
	}
	if a.Stop == turn.EndTurn {
		a.Stop = rapid.SampledFrom([]turn.Stop{turn.EndTurn, turn.MaxTokens}).Draw(t, "stop")
	}
	a.Usage = turn.Usage{Known: true, CacheRead: rapid.Int64Range(0, 50).Draw(t, "cached"), Output: rapid.Int64Range(1, 99).Draw(t, "output")}
	a.Usage.Input = a.Usage.CacheRead + rapid.Int64Range(1, 99).Draw(t, "input")
	return a
}

// pieces cuts s between any two of its characters.
func pieces(t *rapid.T, s string) (cut []string) {
	runes := []rune(s)
	for len(runes) > 0 {
		n := rapid.IntRange(1, len(runes)).Draw(t, "piece")
		cut = append(cut, string(runes[:n]))
		runes = runes[n:]
	}
	return cut
}

func quote(s string) string {
	raw, _ := json.Marshal(s)
	return string(raw)
}

// chatStream writes a as a server might: in any pieces, and with the arguments of
// parallel calls in any order.
func chatStream(t *rapid.T, a *turn.Answer) (events []string) {
	chunk := func(delta, finish string) {
		events = append(events, fmt.Sprintf(`{"id":"x","model":"served","choices":[{"index":0,"delta":{%s},"finish_reason":%s}]}`, delta, finish))
	}
	chunk(`"role":"assistant"`, "null")
	var waiting [][]string // the pieces of each call
	for _, b := range a.Blocks {
		switch b.Kind {
		case turn.Thinking:
			for _, p := range pieces(t, b.Text) {
				chunk(`"reasoning_content":`+quote(p), "null")
			}
		case turn.Text:
			for _, p := range pieces(t, b.Text) {
				chunk(`"content":`+quote(p), "null")
			}
		case turn.ToolCall:
			n := len(waiting)
			list := []string{fmt.Sprintf(`"tool_calls":[{"index":%d,"id":%q,"type":"function","function":{"name":"f","arguments":""}}]`, n, b.ID)}
			for _, p := range pieces(t, b.Arguments) {
				list = append(list, fmt.Sprintf(`"tool_calls":[{"index":%d,"function":{"arguments":%s}}]`, n, quote(p)))
			}
			waiting = append(waiting, list)
		}
	}
	for {
		var ready []int // a call begins only after those before it have
		for i, parts := range waiting {
			if len(parts) > 0 {
				ready = append(ready, i)
			}
			if len(parts) > 0 && strings.Contains(parts[0], `"id"`) {
				break
			}
		}
		if len(ready) == 0 {
			break
		}
		i := rapid.SampledFrom(ready).Draw(t, "which call")
		chunk(waiting[i][0], "null")
		waiting[i] = waiting[i][1:]
	}
	chunk("", quote(map[turn.Stop]string{turn.EndTurn: "stop", turn.MaxTokens: "length", turn.ToolUse: "tool_calls"}[a.Stop]))
	events = append(events, fmt.Sprintf(`{"id":"x","model":"served","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"prompt_tokens_details":{"cached_tokens":%d}}}`,
		a.Usage.Input, a.Usage.Output, a.Usage.CacheRead), "[DONE]")
	return events
}
