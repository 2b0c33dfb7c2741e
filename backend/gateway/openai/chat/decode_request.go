package chat

import (
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// DecodeRequest reads a client's request. Its error names every field that cannot
// be said in another protocol, its notes those that are left out.
func DecodeRequest(body []byte) (*turn.Request, *problem.Error) {
	root, fault := wire.Root(body)
	if fault != nil {
		return nil, fault
	}
	d := requestDecoder{req: &turn.Request{}}
	d.Members("", root, d.field)
	if d.req.Model == "" && !wire.Get(root, "model").Exists() {
		d.Refuse("model", "is required: the name of a model, a string")
	}
	if !root.Get("messages.0").Exists() {
		d.Refuse("messages", "is required: an array of at least one message")
	}
	if d.allowed != nil {
		d.req.Offer(d.allowed)
	}
	if len(d.Faults) == 0 {
		turn.Check(d.req, &d.Reader)
	}
	d.req.Notes = d.Notes
	return d.req, d.Err()
}

type requestDecoder struct {
	wire.Reader
	req     *turn.Request
	allowed []turn.Ref
	limits  map[string]*int64
}

// field takes one member of the body. What is in neither switch nor table is
// unknown to OpenAI's documents and noted as left out.
func (d *requestDecoder) field(name string, v gjson.Result) {
	if v.Type == gjson.Null {
		return
	}
	r := d.req
	switch name {
	case "model":
		r.Model = strings.Clone(d.Required(name, v))
	case "messages":
		d.Each(name, v, d.message)
	case "tools":
		d.Each(name, v, d.tool)
	case "tool_choice":
		d.choice(name, v)
	case "parallel_tool_calls":
		r.Parallel = d.Bool(name, v)
	case "max_tokens":
		if r.MaxTokens == nil { // the newer name counts
			r.MaxTokens = d.Int(name, v, 1)
		}
	case "max_completion_tokens":
		r.MaxTokens = d.Int(name, v, 1)
	case "temperature":
		r.Temperature = d.Float(name, v, 0, 2)
	case "top_p":
		r.TopP = d.Float(name, v, 0, 1)
	case "top_k":
		r.TopK = d.Int(name, v, 0)
	case "stop":
		d.stop(name, v)
	case "stream":
		b := d.Bool(name, v)
		r.Stream = b != nil && *b
	case "stream_options":
		if d.Object(name, v) {
			b := d.Bool("stream_options.include_usage", wire.Get(v, "include_usage"))
			r.Usage = b != nil && *b
			d.Others(name, v, "include_usage", "include_obfuscation")
		}
	case "response_format":
		d.format(name, v)
	case "reasoning_effort":
		r.Reasoning = turn.Reasoning{Effort: d.Str(name, v), At: name}
	case "user", "safety_identifier":
		r.User = d.Str(name, v)
	default:
		d.other(name, v)
	}
}

// refusedFields cannot be left out without the client getting something else than
// what it asked for, unless they say what is the default anyway.
var refusedFields = map[string]struct {
	unless func(v gjson.Result) bool
	why    string
}{
	"n":                  {is(1), "must be 1: the model's provider gives one answer at a time"},
	"logprobs":           {no, "cannot be had from this model's provider"},
	"top_logprobs":       {is(0), "cannot be had from this model's provider"},
	"logit_bias":         {empty, "cannot be said to this model's provider, which knows no tokens of its clients"},
	"audio":              {empty, "cannot be had from this model's provider: it answers in text"},
	"modalities":         {textOnly, "must be [\"text\"]: this model's provider answers in text"},
	"functions":          {empty, "is the old form of tools, which this conversion does not know; use tools"},
	"function_call":      {is(nil), "is the old form of tool_choice, which this conversion does not know; use tool_choice"},
	"moderation":         {empty, "cannot be had from this model's provider"},
	"web_search_options": {is(nil), "cannot be had from this model's provider: it is a tool that OpenAI runs"},
}

// hints change no meaning when they are left out: they are best effort by OpenAI's
// own documents, or are about cost and storage.
var hints = map[string]func(v gjson.Result) bool{
	"frequency_penalty": is(0), "presence_penalty": is(0), "seed": never, "store": no, "metadata": empty,
	"service_tier": isAuto, "prediction": never, "verbosity": is("medium"), "prompt_cache_key": never,
	"prompt_cache_options": never, "prompt_cache_retention": never,
}

func (d *requestDecoder) other(name string, v gjson.Result) {
	if f, ok := refusedFields[name]; ok {
		if !f.unless(v) {
			d.Refuse(name, f.why)
		}
		return
	}
	isDefault, known := hints[name]
	switch {
	case known && isDefault(v):
	case known:
		d.Drop(name, "is a hint that this model's provider does not take")
	default:
		d.Drop(wire.Name(name), "is not in OpenAI's documents")
	}
}

func is(want any) func(gjson.Result) bool {
	return func(v gjson.Result) bool {
		if n, ok := want.(int); ok {
			return v.Type == gjson.Number && v.Num == float64(n)
		}
		return v.Value() == want
	}
}

func never(gjson.Result) bool    { return false }
func no(v gjson.Result) bool     { return v.Type == gjson.False }
func isAuto(v gjson.Result) bool { return v.Str == "auto" || v.Str == "default" }
func empty(v gjson.Result) bool  { return v.Raw == "{}" || v.Raw == "[]" }
func textOnly(v gjson.Result) bool {
	return v.IsArray() && len(v.Array()) == 1 && v.Get("0").Str == "text"
}

func (d *requestDecoder) stop(at string, v gjson.Result) {
	if v.Type == gjson.String {
		d.req.Stop = []string{v.Str}
		return
	}
	d.req.Stop = d.Strings(at, v)
}

func (d *requestDecoder) format(at string, v gjson.Result) {
	if !d.Object(at, v) {
		return
	}
	switch kind := wire.Get(v, "type").Str; kind {
	case "text":
	case "json_object":
		d.req.Format = turn.Format{Kind: turn.JSONObject, At: at + ".type"}
	case "json_schema":
		s := wire.Get(v, "json_schema")
		d.req.Format = turn.Format{
			Kind: turn.JSONSchema, At: at + ".json_schema", Name: d.Required(at+".json_schema.name", wire.Get(s, "name")),
			Description: d.Optional(at+".json_schema.description", wire.Get(s, "description")), Strict: d.Bool(at+".json_schema.strict", wire.Get(s, "strict")),
		}
		if d.Object(at+".json_schema.schema", wire.Get(s, "schema")) {
			d.req.Format.Schema = wire.Get(s, "schema").Raw
		}
	default:
		d.Refuse(at+".type", "must be text, json_object or json_schema")
	}
}
