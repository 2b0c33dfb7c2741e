package anthropic

import (
	"strings"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// An Encoder writes a stream of Messages events for a client.
type Encoder struct {
	reply    turn.Reply
	index    int64
	stop     turn.Stop
	sequence string
	refused  bool
}

// NewEncoder makes an encoder for one answer.
func NewEncoder(r turn.Reply) *Encoder { return &Encoder{reply: r} }

// Encode appends the events that e means.
func (c *Encoder) Encode(dst []byte, e *turn.Event) []byte {
	w := wire.Writer{B: dst}
	switch e.Kind {
	case turn.Began:
		c.begin(&w, e)
	case turn.BlockBegan:
		c.beginBlock(&w, e)
	case turn.Delta:
		c.delta(&w, e)
	case turn.Signature:
		c.openDelta(&w)
		w.B = append(w.B, `{"type":"signature_delta","signature":"`...)
		c.closeDelta(&w, e.Body)
	case turn.BlockEnded:
		w.Event("content_block_stop").Obj().Key("type").Str("content_block_stop").Key("index").Int(c.index).EndObj().EndEvent()
		c.index++
	case turn.Ended: // usage comes later, and belongs to the same event
		c.stop, c.sequence = e.Stop, strings.Clone(e.StopSequence)
	case turn.Ping:
		w.Event("ping").Obj().Key("type").Str("ping").EndObj().EndEvent()
	case turn.Done:
		c.end(&w, e)
	}
	return w.B
}

func (c *Encoder) begin(w *wire.Writer, e *turn.Event) {
	w.Event("message_start").Obj().Key("type").Str("message_start").Key("message").Obj()
	w.Key("id").Str("msg_" + c.reply.ID).Key("type").Str("message").Key("role").Str("assistant").Key("model").Str(model(e.Model, c.reply))
	w.Key("content").Arr().EndArr().Key("stop_reason").Raw("null").Key("stop_sequence").Raw("null").Key("usage")
	writeUsage(w, &e.Usage)
	w.EndObj().EndObj().EndEvent()
}

func (c *Encoder) beginBlock(w *wire.Writer, e *turn.Event) {
	w.Event("content_block_start").Obj().Key("type").Str("content_block_start").Key("index").Int(c.index).Key("content_block").Obj()
	switch e.Block {
	case turn.Thinking:
		w.Key("type").Str("thinking").Key("thinking").Str("").Key("signature").Str("")
	case turn.Redacted:
		w.Key("type").Str("redacted_thinking").Key("data").Body(e.Body)
	case turn.ToolCall:
		w.Key("type").Str("tool_use").Key("id").Str(e.ID).Key("name").Str(c.reply.Names.Origin(e.Name).Name).Key("input").Obj().EndObj()
	default:
		c.refused = c.refused || e.Block == turn.Refusal
		w.Key("type").Str("text").Key("text").Str("")
	}
	w.EndObj().EndObj().EndEvent()
}

// delta writes what most events are, with as little work as there is.
func (c *Encoder) delta(w *wire.Writer, e *turn.Event) {
	c.openDelta(w)
	switch e.Block {
	case turn.ToolCall:
		w.B = append(w.B, `{"type":"input_json_delta","partial_json":"`...)
	case turn.Thinking:
		w.B = append(w.B, `{"type":"thinking_delta","thinking":"`...)
	default:
		w.B = append(w.B, `{"type":"text_delta","text":"`...)
	}
	c.closeDelta(w, e.Body)
}

func (c *Encoder) openDelta(w *wire.Writer) {
	w.B = append(w.B, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	w.Int(c.index)
	w.B = append(w.B, `,"delta":`...)
}

func (c *Encoder) closeDelta(w *wire.Writer, body string) {
	w.B = append(w.B, body...)
	w.B = append(w.B, "\"}}\n\n"...)
}

func (c *Encoder) end(w *wire.Writer, e *turn.Event) {
	stop := c.stop
	if c.refused {
		stop = turn.Refused
	}
	w.Event("message_delta").Obj().Key("type").Str("message_delta").Key("delta").Obj()
	writeStop(w, stop, c.sequence)
	w.EndObj().Key("usage")
	writeUsage(w, &e.Usage)
	w.EndObj().EndEvent()
	w.Event("message_stop").Obj().Key("type").Str("message_stop").EndObj().EndEvent()
}

// Fail appends Anthropic's error event.
func (c *Encoder) Fail(dst []byte, p *problem.Error, requestID string) []byte {
	w := wire.Writer{B: dst}
	return w.Event("error").Raw(string(EncodeError(p, requestID))).EndEvent().B
}
