package anthropic

import (
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// DecodeRequest reads a client's request. Its error names every field that cannot
// be said in another protocol, its notes those that are left out.
func DecodeRequest(body []byte) (*turn.Request, *problem.Error) { return decode(Messages, body) }

// DecodeCount reads a request that asks how many tokens it has.
func DecodeCount(body []byte) (*turn.Request, *problem.Error) { return decode(CountTokens, body) }

func decode(endpoint Endpoint, body []byte) (*turn.Request, *problem.Error) {
	root, fault := wire.Root(body)
	if fault != nil {
		return nil, fault
	}
	if _, fault := parse(endpoint, root); fault != nil {
		return nil, fault
	}
	d := requestDecoder{req: &turn.Request{}}
	d.Members("", root, d.field)
	if len(d.Faults) == 0 {
		turn.Check(d.req, &d.Reader)
	}
	d.req.Notes = d.Notes
	return d.req, d.Err()
}

type requestDecoder struct {
	wire.Reader
	req *turn.Request
}

func (d *requestDecoder) field(name string, v gjson.Result) {
	if v.Type == gjson.Null {
		return
	}
	r := d.req
	switch name {
	case "model":
		r.Model = strings.Clone(v.Str)
	case "messages":
		d.Each(name, v, d.message)
	case "system":
		r.System = d.texts(name, v)
	case "max_tokens":
		if r.MaxTokens = d.Int(name, v, 0); r.MaxTokens != nil && *r.MaxTokens == 0 {
			d.Refuse(name, "must be at least 1: this model's provider has no cache to fill")
		}
	case "stop_sequences":
		r.Stop = d.Strings(name, v)
	case "stream":
		b := d.Bool(name, v)
		r.Stream = b != nil && *b
	case "temperature":
		r.Temperature = d.Float(name, v, 0, 1)
	case "top_p":
		r.TopP = d.Float(name, v, 0, 1)
	case "top_k":
		r.TopK = d.Int(name, v, 0)
	case "tools":
		d.Each(name, v, d.tool)
	case "tool_choice":
		d.choice(name, v)
	case "thinking":
		d.thinking(name, v)
	case "output_config":
		d.output(name, v)
	case "metadata":
		if d.Object(name, v) {
			r.User = d.Optional("metadata.user_id", wire.Get(v, "user_id"))
			d.Others(name, v, "user_id")
		}
	case "container", "inference_geo":
		d.Refuse(name, "can only be had from Anthropic")
	default:
		d.Drop(wire.Name(name), "has no place in the other protocol")
	}
}

// thinking may come before or after output_config, whose effort counts beside it.
func (d *requestDecoder) thinking(at string, v gjson.Result) {
	r := &d.req.Reasoning
	if r.At == "" {
		r.At = at
	}
	switch wire.Get(v, "type").Str {
	case "enabled":
		r.Budget = d.Int(at+".budget_tokens", wire.Get(v, "budget_tokens"), 1)
	case "disabled":
		r.Off = true
	case "adaptive":
	default:
		d.Refuse(at+".type", "must be enabled, adaptive or disabled")
	}
}

func (d *requestDecoder) output(at string, v gjson.Result) {
	if !d.Object(at, v) {
		return
	}
	d.Others(at, v, "effort", "format")
	if effort := d.Optional(at+".effort", wire.Get(v, "effort")); effort != "" {
		d.req.Reasoning.Effort, d.req.Reasoning.At = effort, at+".effort"
	}
	f := wire.Get(v, "format")
	if !d.Object(at+".format", f) {
		return
	}
	if wire.Get(f, "type").Str != "json_schema" {
		d.Refuse(at+".format.type", "must be json_schema")
		return
	}
	if !wire.Get(f, "schema").IsObject() {
		d.Refuse(at+".format.schema", "is required: a JSON schema")
	}
	schema := wire.Get(f, "schema").Raw
	d.req.Format = turn.Format{Kind: turn.JSONSchema, At: at + ".format", Schema: schema}
	if turn.Strict(schema) {
		strict := true
		d.req.Format.Strict = &strict
		return
	}
	d.Drop(at+".format", "goes on as a wish: its schema leaves open what OpenAI's strict mode wants closed")
}

func (d *requestDecoder) tool(at string, v gjson.Result) {
	if !v.IsObject() {
		d.Refuse(at, "must be an object; it is "+wire.Article(v))
		return
	}
	if kind := d.Optional(at+".type", wire.Get(v, "type")); kind != "" && kind != "custom" {
		d.Drop(at, "is a tool that Anthropic defines or runs")
		return
	}
	d.Others(at, v, "type", "name", "description", "input_schema", "strict", "cache_control")
	d.cached(v)
	t := turn.Tool{
		At: at, Name: d.Required(at+".name", wire.Get(v, "name")), Description: d.Optional(at+".description", wire.Get(v, "description")),
		Strict: d.Bool(at+".strict", wire.Get(v, "strict")),
	}
	if !wire.Get(v, "input_schema").IsObject() {
		d.Refuse(at+".input_schema", "is required: a JSON schema")
	}
	t.Schema = wire.Get(v, "input_schema").Raw
	d.req.Tools = append(d.req.Tools, t)
}

// cached notes, once, that marks for Anthropic's cache are left out.
func (d *requestDecoder) cached(v gjson.Result) {
	if c := wire.Get(v, "cache_control"); c.Exists() && c.Type != gjson.Null {
		d.Drop("cache_control", "marks what Anthropic's cache keeps")
	}
}

func (d *requestDecoder) choice(at string, v gjson.Result) {
	c := turn.Choice{At: at}
	switch wire.Get(v, "type").Str {
	case "auto":
		c.Mode = turn.Auto
	case "any":
		c.Mode = turn.Required
	case "none":
		c.Mode = turn.None
	case "tool":
		c.Mode, c.Name, c.At = turn.Named, d.Required(at+".name", wire.Get(v, "name")), at+".name"
	default:
		d.Refuse(at+".type", "must be auto, any, none or tool")
	}
	d.req.Choice = c
	if one := d.Bool(at+".disable_parallel_tool_use", wire.Get(v, "disable_parallel_tool_use")); one != nil {
		many := !*one
		d.req.Parallel = &many
	}
}
