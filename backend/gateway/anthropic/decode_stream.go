package anthropic

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// A Decoder reads a stream of Messages events.
type Decoder struct {
	name  string // of the upstream, for errors
	began bool
	open  bool // a block is
	block turn.Kind
	empty bool     // the call that is open has no arguments so far
	input string   // what its beginning said of them
	ids   []string // of the calls so far
	said  []byte   // the arguments of the call that is open, as far as they came
	wrong bool     // the arguments of a call are no JSON
	ended bool
	done  bool
	usage turn.Usage
}

// NewDecoder makes a decoder for one answer of the upstream called name.
func NewDecoder(name string) *Decoder { return &Decoder{name: name} }

// Decode appends what an event means. Types of events that are not known are left
// out, as Anthropic's documents ask for.
func (d *Decoder) Decode(into []turn.Event, data []byte) ([]turn.Event, *problem.Error) {
	root, ok := wire.Object(data)
	if !ok {
		return into, malformed(d.name, "sent an event that is not of its protocol")
	}
	kind := root.Get("type").Str
	switch kind {
	case "error":
		return into, ParseReported(d.name, data)
	case "ping":
		return append(into, turn.Event{Kind: turn.Ping}), nil
	case "message_start":
		if d.began {
			return into, malformed(d.name, "began its answer twice")
		}
		d.began = true
		m := root.Get("message")
		d.usage = addUsage(d.usage, m.Get("usage"))
		return append(into, turn.Event{Kind: turn.Began, ID: m.Get("id").Str, Model: m.Get("model").Str, Usage: d.usage}), nil
	case "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop":
		if !d.began || d.done {
			return into, malformed(d.name, "sent an event out of its order")
		}
	}
	switch kind {
	case "content_block_start":
		return d.start(into, root.Get("content_block"))
	case "content_block_delta":
		return d.delta(into, root.Get("delta"))
	case "content_block_stop":
		return d.stop(into)
	case "message_delta":
		return d.end(into, root)
	case "message_stop":
		if d.ended {
			return d.Close(into)
		}
		return into, malformed(d.name, "ended its answer without a reason")
	}
	return into, nil
}

func (d *Decoder) start(into []turn.Event, v gjson.Result) ([]turn.Event, *problem.Error) {
	if d.open || d.ended {
		return into, malformed(d.name, "sent an event out of its order")
	}
	e := turn.Event{Kind: turn.BlockBegan}
	var first, signature string
	switch v.Get("type").Str {
	case "text":
		e.Block, first = turn.Text, wire.Body(v.Get("text"))
	case "thinking":
		e.Block, first, signature = turn.Thinking, wire.Body(v.Get("thinking")), wire.Body(v.Get("signature"))
	case "redacted_thinking":
		e.Block, e.Body = turn.Redacted, wire.Body(v.Get("data"))
	case "tool_use":
		e.Block, e.ID, e.Name = turn.ToolCall, v.Get("id").Str, v.Get("name").Str
		if e.ID == "" || e.Name == "" {
			return into, malformed(d.name, "called a tool without id or name")
		}
		if slices.Contains(d.ids, e.ID) {
			return into, malformed(d.name, "called two tools under one id")
		}
		d.ids = append(d.ids, strings.Clone(e.ID))
		d.empty, d.input, d.said = true, strings.Clone(v.Get("input").Raw), d.said[:0]
	default:
		return into, malformed(d.name, "answered with a kind of block that it was not asked for")
	}
	d.open, d.block = true, e.Block
	into = append(into, e)
	if first != "" {
		into = append(into, turn.Event{Kind: turn.Delta, Block: e.Block, Body: first})
	}
	if signature != "" {
		into = append(into, turn.Event{Kind: turn.Signature, Block: e.Block, Body: signature})
	}
	return into, nil
}

// deltas are the kinds of delta, and the blocks that they are for.
var deltas = []struct {
	kind, member string
	block        turn.Kind
	event        turn.EventKind
}{
	{"text_delta", "text", turn.Text, turn.Delta},
	{"input_json_delta", "partial_json", turn.ToolCall, turn.Delta},
	{"thinking_delta", "thinking", turn.Thinking, turn.Delta},
	{"signature_delta", "signature", turn.Thinking, turn.Signature},
}

func (d *Decoder) delta(into []turn.Event, v gjson.Result) ([]turn.Event, *problem.Error) {
	kind := v.Get("type").Str
	for _, k := range deltas {
		if k.kind != kind {
			continue
		}
		if !d.open || d.block != k.block {
			return into, malformed(d.name, "sent an event out of its order")
		}
		body := wire.Body(v.Get(k.member))
		if body == "" {
			return into, nil
		}
		d.empty = false
		if k.block == turn.ToolCall {
			d.said = append(d.said, body...)
		}
		return append(into, turn.Event{Kind: k.event, Block: k.block, Body: body}), nil
	}
	return into, nil // citations, and what is to come
}

func (d *Decoder) stop(into []turn.Event) ([]turn.Event, *problem.Error) {
	if !d.open {
		return into, malformed(d.name, "sent an event out of its order")
	}
	d.wrong = d.wrong || d.block == turn.ToolCall && !d.empty && !wire.ValidString(wire.Unescape(d.said))
	if d.block == turn.ToolCall && d.empty { // no deltas: the beginning said it all
		if d.input == "" {
			d.input = "{}"
		}
		body := gjson.AppendJSONString(nil, d.input)
		into = append(into, turn.Event{Kind: turn.Delta, Block: turn.ToolCall, Body: wire.View(body[1 : len(body)-1])})
	}
	d.open = false
	return append(into, turn.Event{Kind: turn.BlockEnded, Block: d.block}), nil
}

func (d *Decoder) end(into []turn.Event, root gjson.Result) ([]turn.Event, *problem.Error) {
	d.usage = addUsage(d.usage, root.Get("usage"))
	reason := root.Get("delta.stop_reason")
	if reason.Type != gjson.String || d.ended {
		return into, nil
	}
	if d.open {
		return into, malformed(d.name, "sent an event out of its order")
	}
	d.ended = true
	stop := stopOf(reason.Str)
	if d.wrong && stop != turn.MaxTokens { // which may cut arguments off
		return into, malformed(d.name, "called a tool with arguments that are no JSON")
	}
	return append(into, turn.Event{Kind: turn.Ended, Stop: stop, StopSequence: root.Get("delta.stop_sequence").Str}), nil
}

// Close appends the end of an answer that is whole. One that says why it ended lacks
// nothing, even if its stream breaks off before message_stop.
func (d *Decoder) Close(into []turn.Event) ([]turn.Event, *problem.Error) {
	if !d.ended {
		return into, problem.Newf(problem.UpstreamCut, "%s broke its answer off.", d.name)
	}
	d.done = true
	return append(into, turn.Event{Kind: turn.Done, Usage: d.usage}), nil
}
