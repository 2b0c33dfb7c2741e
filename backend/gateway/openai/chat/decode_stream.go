package chat

import (
	"bytes"
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/openai"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// A Decoder reads a stream of chat completion chunks. Blocks of an answer follow
// each other for whoever reads its events: what a server interleaves (the arguments
// of parallel calls, say) is held back until its turn comes.
type Decoder struct {
	name    string // of the upstream, for errors
	began   bool
	id      string
	open    *block // its deltas are passed on as they come
	held    []*block
	calls   []*block // of the whole answer, in the order of their beginning
	stop    turn.Stop
	ended   bool // a finish_reason was seen
	refused bool
	usage   turn.Usage
}

// block is one part of the answer as it comes.
type block struct {
	kind     turn.Kind
	index    int64 // of a call, as the server numbers them
	id, name string
	body     []byte // of a call all of it, of others what is held back
	closed   bool
	checked  int // so many bytes of body are known not to be complete
}

// NewDecoder makes a decoder for one answer of the upstream called name.
func NewDecoder(name string) *Decoder { return &Decoder{name: name} }

var doneData = []byte("[DONE]")

// Decode appends what a chunk means.
func (d *Decoder) Decode(into []turn.Event, data []byte) ([]turn.Event, *problem.Error) {
	if bytes.Equal(bytes.TrimSpace(data), doneData) {
		return d.Close(into)
	}
	root, ok := wire.Object(data)
	if !ok {
		return into, malformed(d.name, "sent an event that is not of its protocol")
	}
	if openai.ReportsFailure(data) {
		return into, openai.ParseReported(d.name, data)
	}
	if !d.began {
		d.began = true
		d.id = strings.Clone(root.Get("id").Str)
		into = append(into, turn.Event{Kind: turn.Began, ID: d.id, Model: strings.Clone(root.Get("model").Str)})
	}
	if usage := root.Get("usage"); usage.IsObject() {
		d.usage = usageOf(root)
	}
	choice := root.Get("choices.0")
	if !choice.IsObject() || choice.Get("index").Int() != 0 {
		return into, nil
	}
	into, err := d.delta(into, choice.Get("delta"))
	if err != nil {
		return into, err
	}
	if reason := choice.Get("finish_reason"); reason.Type == gjson.String && !d.ended {
		return d.finish(into, reason.Str)
	}
	return into, nil
}

// textMembers are the members of a delta that hold text. Servers that show their
// reasoning write it to one of two.
var textMembers = []struct {
	name string
	kind turn.Kind
}{{"reasoning_content", turn.Thinking}, {"reasoning", turn.Thinking}, {"content", turn.Text}, {"refusal", turn.Refusal}}

func (d *Decoder) delta(into []turn.Event, delta gjson.Result) ([]turn.Event, *problem.Error) {
	thought := false
	for _, m := range textMembers {
		v := delta.Get(m.name)
		body := wire.Body(v)
		if body == "" || (thought && m.kind == turn.Thinking) { // some write both
			continue
		}
		if d.ended {
			return into, malformed(d.name, "went on after the end of its answer")
		}
		thought = m.kind == turn.Thinking
		d.refused = d.refused || m.kind == turn.Refusal
		into = d.text(into, m.kind, body)
	}
	calls := delta.Get("tool_calls")
	if !calls.IsArray() {
		return into, nil
	}
	var err *problem.Error
	calls.ForEach(func(_, call gjson.Result) bool {
		into, err = d.call(into, call)
		return err == nil
	})
	return into, err
}

func (d *Decoder) text(into []turn.Event, kind turn.Kind, body string) []turn.Event {
	if d.open != nil && d.open.kind == kind {
		return append(into, turn.Event{Kind: turn.Delta, Block: kind, Body: body})
	}
	if len(d.held) > 0 {
		if last := d.held[len(d.held)-1]; last.kind == kind {
			last.body = append(last.body, body...)
			return d.advance(into)
		}
	}
	d.held = append(d.held, &block{kind: kind, body: []byte(body)})
	return d.advance(into)
}

// call takes a part of a tool call.
func (d *Decoder) call(into []turn.Event, v gjson.Result) ([]turn.Event, *problem.Error) {
	if d.ended {
		return into, malformed(d.name, "went on after the end of its answer")
	}
	id, name := v.Get("id").Str, v.Get("function.name").Str
	body := wire.Body(v.Get("function.arguments"))
	b := d.find(v.Get("index"), id)
	if i := v.Get("index"); b != nil && id != "" && b.id == id && i.Type == gjson.Number && b.index != i.Int() {
		return into, malformed(d.name, "called two tools under one id")
	}
	if b == nil {
		b = &block{kind: turn.ToolCall, index: int64(len(d.calls)), id: strings.Clone(id)}
		if i := v.Get("index"); i.Type == gjson.Number {
			b.index = i.Int()
		}
		d.calls = append(d.calls, b)
		d.held = append(d.held, b)
	}
	if b.name == "" {
		b.name = strings.Clone(name)
	}
	if b.closed {
		if strings.Trim(wire.Unescape([]byte(body)), " \t\r\n") != "" {
			return into, malformed(d.name, "went on with a tool call that was complete")
		}
		return into, nil
	}
	b.body = append(b.body, body...)
	if b == d.open {
		if body != "" {
			into = append(into, turn.Event{Kind: turn.Delta, Block: turn.ToolCall, Body: body})
		}
		return into, nil
	}
	return d.advance(into), nil
}

// find gives the call that a part belongs to. Servers exist that leave the index
// out, and others that number all calls 0 and tell them apart by their ids.
func (d *Decoder) find(index gjson.Result, id string) *block {
	for i := len(d.calls) - 1; i >= 0; i-- {
		b := d.calls[i]
		switch {
		case id != "" && b.id != "" && b.id != id:
		case id != "" && b.id == id:
			return b
		case index.Type == gjson.Number && b.index == index.Int():
			return b
		case index.Type != gjson.Number && id == "":
			return b
		}
	}
	return nil
}

// advance opens held blocks as far as those before them are complete. A call is
// once its arguments are JSON: nothing can follow that. Text is once anything
// else comes.
func (d *Decoder) advance(into []turn.Event) []turn.Event {
	for len(d.held) > 0 {
		if d.open != nil && d.open.kind == turn.ToolCall && !d.open.complete() {
			return into
		}
		next := d.held[0]
		if next.kind == turn.ToolCall && next.name == "" {
			return into
		}
		into = d.closeOpen(into)
		d.held = d.held[1:]
		into = d.begin(into, next)
	}
	return into
}

// complete is asked for every part of a call that waits, and looks only at news.
func (b *block) complete() bool {
	if len(b.body) == b.checked {
		return false
	}
	b.checked = len(b.body)
	return whole(b.body)
}

func whole(body []byte) bool { return wire.ValidString(wire.Unescape(body)) }

func (d *Decoder) begin(into []turn.Event, b *block) []turn.Event {
	d.open = b
	if b.kind == turn.ToolCall && b.id == "" {
		b.id = madeUpID(d.id, d.number(b))
	}
	into = append(into, turn.Event{Kind: turn.BlockBegan, Block: b.kind, ID: b.id, Name: b.name})
	if len(b.body) > 0 {
		into = append(into, turn.Event{Kind: turn.Delta, Block: b.kind, Body: string(b.body)})
	}
	if b.kind != turn.ToolCall {
		b.body = nil
	}
	return into
}

func (d *Decoder) number(b *block) int {
	for i, c := range d.calls {
		if c == b {
			return i
		}
	}
	return -1
}

func (d *Decoder) closeOpen(into []turn.Event) []turn.Event {
	b := d.open
	if b == nil {
		return into
	}
	if b.kind == turn.ToolCall && len(b.body) == 0 { // what models write for a tool that takes nothing
		into = append(into, turn.Event{Kind: turn.Delta, Block: b.kind, Body: "{}"})
	}
	b.closed, d.open = true, nil
	return append(into, turn.Event{Kind: turn.BlockEnded, Block: b.kind})
}

// finish ends the blocks. Arguments may be cut off by the limit of tokens, and by
// nothing else.
func (d *Decoder) finish(into []turn.Event, reason string) ([]turn.Event, *problem.Error) {
	d.ended = true
	d.stop = stopOf(reason, len(d.calls) > 0, d.refused)
	cut := d.stop == turn.MaxTokens
	for {
		if b := d.open; b != nil && b.kind == turn.ToolCall && len(b.body) > 0 && !cut && !whole(b.body) {
			return into, malformed(d.name, "called a tool with arguments that are no JSON")
		}
		into = d.closeOpen(into)
		if len(d.held) == 0 {
			return append(into, turn.Event{Kind: turn.Ended, Stop: d.stop}), nil
		}
		next := d.held[0]
		if next.kind == turn.ToolCall && next.name == "" {
			return into, malformed(d.name, "called a tool without its name")
		}
		d.held = d.held[1:]
		into = d.begin(into, next)
	}
}

// Close appends the end of an answer that is whole: servers exist that leave [DONE] out.
func (d *Decoder) Close(into []turn.Event) ([]turn.Event, *problem.Error) {
	if !d.ended {
		return into, problem.Newf(problem.UpstreamCut, "%s broke its answer off.", d.name)
	}
	return append(into, turn.Event{Kind: turn.Done, Usage: d.usage}), nil
}

func malformed(name, what string) *problem.Error {
	return problem.Newf(problem.UpstreamMalformed, "%s %s.", name, what)
}
