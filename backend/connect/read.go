package connect

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/sse"
)

// maxEvent bounds one event of an answer to a check.
const maxEvent = 4 << 20

// heard is what a tool would have heard of an answer.
type heard struct {
	first      time.Time // of a token; zero when there was none
	called     bool      // a tool was called
	headless   bool      // it did not begin as the protocol has it
	ended      bool      // as the protocol has it
	fault      *fault    // the answer told that it had failed
	events     int
	prompt     *int64
	completion *int64
}

// fault is a problem as it was told: the kind is "" where the protocol has no place for it.
type fault struct {
	kind   problem.Kind
	detail string
}

// read reads a stream of the protocol to its end.
func read(p protocol, body io.Reader, now func() time.Time) (heard, error) {
	var h heard
	events := sse.NewReader(body, maxEvent)
	defer events.Release()
	for {
		event, err := events.Next()
		if errors.Is(err, io.EOF) {
			return h, nil
		}
		if err != nil {
			return h, err
		}
		data := sse.Data(event)
		if data == nil || h.ended {
			continue
		}
		token := false
		switch p {
		case chat:
			token = h.chunk(data)
		case messages:
			token = h.message(data)
		case responses:
			token = h.response(data)
		}
		if token && h.first.IsZero() {
			h.first = now()
		}
	}
}

func (h *heard) chunk(data []byte) (token bool) {
	if string(bytes.TrimSpace(data)) == "[DONE]" {
		h.ended = true
		return false
	}
	event := gjson.ParseBytes(data)
	if e := event.Get("error"); e.Exists() {
		h.fault = faultOf(event, e)
	}
	h.count(event.Get("usage"), "prompt_tokens", "completion_tokens")
	delta := event.Get("choices.0.delta")
	if delta.Get("tool_calls.0").Exists() {
		h.called = true
	}
	return h.called || delta.Get("content").String()+delta.Get("reasoning_content").String()+delta.Get("reasoning").String() != ""
}

func (h *heard) message(data []byte) (token bool) {
	event := gjson.ParseBytes(data)
	kind := event.Get("type").String()
	if h.events++; h.events == 1 && strings.HasPrefix(kind, "content_block") {
		h.headless = true
	}
	switch kind {
	case "message_start":
		h.count(event.Get("message.usage"), "input_tokens", "")
	case "content_block_start":
		if event.Get("content_block.type").String() == "tool_use" {
			h.called = true
			return true
		}
	case "content_block_delta":
		return true
	case "message_delta":
		h.count(event.Get("usage"), "input_tokens", "output_tokens")
	case "message_stop":
		h.ended = true
	default:
		if e := event.Get("error"); e.Exists() {
			h.fault = faultOf(event, e)
		}
	}
	return false
}

func (h *heard) response(data []byte) (token bool) {
	event := gjson.ParseBytes(data)
	switch kind := event.Get("type").String(); kind {
	case "response.completed", "response.incomplete":
		h.ended = true
		h.count(event.Get("response.usage"), "input_tokens", "output_tokens")
	case "response.failed":
		h.fault = faultOf(event, event.Get("response.error"))
	case "response.output_item.added":
		called := strings.HasSuffix(event.Get("item.type").String(), "_call")
		h.called = h.called || called
		return called
	default:
		if e := event.Get("error"); e.Exists() {
			h.fault = faultOf(event, e)
		} else if kind == "error" {
			h.fault = faultOf(event, event)
		}
		return strings.HasSuffix(kind, ".delta")
	}
	return false
}

// count keeps what an event says of tokens. A later event knows more than an earlier one, but 0 at the
// head of a stream says only that nothing was counted yet.
func (h *heard) count(usage gjson.Result, prompt, completion string) {
	keep := func(into **int64, name string) {
		if v := usage.Get(name); name != "" && v.Type == gjson.Number && (v.Int() > 0 || *into == nil) {
			n := v.Int()
			*into = &n
		}
	}
	keep(&h.prompt, prompt)
	keep(&h.completion, completion)
}

// faultOf reads a problem out of an event: the document as a whole where that is there, else what the
// protocol's own error says.
func faultOf(event, inner gjson.Result) *fault {
	f := &fault{detail: event.Get("detail").String()}
	if f.detail == "" {
		f.detail = inner.Get("message").String()
	}
	kind, found := strings.CutPrefix(event.Get("type").String(), "/problems/")
	if !found {
		kind = strings.ReplaceAll(inner.Get("code").String(), "_", "-")
	}
	if _, _, known := problem.Help(problem.Kind(kind)); known {
		f.kind = problem.Kind(kind)
	}
	return f
}
