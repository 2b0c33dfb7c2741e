package anthropic

import (
	"bytes"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// Usage is what an answer says of its tokens; nil where it says nothing. Prompt
// holds those of Anthropic's cache too, and Cached those read from it.
type Usage struct {
	Prompt, Completion, Total, Cached *int64
	CacheWrite, CacheWrite1H          int64 // written to a cache, and of those for an hour; within Prompt
}

func usage(u turn.Usage) Usage {
	if !u.Known {
		return Usage{}
	}
	total := u.Input + u.Output
	return Usage{Prompt: &u.Input, Completion: &u.Output, Total: &total, Cached: &u.CacheRead, CacheWrite: u.CacheWrite, CacheWrite1H: u.CacheWrite1H}
}

// ParseAnswer checks the body of an answer that is not streamed and reads its
// usage. ok is false if the body is no JSON object.
func ParseAnswer(body []byte) (u Usage, ok bool) {
	root, ok := wire.Object(body)
	if !ok {
		return u, false
	}
	if n := root.Get("input_tokens"); n.Type == gjson.Number { // a count of tokens
		return usage(addUsage(turn.Usage{}, root)), true
	}
	return usage(addUsage(turn.Usage{}, root.Get("usage"))), true
}

// EventKind says what one event of a stream means for the gateway.
type EventKind int

// The kinds of event.
const (
	Other     EventKind = iota // forward it
	Token                      // forward it; it carries text, a tool call or thinking
	Done                       // the stream's last event
	Failure                    // the upstream reports an error
	Malformed                  // no JSON object where one belongs
	Ping                       // forward it; it only says that the upstream is still there
	Miscalled                  // a tool call is wrong; turn.Calls says what
)

// Stream follows one streamed answer.
type Stream struct {
	Calls    *turn.Calls // follows its tool calls; nil if nobody asks
	Finished bool        // a stop_reason was seen; message_stop still ends the stream
	Tokens   int64       // events that carry some; several tokens in one are usual
	counted  turn.Usage
	headless bool // it began without message_start
	begun    bool
	calling  bool // a tool was called
}

// Usage is what the stream has said of its tokens so far.
func (s *Stream) Usage() Usage {
	u := usage(s.counted)
	if s.headless && s.counted.Input == 0 { // nobody has said how long the prompt is
		u.Prompt, u.Total, u.Cached = nil, nil, nil
	}
	return u
}

var deltaType = []byte(`{"type":"content_block_delta"`)

// Observe takes the data of the next event. Most are tokens in mid-stream, and are
// known by how they begin.
func (s *Stream) Observe(data []byte) EventKind {
	if data == nil {
		return Ping
	}
	if !wire.Valid(data) || bytes.TrimSpace(data)[0] != '{' {
		return Malformed
	}
	if !s.begun {
		s.begun, s.headless = true, lacksStart(data)
	}
	if bytes.HasPrefix(data, deltaType) {
		return s.token(data)
	}
	root := gjson.Parse(wire.View(data))
	switch root.Get("type").Str {
	case "content_block_delta":
		return s.token(data)
	case "content_block_start":
		if !s.begin(root) {
			return Miscalled
		}
	case "message_start":
		s.counted = addUsage(s.counted, root.Get("message.usage"))
	case "message_delta":
		s.counted = addUsage(s.counted, root.Get("usage"))
		reason := root.Get("delta.stop_reason")
		if reason.Type == gjson.String && s.calling && !s.Calls.EndAll(cut(reason.Str)) {
			return Miscalled
		}
		s.Finished = s.Finished || reason.Type == gjson.String
	case "message_stop":
		return Done
	case "error":
		return Failure
	case "ping":
		return Ping
	}
	return Other
}

// token counts a part of a block.
func (s *Stream) token(data []byte) EventKind {
	if s.calling && !s.more(data) {
		return Miscalled
	}
	s.Tokens++
	return Token
}

// lacksStart says whether a stream that begins with data has left out its message_start.
func lacksStart(data []byte) bool {
	switch gjson.Get(wire.View(data), "type").Str {
	case "content_block_start", "content_block_delta", "message_delta":
		return true
	}
	return false
}

// Start is the message_start that a stream ought to begin with where its first event's data shows that it has
// none, else nil. llama.cpp leaves it out when the first token is only part of a character, as of an
// emoji, and Anthropic's clients take no stream without.
func Start(data []byte, model, id string) []byte {
	if data == nil || !lacksStart(data) {
		return nil
	}
	e := NewEncoder(turn.Reply{ID: id, Model: model})
	return e.Encode(nil, &turn.Event{Kind: turn.Began})
}
