// Package responses converts OpenAI's Responses from and to what they mean (package
// turn): the requests of clients, and the answers and streams for them. An upstream
// that knows Responses is passed them as they are, so nothing here writes a request.
// Bytes in, bytes out.
//
// Nothing is kept between two requests: what names an earlier response or a stored
// item is refused. Tools of a namespace and custom tools go on as functions and come
// back as what they are; tools that OpenAI runs are left out and noted.
//
// Source of the shapes: the OpenAI API reference for responses as its OpenAPI
// document has it (github.com/openai/openai-openapi), read in the types made from it
// (github.com/openai/openai-python, src/openai/types/responses).
package responses

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// Asked is what an answer repeats of its request.
type Asked struct {
	members   map[string]string // JSON
	encrypted bool              // reasoning is to come back with the next request
}

type echo struct{ name, otherwise string }

// echoed are the members of a response that repeat those of its request, with what
// stands there if the request left them out.
var echoed = []echo{
	{"instructions", "null"}, {"max_output_tokens", "null"}, {"max_tool_calls", "null"}, {"parallel_tool_calls", "true"},
	{"prompt_cache_key", "null"}, {"reasoning", `{"effort":null,"summary":null}`}, {"safety_identifier", "null"},
	{"temperature", "null"}, {"text", `{"format":{"type":"text"}}`}, {"tool_choice", `"auto"`}, {"tools", "[]"},
	{"top_logprobs", "0"}, {"top_p", "null"}, {"truncation", `"disabled"`}, {"user", "null"}, {"metadata", "{}"},
}

func newAsked(root gjson.Result) *Asked {
	a := &Asked{members: map[string]string{}}
	wire.Members(root, func(name, raw string) bool {
		switch {
		case raw == "null":
		case name == "include":
			a.encrypted = strings.Contains(raw, `"reasoning.encrypted_content"`)
		case slices.ContainsFunc(echoed, func(m echo) bool { return m.name == name }):
			a.members[name] = wire.OneLine(raw) // a break would end the line of an event
		}
		return true
	})
	return a
}

// A status is how a response stands.
type status struct {
	name, reason string // reason of an incomplete one
	error        [2]string
}

var (
	inProgress = status{name: "in_progress"}
	completed  = status{name: "completed"}
)

// statusOf reads why an answer ended. An answer in which the model refuses is whole.
func statusOf(s turn.Stop, refusal bool) status {
	switch {
	case s == turn.MaxTokens, s == turn.ContextFull, s == turn.Paused:
		return status{name: "incomplete", reason: "max_output_tokens"}
	case s == turn.Refused && !refusal:
		return status{name: "incomplete", reason: "content_filter"}
	}
	return completed
}

// writeResponse writes the response object. output are its items, without brackets.
func writeResponse(w *wire.Writer, r *turn.Reply, asked *Asked, model string, s status, output []byte, u *turn.Usage) {
	w.Obj().Key("id").Str("resp_" + r.ID).Key("object").Str("response").Key("created_at").Int(r.Created).Key("status").Str(s.name)
	w.Key("background").Bool(false).Key("error")
	if s.error[0] == "" {
		w.Raw("null")
	} else {
		w.Obj().Key("code").Str(s.error[0]).Key("message").Str(s.error[1]).EndObj()
	}
	w.Key("incomplete_details")
	if s.reason == "" {
		w.Raw("null")
	} else {
		w.Obj().Key("reason").Str(s.reason).EndObj()
	}
	if r.Model != "" {
		model = r.Model
	}
	w.Key("model").Str(model).Key("output").Arr()
	w.B = append(w.B, output...)
	w.EndArr().Key("previous_response_id").Raw("null")
	for _, m := range echoed {
		value := m.otherwise
		if v, ok := asked.members[m.name]; ok {
			value = v
		}
		w.Key(m.name).Raw(value)
	}
	w.Key("usage")
	if u == nil || !u.Known {
		w.Raw("null")
	} else {
		writeUsage(w, u)
	}
	w.EndObj()
}

func writeUsage(w *wire.Writer, u *turn.Usage) {
	w.Obj().Key("input_tokens").Int(u.Input)
	w.Key("input_tokens_details").Obj().Key("cached_tokens").Int(u.CacheRead).Key("cache_write_tokens").Int(u.CacheWrite).EndObj()
	w.Key("output_tokens").Int(u.Output).Key("output_tokens_details").Obj().Key("reasoning_tokens").Int(u.ReasoningTokens).EndObj()
	w.Key("total_tokens").Int(u.Input + u.Output).EndObj()
}
