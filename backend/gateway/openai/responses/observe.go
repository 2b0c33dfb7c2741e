package responses

import (
	"bytes"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/openai"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// ParseAnswer checks the body of an answer that an upstream gave to a request as it
// came, and reads its usage. ok is false if the body is no JSON object.
func ParseAnswer(body []byte) (u openai.Usage, ok bool) {
	root, ok := wire.Object(body)
	if !ok {
		return u, false
	}
	return usageOf(root.Get("usage")), true
}

func usageOf(v gjson.Result) (u openai.Usage) {
	count := func(name string) *int64 {
		n := v.Get(name)
		if n.Type != gjson.Number || n.Num < 0 || n.Num > 1<<40 {
			return nil
		}
		i := n.Int()
		return &i
	}
	u.Prompt, u.Completion, u.Total = count("input_tokens"), count("output_tokens"), count("total_tokens")
	u.Cached = count("input_tokens_details.cached_tokens")
	if n := count("input_tokens_details.cache_write_tokens"); n != nil {
		u.CacheWrite = *n
	}
	return u
}

// Stream follows one streamed answer that is passed on as it comes.
type Stream struct {
	Calls    *turn.Calls // follows its tool calls; nil if nobody asks
	Usage    openai.Usage
	Finished bool // the response is whole, or ended where its limit is
	Tokens   int64
}

var (
	typeKey = []byte(`{"type":"response.`)
	deltaIn = []byte(`.delta"`)
)

// Observe takes the data of the next event. Most are deltas in mid-stream, and are
// known by how they begin.
func (s *Stream) Observe(data []byte) openai.EventKind {
	if data == nil {
		return openai.Ping
	}
	if !wire.Valid(data) || bytes.TrimSpace(data)[0] != '{' {
		return openai.Malformed
	}
	if bytes.HasPrefix(data, typeKey) && bytes.Contains(data[:min(len(data), 64)], deltaIn) {
		s.Tokens++
		return openai.Token
	}
	root := gjson.Parse(wire.View(data))
	switch kind := root.Get("type").Str; kind {
	case "response.output_item.added", "response.output_item.done":
		if !s.follow(root, kind == "response.output_item.done") {
			return openai.Miscalled
		}
	case "response.completed", "response.incomplete":
		if !s.end(root.Get("response"), kind == "response.incomplete") {
			return openai.Miscalled
		}
		s.Usage, s.Finished = usageOf(root.Get("response.usage")), true
		return openai.Done
	case "response.failed", "error":
		return openai.Failure
	default:
		if len(kind) > 6 && kind[len(kind)-6:] == ".delta" {
			s.Tokens++
			return openai.Token
		}
	}
	return openai.Other
}

// ParseReported turns an event of a failed response into our error, as
// openai.ParseReported does for the other endpoints.
func ParseReported(name string, data []byte) *problem.Error {
	root := gjson.ParseBytes(data)
	e := root.Get("response.error")
	if !e.IsObject() {
		e = root
	}
	if e.Get("code").Str == "rate_limit_exceeded" {
		return problem.Newf(problem.RateLimited, "%s limits requests.", name)
	}
	w := wire.Writer{}
	return openai.ParseReported(name, w.Obj().Key("error").Raw(e.Raw).EndObj().B)
}
