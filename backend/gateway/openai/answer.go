package openai

import (
	"bytes"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// Usage is what an answer says of its tokens and times; nil where it says nothing.
type Usage struct {
	Prompt, Completion, Total, Cached *int64
	PromptMS, GenerationMS            *float64 // llama.cpp tells, OpenAI does not
	CacheWrite, CacheWrite1H          int64    // tokens of the prompt that were written to a cache, and of those for an hour
}

// ParseAnswer checks the body of an answer that is not streamed and reads its
// usage. ok is false if the body is no JSON object.
func ParseAnswer(body []byte) (u Usage, ok bool) {
	if !wire.Valid(body) {
		return u, false
	}
	root := gjson.Parse(wire.View(body))
	if !root.IsObject() {
		return u, false
	}
	u.read(root)
	return u, true
}

// ReportsFailure says whether an event, or the body of an answer with status 200,
// is an error in the place of what was asked for.
func ReportsFailure(body []byte) bool {
	if !bytes.Contains(body, errorKey) {
		return false
	}
	e := gjson.GetBytes(body, "error")
	return e.Exists() && e.Type != gjson.Null
}

// read takes usage, and timings as llama.cpp adds them. Timings fill in for a
// stream whose client did not ask for usage.
func (u *Usage) read(root gjson.Result) {
	var timings gjson.Result
	wire.Members(root, func(name, raw string) bool { // once, for an answer may be long
		switch name {
		case "usage":
			u.counts(gjson.Parse(raw))
		case "timings":
			timings = gjson.Parse(raw)
		}
		return true
	})
	if timings.IsObject() {
		u.timings(timings)
	}
}

// counts takes what stands in usage.
func (u *Usage) counts(usage gjson.Result) {
	if !usage.IsObject() {
		return
	}
	usage.ForEach(func(name, v gjson.Result) bool {
		switch name.Str {
		case "prompt_tokens":
			u.Prompt = count(v, u.Prompt)
		case "completion_tokens":
			u.Completion = count(v, u.Completion)
		case "total_tokens":
			u.Total = count(v, u.Total)
		case "prompt_tokens_details":
			u.Cached = count(v.Get("cached_tokens"), u.Cached)
			if n := count(v.Get("cache_write_tokens"), nil); n != nil {
				u.CacheWrite = *n
			}
		}
		return true
	})
}

func (u *Usage) timings(t gjson.Result) {
	if v := t.Get("prompt_ms"); v.Type == gjson.Number {
		u.PromptMS = &v.Num
	}
	if v := t.Get("predicted_ms"); v.Type == gjson.Number {
		u.GenerationMS = &v.Num
	}
	read, cached, made := t.Get("prompt_n"), t.Get("cache_n"), t.Get("predicted_n")
	if u.Prompt == nil && read.Exists() && made.Exists() {
		prompt, completion := read.Int()+cached.Int(), made.Int()
		total := prompt + completion
		u.Prompt, u.Completion, u.Total = &prompt, &completion, &total
		u.Cached = count(cached, u.Cached)
	}
}

// maxCount is more tokens than any answer has. Sums over the audit must not overflow because of
// what an upstream says.
const maxCount = 1 << 40

func count(v gjson.Result, otherwise *int64) *int64 {
	if v.Type != gjson.Number || v.Num < 0 || v.Num > maxCount {
		return otherwise
	}
	n := v.Int()
	return &n
}

// EventKind says what one event of a stream means for the gateway.
type EventKind int

// The kinds of event.
const (
	Other     EventKind = iota // forward it
	Token                      // forward it; it carries text, a tool call or reasoning
	Done                       // the stream's last event
	Failure                    // the upstream reports an error
	Malformed                  // no JSON object where one belongs
	Ping                       // forward it; it only says that the upstream is still there
	Miscalled                  // a tool call is wrong; turn.Calls says what
)

// Stream follows one streamed answer.
type Stream struct {
	Calls    *turn.Calls // follows its tool calls; nil if nobody asks
	Usage    Usage
	Finished bool  // a finish_reason was seen: the answer is whole even without [DONE]
	Tokens   int64 // events that carry some; servers that send several in one are rare
	started  bool  // the first token was seen
}

var (
	doneData = []byte("[DONE]")
	errorKey = []byte(`"error"`)
)

// Observe takes the data of the next event. Most events are tokens in mid-stream
// and are only searched for a few keys, not decoded.
func (s *Stream) Observe(data []byte) EventKind {
	if data == nil {
		return Ping
	}
	data = bytes.TrimSpace(data)
	if bytes.Equal(data, doneData) {
		if s.Calls != nil && !s.Calls.EndAll(false) {
			return Miscalled
		}
		return Done
	}
	if !wire.Valid(data) || data[0] != '{' {
		return Malformed
	}
	m := mentioned(data)
	if m&mentionsError != 0 && ReportsFailure(data) {
		return Failure
	}
	counts := m&(mentionsUsage|mentionsTimings) != 0
	calls, waits := false, false
	if s.Calls != nil {
		calls, waits = m&mentionsCalls != 0, s.Calls.Any()
	}
	finishes := (!s.Finished || waits) && m&mentionsFinish != 0
	if s.started && !counts && !finishes && !calls {
		s.Tokens++
		return Token
	}
	root := gjson.ParseBytes(data)
	if counts {
		s.Usage.read(root)
	}
	if finishes {
		s.Finished = s.Finished || finished(root)
	}
	if (calls || waits) && !followCalls(s.Calls, root, "delta") {
		return Miscalled
	}
	if hasContent(root) {
		s.Tokens++
		s.started = true
	}
	if s.started {
		return Token
	}
	return Other
}

func finished(root gjson.Result) (yes bool) {
	root.Get("choices").ForEach(func(_, choice gjson.Result) bool {
		yes = choice.Get("finish_reason").Type == gjson.String
		return !yes
	})
	return yes
}

// hasContent tells the first token from the chunk that only names the role.
func hasContent(root gjson.Result) (yes bool) {
	delta := func(name, v gjson.Result) bool {
		switch name.Str {
		case "content", "tool_calls", "reasoning_content", "reasoning", "refusal", "function_call":
			yes = yes || holds(v)
		}
		return !yes
	}
	root.Get("choices").ForEach(func(_, choice gjson.Result) bool {
		choice.ForEach(func(name, v gjson.Result) bool {
			switch name.Str {
			case "text":
				yes = holds(v)
			case "delta":
				v.ForEach(delta)
			}
			return !yes
		})
		return !yes
	})
	return yes
}

func holds(v gjson.Result) bool {
	return (v.Type == gjson.String && v.Str != "") || v.IsArray() || v.IsObject()
}
