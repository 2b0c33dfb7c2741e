package gateway

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/wire"
)

// instead ends a refusal of what an engine does not do.
const instead = "A GGUF model does, which the engine llamacpp runs, or a provider that a route leads to."

// answers says whether an engine has an endpoint itself.
func answers(l engine.Scope, path string) bool {
	return l.Endpoints == nil || slices.Contains(l.Endpoints, path)
}

// noEndpoint is why an engine is not asked at all: it lacks the endpoint, and has no other that gives the same.
func (x *exchange) noEndpoint(by string, l engine.Scope) error {
	if answers(l, x.endpoint.path) || x.endpoint.turn != nil {
		return nil
	}
	return problem.Newf(problem.NotOffered, "The engine %s has no %s. %s", by, strings.TrimPrefix(x.endpoint.path, "/v1/"), instead)
}

// keepTo has t asked for no more than its engine does, and for the usage of a stream where that has to be asked for.
func (x *exchange) keepTo(t *target, by string, l engine.Scope) error {
	if err := beyond(by, l, t.body); err != nil {
		return x.asWritten(*t, err)
	}
	if l.Fetches {
		if err := addressed(x.body); err != nil { // as the client wrote it, so that the field is its own
			return err
		}
	}
	if l.TellsUsageWhenAsked && x.request.Stream && t.conversion == nil {
		return askUsage(t)
	}
	return nil
}

// beyond is why an engine is not asked for what it would pass over without a word; body is in its own protocol.
func beyond(by string, l engine.Scope, body []byte) error {
	refuse := func(field, what string) error {
		e := problem.Newf(problem.NotOffered, "The engine %s %s. %s", by, what, instead)
		e.Fields = []problem.Field{{Location: "body." + field, Detail: "asks for what the engine does not do"}}
		return e
	}
	if !l.Freely && !l.TextOnly {
		return nil
	}
	request := gjson.Parse(wire.View(body))
	if l.Freely {
		if kind := request.Get("response_format.type").Str; kind != "" && kind != "text" {
			return refuse("response_format", "holds an answer to no schema")
		}
		for _, field := range []string{"grammar", "json_schema"} {
			if v := request.Get(field); v.Exists() && v.Type != gjson.Null {
				return refuse(field, "holds an answer to no schema")
			}
		}
		if choice := request.Get("tool_choice"); choice.IsObject() || choice.Str == "required" {
			return refuse("tool_choice", "leaves it to the model whether it calls a tool, and does not make it")
		}
		for _, field := range []string{"n", "best_of"} {
			if request.Get(field).Num > 1 {
				return refuse(field, "gives one answer to a request and not several")
			}
		}
		for _, field := range []string{"suffix", "echo"} {
			if v := request.Get(field); v.Type == gjson.True || v.Type == gjson.String && v.Str != "" {
				return refuse(field, "continues a text and does not fill or repeat it")
			}
		}
	}
	if l.TextOnly && !textOnly(request.Get("messages")) {
		return refuse("messages", "takes no pictures, sound or files")
	}
	return nil
}

// textOnly says whether messages hold nothing but text.
func textOnly(messages gjson.Result) bool {
	only := true
	messages.ForEach(func(_, message gjson.Result) bool {
		message.Get("content").ForEach(func(_, part gjson.Result) bool {
			kind := part.Get("type").Str
			only = only && (kind == "" || kind == "text" || kind == "refusal")
			return only
		})
		return only
	})
	return only
}
