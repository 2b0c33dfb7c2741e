package responses

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// DecodeRequest reads a client's request, and what its answer has to repeat. Its
// error names every field that cannot be said in another protocol, its notes those
// that are left out.
func DecodeRequest(body []byte) (*turn.Request, *Asked, *problem.Error) {
	root, fault := wire.Root(body)
	if fault != nil {
		return nil, nil, fault
	}
	d := requestDecoder{req: &turn.Request{}}
	if text := d.Optional("instructions", wire.Get(root, "instructions")); text != "" { // before what the input says
		d.req.System = []turn.Block{{Kind: turn.Text, At: "instructions", Text: text}}
	}
	d.Members("", root, d.field)
	if !wire.Get(root, "model").Exists() {
		d.Refuse("model", "is required: the name of a model, a string")
	}
	if len(d.req.Messages) == 0 && len(d.Faults) == 0 {
		d.Refuse("input", "is required: a string, or an array that holds a message")
	}
	if d.allowed != nil {
		d.req.Offer(d.allowed)
	}
	if len(d.Faults) == 0 {
		turn.Check(d.req, &d.Reader)
	}
	d.req.Notes = d.Notes
	return d.req, newAsked(root), d.Err()
}

type requestDecoder struct {
	wire.Reader
	req     *turn.Request
	allowed []turn.Ref
}

func (d *requestDecoder) field(name string, v gjson.Result) {
	if v.Type == gjson.Null {
		return
	}
	r := d.req
	switch name {
	case "instructions", "metadata", "stream_options": // read already, or repeated, or of no matter
	case "model":
		r.Model = strings.Clone(d.Required(name, v))
	case "input":
		d.input(name, v)
	case "tools":
		d.Each(name, v, d.tool)
	case "tool_choice":
		d.choice(name, v)
	case "parallel_tool_calls":
		r.Parallel = d.Bool(name, v)
	case "max_output_tokens":
		r.MaxTokens = d.Int(name, v, 1)
	case "temperature":
		r.Temperature = d.Float(name, v, 0, 2)
	case "top_p":
		r.TopP = d.Float(name, v, 0, 1)
	case "stream":
		b := d.Bool(name, v)
		r.Stream = b != nil && *b
	case "text":
		d.text(name, v)
	case "reasoning":
		if d.Object(name, v) {
			r.Reasoning = turn.Reasoning{Effort: d.Optional("reasoning.effort", wire.Get(v, "effort")), At: "reasoning.effort"}
			d.Others(name, v, "effort", "summary", "generate_summary")
		}
	case "include":
		d.include(name, v)
	case "user", "safety_identifier":
		r.User = d.Str(name, v)
	default:
		d.other(name, v)
	}
}

// refusedFields cannot be left out without the client getting something else than
// what it asked for, unless they say what is the default anyway.
var refusedFields = map[string]struct{ unless, why string }{
	"previous_response_id": {"", "names a response that lies with OpenAI and cannot be known here; send the whole conversation as input"},
	"conversation":         {"", "names a conversation that lies with OpenAI and cannot be known here; send it as input"},
	"prompt":               {"", "names a prompt that lies with OpenAI and cannot be known here; send it as input"},
	"background":           {"false", "must be false: nothing is answered later here"},
	"top_logprobs":         {"0", "cannot be had from this model's provider"},
	"moderation":           {"", "cannot be had from this model's provider"},
}

// hints change no meaning when they are left out: they are about cost, storage and
// tools that OpenAI runs, or best effort by its documents.
var hints = map[string]string{
	"store": "false", "truncation": `"disabled"`, "service_tier": `"auto"`, "prompt_cache_key": "", "prompt_cache_options": "",
	"prompt_cache_retention": "", "max_tool_calls": "", "context_management": "[]", "client_metadata": "",
}

func (d *requestDecoder) other(name string, v gjson.Result) {
	if f, ok := refusedFields[name]; ok {
		if v.Raw != f.unless {
			d.Refuse(name, f.why)
		}
		return
	}
	unless, known := hints[name]
	switch {
	case known && v.Raw == unless:
	case known:
		d.Drop(name, "has no place in the other protocol")
	default:
		d.Drop(wire.Name(name), "is not in OpenAI's documents")
	}
}

// include asks for more in the answer. Reasoning comes back sealed; all else is of
// tools that are not there, or of probabilities.
func (d *requestDecoder) include(at string, v gjson.Result) {
	for i, what := range d.Strings(at, v) {
		switch what {
		case "reasoning.encrypted_content":
		case "message.output_text.logprobs":
			d.Refuse(wire.At(at, i), "cannot be had from this model's provider")
		default:
			d.Drop(wire.At(at, i), "is of a tool that OpenAI runs")
		}
	}
}

func (d *requestDecoder) text(at string, v gjson.Result) {
	if !d.Object(at, v) {
		return
	}
	if verbosity := d.Optional(at+".verbosity", wire.Get(v, "verbosity")); verbosity != "" && verbosity != "medium" {
		d.Drop(at+".verbosity", "is a hint that this model's provider does not take")
	}
	d.Others(at, v, "format", "verbosity")
	f := wire.Get(v, "format")
	at += ".format"
	if !d.Object(at, f) {
		return
	}
	switch wire.Get(f, "type").Str {
	case "text":
	case "json_object":
		d.req.Format = turn.Format{Kind: turn.JSONObject, At: at + ".type"}
	case "json_schema":
		d.req.Format = turn.Format{
			Kind: turn.JSONSchema, At: at, Name: d.Required(at+".name", wire.Get(f, "name")),
			Description: d.Optional(at+".description", wire.Get(f, "description")), Strict: d.Bool(at+".strict", wire.Get(f, "strict")),
		}
		if d.Object(at+".schema", wire.Get(f, "schema")) {
			d.req.Format.Schema = wire.Get(f, "schema").Raw
		}
	default:
		d.Refuse(at+".type", "must be text, json_object or json_schema")
	}
}

// hosted are the tools that OpenAI runs, or whose form only its models know.
var hosted = []string{
	"web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11", "file_search", "computer", "computer_use",
	"computer_use_preview", "mcp", "code_interpreter", "programmatic_tool_calling", "image_generation", "local_shell", "shell",
	"apply_patch", "tool_search",
}

func isHosted(kind string) bool { return slices.Contains(hosted, kind) }
