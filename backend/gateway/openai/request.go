// Package openai knows the wire format of OpenAI's API as far as a gateway must:
// what makes a request valid and where it wants to go, what an answer and a stream
// say of usage, and how they end. It is pure: bytes in, facts out, no I/O.
//
// Source of the shapes: the OpenAI API reference for chat completions,
// completions and embeddings.
package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/wire"
)

const (
	maxModelName = 256
	maxKnown     = 6 // members of one endpoint that field checks
)

// Request is what the gateway has to know of a request's body. The body itself
// is passed on as it came.
type Request struct {
	Model  string
	Stream bool
}

// ParseRequest checks body for endpoint. On an error it returns what it could
// learn all the same, so that a refused request can be recorded.
func ParseRequest(endpoint Endpoint, body []byte) (Request, *problem.Error) {
	if len(body) == 0 {
		return Request{}, problem.New(problem.InvalidJSON, "The request has no body; send a JSON object.")
	}
	if fault := wire.CheckDepth(body); fault != nil {
		return Request{}, fault
	}
	if !gjson.ValidBytes(body) {
		return Request{}, invalidJSON(body)
	}
	root := gjson.Parse(wire.View(body))
	if !root.IsObject() {
		return Request{}, problem.Newf(problem.InvalidJSON, "The body is a JSON %s; send an object.", typeName(root))
	}
	p := parser{endpoint: endpoint}
	root.ForEach(func(key, value gjson.Result) bool {
		p.field(key.Str, value)
		return true
	})
	p.required()
	if len(p.faults) > 0 {
		return p.request, problem.Invalid(p.faults...)
	}
	return p.request, nil
}

// invalidJSON says where the body stops being JSON, and nothing of what it says.
func invalidJSON(body []byte) *problem.Error {
	var syntax *json.SyntaxError
	if err := json.Unmarshal(body, new(any)); errors.As(err, &syntax) {
		return problem.Newf(problem.InvalidJSON, "The body is no valid JSON: an error at byte %d of %d.", syntax.Offset, len(body))
	}
	return problem.New(problem.InvalidJSON, "The body is no valid JSON.")
}

type parser struct {
	endpoint Endpoint
	request  Request
	seen     []string // few
	faults   []problem.Field
}

// field checks one member of the body. Only members that are known here may not
// stand twice: which of two models an upstream would take is anyone's guess.
func (p *parser) field(name string, v gjson.Result) {
	check, known := p.check(name)
	if !known {
		return
	}
	if slices.Contains(p.seen, name) {
		p.fault(name, "stands twice; send it once", gjson.Result{})
		return
	}
	if p.seen == nil {
		p.seen = make([]string, 0, maxKnown)
	}
	p.seen = append(p.seen, name)
	check(p, name, v)
}

func (p *parser) check(name string) (check func(*parser, string, gjson.Result), known bool) {
	switch name {
	case "model":
		return (*parser).model, true
	case "stream":
		return (*parser).stream, true
	case "max_tokens", "max_completion_tokens":
		return (*parser).tokenLimit, p.endpoint.Streams
	case "stream_options":
		return (*parser).object, p.endpoint.Streams
	case p.endpoint.content:
		return p.endpoint.check, true
	}
	return nil, false
}

func (p *parser) required() {
	if !slices.Contains(p.seen, "model") {
		p.fault("model", "is required: the name of a model, a string", gjson.Result{})
	}
	if content := p.endpoint.content; !slices.Contains(p.seen, content) {
		p.fault(content, "is required: "+p.endpoint.what, gjson.Result{})
	}
}

func (p *parser) model(name string, v gjson.Result) {
	switch {
	case v.Type != gjson.String:
		p.fault(name, fmt.Sprintf("must be a string, the name of a model; it is %s", article(v)), v)
	case v.Str == "":
		p.fault(name, "must not be empty; name a model", v)
	case len(v.Str) > maxModelName:
		p.fault(name, fmt.Sprintf("must have at most %d bytes; it has %d", maxModelName, len(v.Str)), v)
	case hasControl(v.Str):
		p.fault(name, "must not hold control characters", v)
	default:
		p.request.Model = strings.Clone(v.Str) // which is a part of the body: records would keep all of it
	}
}

func (p *parser) stream(name string, v gjson.Result) {
	switch v.Type {
	case gjson.True:
		p.request.Stream = p.endpoint.Streams
	case gjson.False, gjson.Null:
	default:
		p.fault(name, fmt.Sprintf("must be true or false; it is %s", article(v)), v)
	}
}

func (p *parser) tokenLimit(name string, v gjson.Result) {
	least := p.endpoint.leastTokens
	switch {
	case v.Type == gjson.Null:
	case v.Type != gjson.Number:
		p.fault(name, fmt.Sprintf("must be an integer of at least %g; it is %s", least, article(v)), v)
	case v.Num != math.Trunc(v.Num) || v.Num < least:
		p.fault(name, fmt.Sprintf("must be an integer of at least %g", least), v)
	}
}

func (p *parser) object(name string, v gjson.Result) {
	if v.Type != gjson.Null && !v.IsObject() {
		p.fault(name, fmt.Sprintf("must be an object; it is %s", article(v)), v)
	}
}

func (p *parser) text(name string, v gjson.Result) {
	switch {
	case v.Type == gjson.String:
	case !v.IsArray():
		p.fault(name, fmt.Sprintf("must be a string or an array; it is %s", article(v)), v)
	case !v.Get("0").Exists():
		p.fault(name, "must not be an empty array", gjson.Result{})
	}
}

func (p *parser) messages(name string, v gjson.Result) {
	if !v.IsArray() {
		p.fault(name, fmt.Sprintf("must be an array of messages; it is %s", article(v)), v)
		return
	}
	n := 0
	v.ForEach(func(_, m gjson.Result) bool {
		at := func() string { return fmt.Sprintf("%s[%d]", name, n-1) }
		n++
		if !m.IsObject() {
			p.fault(at(), fmt.Sprintf("must be an object with role and content; it is %s", article(m)), gjson.Result{})
		} else if role := wire.Get(m, "role"); role.Type != gjson.String || role.Str == "" {
			p.fault(at()+".role", "is required: a string such as user, assistant, system or tool", gjson.Result{})
		}
		return len(p.faults) < 16 // enough to mend a request by
	})
	if n == 0 {
		p.fault(name, "must hold at least one message", gjson.Result{})
	}
}

// fault notes what is wrong at name. The value goes along only if it is a number
// or a boolean: a string could be part of somebody's message.
func (p *parser) fault(name, detail string, v gjson.Result) {
	f := problem.Field{Detail: detail, Location: "body." + name}
	switch v.Type {
	case gjson.Number, gjson.True, gjson.False:
		f.Value = v.Value()
	}
	p.faults = append(p.faults, f)
}

func article(v gjson.Result) string {
	switch name := typeName(v); name {
	case "null":
		return name
	case "array", "object":
		return "an " + name
	default:
		return "a " + name
	}
}

func typeName(v gjson.Result) string {
	switch {
	case v.IsArray():
		return "array"
	case v.IsObject():
		return "object"
	case v.IsBool():
		return "boolean"
	case v.Type == gjson.Number:
		return "number"
	case v.Type == gjson.String:
		return "string"
	}
	return "null"
}

func hasControl(s string) bool {
	for _, r := range s {
		if r < 0x20 || r == 0x7f {
			return true
		}
	}
	return false
}
