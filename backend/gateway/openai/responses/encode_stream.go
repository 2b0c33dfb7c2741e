package responses

import (
	"strings"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// An Encoder writes a stream of Responses events for a client.
type Encoder struct {
	reply    turn.Reply
	asked    *Asked
	sequence int64
	began    bool
	model    string
	open     *item
	count    int    // of items, the open one left out
	output   []byte // the items that are done
	stop     turn.Stop
	refusal  bool
	places   []byte // the members of a delta that say where it belongs
	texts    string // the type of the open item's deltas
}

// NewEncoder makes an encoder for one answer.
func NewEncoder(r turn.Reply, asked *Asked) *Encoder { return &Encoder{reply: r, asked: asked} }

// Encode appends the events that e means.
func (c *Encoder) Encode(dst []byte, e *turn.Event) []byte {
	w := wire.Writer{B: dst}
	switch e.Kind {
	case turn.Began:
		c.began, c.model = true, strings.Clone(e.Model)
		for _, kind := range []string{"response.created", "response.in_progress"} {
			c.event(&w, kind).Key("response")
			writeResponse(&w, &c.reply, c.asked, c.model, inProgress, nil, nil)
			w.EndObj().EndEvent()
		}
	case turn.BlockBegan:
		c.finish(&w, completed.name)
		c.begin(&w, e)
	case turn.Delta:
		c.delta(&w, e)
	case turn.Signature:
		if c.open != nil {
			c.open.signature = append(c.open.signature, e.Body...)
		}
	case turn.BlockEnded: // the item stays open until what follows tells its status
	case turn.Ended:
		c.stop = e.Stop
		c.finish(&w, statusOf(e.Stop, c.refusal).name)
	case turn.Done:
		state := statusOf(c.stop, c.refusal)
		c.event(&w, "response."+state.name).Key("response")
		writeResponse(&w, &c.reply, c.asked, c.model, state, c.output, &e.Usage)
		w.EndObj().EndEvent()
	}
	return w.B
}

// event begins one with its type and number.
func (c *Encoder) event(w *wire.Writer, kind string) *wire.Writer {
	w.Event(kind).Obj().Key("type").Str(kind).Key("sequence_number").Int(c.sequence)
	c.sequence++
	return w
}

func (c *Encoder) begin(w *wire.Writer, e *turn.Event) {
	it := &item{kind: e.Block, callID: strings.Clone(e.ID)}
	if e.Block == turn.Redacted {
		if !c.asked.encrypted {
			return
		}
		it.signature = []byte(e.Body)
	}
	if e.Block == turn.ToolCall {
		it.tool = c.reply.Names.Origin(strings.Clone(e.Name))
	}
	c.refusal = c.refusal || e.Block == turn.Refusal
	it.id = itemID(it.kind, it.tool.Custom, c.reply.ID, c.count)
	c.open = it
	c.event(w, "response.output_item.added").Key("output_index").Int(int64(c.count)).Key("item")
	it.write(w, inProgress.name, c.asked.encrypted)
	w.EndObj().EndEvent()
	c.place(it)
	switch it.kind {
	case turn.Text, turn.Refusal:
		c.located(w, "response.content_part.added").Key("part")
		it.writePart(w, nil)
		w.EndObj().EndEvent()
	case turn.Thinking:
		c.located(w, "response.reasoning_summary_part.added").Key("part").Obj().Key("type").Str("summary_text").Key("text").Str("").EndObj()
		w.EndObj().EndEvent()
	}
}

// place writes down once what every delta of an item repeats.
func (c *Encoder) place(it *item) {
	p := wire.Writer{B: c.places[:0]}
	p.Key("item_id").Str(it.id).Key("output_index").Int(int64(c.count))
	switch it.kind {
	case turn.Text:
		p.Key("content_index").Int(0)
		c.texts = "response.output_text"
	case turn.Refusal:
		p.Key("content_index").Int(0)
		c.texts = "response.refusal"
	case turn.Thinking:
		p.Key("summary_index").Int(0)
		c.texts = "response.reasoning_summary_text"
	default:
		c.texts = "response.function_call_arguments"
		if it.tool.Custom {
			c.texts = "response.custom_tool_call_input"
		}
	}
	c.places = p.B
}

// located begins an event about the open item.
func (c *Encoder) located(w *wire.Writer, kind string) *wire.Writer {
	c.event(w, kind)
	w.B = append(append(w.B, ','), c.places...)
	return w
}

// delta writes what most events are. The input of a custom tool is written at its
// end, for only that makes it readable.
func (c *Encoder) delta(w *wire.Writer, e *turn.Event) {
	it := c.open
	if it == nil {
		return
	}
	it.body = append(it.body, e.Body...)
	if it.tool.Custom {
		return
	}
	w.B = append(w.B, "event: "...)
	w.B = append(w.B, c.texts...)
	w.B = append(w.B, ".delta\ndata: {\"type\":\""...)
	w.B = append(w.B, c.texts...)
	w.B = append(w.B, ".delta\",\"sequence_number\":"...)
	w.Int(c.sequence)
	c.sequence++
	w.B = append(append(w.B, ','), c.places...)
	w.Key("delta").Body(e.Body)
	if it.kind == turn.Text {
		w.B = append(w.B, `,"logprobs":[]`...)
	}
	w.EndObj().EndEvent()
}

// finish ends the item that has ended, now that what follows tells its status.
func (c *Encoder) finish(w *wire.Writer, status string) {
	it := c.open
	if it == nil {
		return
	}
	c.texted(w, it)
	output := wire.Writer{B: c.output}
	it.write(&output, status, c.asked.encrypted)
	c.output = output.B
	c.event(w, "response.output_item.done").Key("output_index").Int(int64(c.count)).Key("item")
	it.write(w, status, c.asked.encrypted)
	w.EndObj().EndEvent()
	c.open = nil
	c.count++
}

// texted writes that the text of an item is whole.
func (c *Encoder) texted(w *wire.Writer, it *item) {
	switch {
	case it.kind == turn.Redacted:
	case it.kind == turn.ToolCall && it.tool.Custom:
		input := turn.CustomInput(wire.Unescape(it.body))
		c.located(w, c.texts+".delta").Key("delta").Str(input).EndObj().EndEvent()
		c.located(w, c.texts+".done").Key("input").Str(input).EndObj().EndEvent()
	case it.kind == turn.ToolCall:
		c.located(w, c.texts+".done").Key("name").Str(it.tool.Name).Key("arguments").Bodies(it.body).EndObj().EndEvent()
	case it.kind == turn.Thinking:
		c.located(w, c.texts+".done").Key("text").Bodies(it.body).EndObj().EndEvent()
		c.located(w, "response.reasoning_summary_part.done").Key("part").Obj().Key("type").Str("summary_text").Key("text").Bodies(it.body).EndObj()
		w.EndObj().EndEvent()
	default:
		if it.kind == turn.Refusal {
			c.located(w, c.texts+".done").Key("refusal").Bodies(it.body)
		} else {
			c.located(w, c.texts+".done").Key("text").Bodies(it.body).Key("logprobs").Arr().EndArr()
		}
		w.EndObj().EndEvent()
		c.located(w, "response.content_part.done").Key("part")
		it.writePart(w, it.body)
		w.EndObj().EndEvent()
	}
}

// Fail appends that the response failed, or an error event if there is none yet.
func (c *Encoder) Fail(dst []byte, p *problem.Error, requestID string) []byte {
	w := wire.Writer{B: dst}
	if !c.began {
		c.event(&w, "error").Key("code").Str(errorCode(p)).Key("message").Str(p.Detail).Key("param").Raw("null")
		return w.EndObj().EndEvent().B
	}
	c.event(&w, "response.failed").Key("response")
	writeResponse(&w, &c.reply, c.asked, c.model, status{name: "failed", error: [2]string{errorCode(p), p.Detail}}, c.output, nil)
	return w.EndObj().EndEvent().B
}

// errorCode gives the code of a failed response.
func errorCode(p *problem.Error) string {
	switch {
	case p.Kind == problem.ContextExceeded:
		return "context_length_exceeded"
	case p.Status() == 429:
		return "rate_limit_exceeded"
	case p.Status() < 500:
		return "invalid_prompt"
	}
	return "server_error"
}
