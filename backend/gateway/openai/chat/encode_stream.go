package chat

import (
	"encoding/json"
	"strings"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// An Encoder writes a stream of chat completion chunks for a client.
type Encoder struct {
	reply  turn.Reply
	head   []byte // what every chunk begins with
	calls  int64
	custom []byte // the arguments of the custom tool that is being called
	tool   turn.Tool
	id     string
}

// NewEncoder makes an encoder for one answer.
func NewEncoder(r turn.Reply) *Encoder { return &Encoder{reply: r} }

// Encode appends the chunks that e means. A custom tool's input goes out in one
// chunk: only its end makes it readable.
func (c *Encoder) Encode(dst []byte, e *turn.Event) []byte {
	switch e.Kind {
	case turn.Began:
		c.begin(e)
		return c.chunk(dst, func(w *wire.Writer) { w.Key("role").Str("assistant").Key("content").Str("") }, "")
	case turn.BlockBegan:
		return c.beginBlock(dst, e)
	case turn.Delta:
		return c.delta(dst, e)
	case turn.BlockEnded:
		if e.Block == turn.ToolCall {
			return c.endCall(dst)
		}
	case turn.Ended:
		return c.chunk(dst, func(*wire.Writer) {}, finishReason(e.Stop))
	case turn.Done:
		return c.done(dst, e)
	}
	return dst
}

func (c *Encoder) begin(e *turn.Event) {
	w := wire.Writer{}
	w.Event("").Obj().Key("id").Str("chatcmpl-" + c.reply.ID).Key("object").Str("chat.completion.chunk")
	w.Key("created").Int(c.reply.Created).Key("model").Str(model(e.Model, c.reply))
	c.head = w.B
}

// chunk appends one with a delta that write fills.
func (c *Encoder) chunk(dst []byte, write func(w *wire.Writer), finish string) []byte {
	w := wire.Writer{B: dst}
	c.open(&w)
	write(&w)
	c.close(&w, finish)
	return w.B
}

func (c *Encoder) open(w *wire.Writer) {
	w.B = append(w.B, c.head...)
	w.B = append(w.B, `,"choices":[{"index":0,"delta":{`...)
}

func (c *Encoder) close(w *wire.Writer, finish string) {
	w.B = append(w.B, `},"logprobs":null,"finish_reason":`...)
	if finish == "" {
		w.B = append(w.B, "null}]"...)
	} else {
		w.Str(finish)
		w.B = append(w.B, "}]"...)
	}
	if c.reply.Usage {
		w.B = append(w.B, `,"usage":null`...)
	}
	w.B = append(w.B, "}\n\n"...)
}

func (c *Encoder) beginBlock(dst []byte, e *turn.Event) []byte {
	if e.Block != turn.ToolCall {
		return dst
	}
	c.tool, c.custom, c.id = c.reply.Names.Origin(e.Name), c.custom[:0], strings.Clone(e.ID)
	c.calls++
	if c.tool.Custom {
		return dst
	}
	return c.chunk(dst, func(w *wire.Writer) {
		w.Key("tool_calls").Arr().Obj().Key("index").Int(c.calls - 1).Key("id").Str(e.ID).Key("type").Str("function")
		w.Key("function").Obj().Key("name").Str(c.tool.Name).Key("arguments").Str("").EndObj().EndObj().EndArr()
	}, "")
}

func (c *Encoder) delta(dst []byte, e *turn.Event) []byte {
	w := wire.Writer{B: dst}
	switch e.Block {
	case turn.Text:
		c.open(&w)
		w.Key("content").Body(e.Body)
	case turn.Refusal:
		c.open(&w)
		w.Key("refusal").Body(e.Body)
	case turn.Thinking:
		c.open(&w)
		w.Key("reasoning_content").Body(e.Body)
	case turn.ToolCall:
		if c.tool.Custom {
			c.custom = append(c.custom, e.Body...)
			return dst
		}
		c.open(&w)
		w.Key("tool_calls").Arr().Obj().Key("index").Int(c.calls - 1).Key("function").Obj()
		w.Key("arguments").Body(e.Body).EndObj().EndObj().EndArr()
	default:
		return dst
	}
	c.close(&w, "")
	return w.B
}

func (c *Encoder) endCall(dst []byte) []byte {
	if !c.tool.Custom {
		return dst
	}
	input := turn.CustomInput(wire.Unescape(c.custom))
	return c.chunk(dst, func(w *wire.Writer) {
		w.Key("tool_calls").Arr().Obj().Key("index").Int(c.calls - 1).Key("id").Str(c.id).Key("type").Str("custom")
		w.Key("custom").Obj().Key("name").Str(c.tool.Name).Key("input").Str(input).EndObj().EndObj().EndArr()
	}, "")
}

func (c *Encoder) done(dst []byte, e *turn.Event) []byte {
	w := wire.Writer{B: dst}
	if c.reply.Usage && e.Usage.Known {
		w.B = append(w.B, c.head...)
		w.Key("choices").Arr().EndArr()
		writeUsage(&w, &e.Usage)
		w.EndObj().EndEvent()
	}
	w.B = append(w.B, "data: [DONE]\n\n"...)
	return w.B
}

// Fail appends an error in the shape that OpenAI's SDKs read.
func (c *Encoder) Fail(dst []byte, p *problem.Error, requestID string) []byte {
	raw, err := json.Marshal(map[string]any{"error": p.Document("/v1/chat/completions", requestID).Error})
	if err != nil { // a defect: the members are strings
		raw = []byte(`{"error":{"message":"The error itself could not be written.","type":"server_error","param":null,"code":null}}`)
	}
	w := wire.Writer{B: dst}
	return w.Event("").Raw(string(raw)).EndEvent().B
}
