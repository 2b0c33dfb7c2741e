package responses

import (
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

func (d *requestDecoder) tool(at string, v gjson.Result) {
	if !v.IsObject() {
		d.Refuse(at, "must be an object; it is "+wire.Article(v))
		return
	}
	switch kind := wire.Get(v, "type").Str; {
	case kind == "namespace":
		d.namespace(at, v)
	case isHosted(kind):
		d.Drop(at, "is a tool that OpenAI runs, or that only its models know")
	default:
		d.offer(at, v, "", "")
	}
}

func (d *requestDecoder) namespace(at string, v gjson.Result) {
	name, about := d.Required(at+".name", wire.Get(v, "name")), d.Optional(at+".description", wire.Get(v, "description"))
	d.Each(at+".tools", wire.Get(v, "tools"), func(at string, v gjson.Result) { d.offer(at, v, name, about) })
}

// offer adds a function or a custom tool. about is what its namespace says of itself.
func (d *requestDecoder) offer(at string, v gjson.Result, namespace, about string) {
	t := turn.Tool{At: at, Namespace: namespace, Name: d.Required(at+".name", wire.Get(v, "name"))}
	t.Description = strings.TrimSpace(about + "\n\n" + d.Optional(at+".description", wire.Get(v, "description")))
	switch wire.Get(v, "type").Str {
	case "function":
		d.Others(at, v, "type", "name", "description", "parameters", "strict")
		if d.Object(at+".parameters", wire.Get(v, "parameters")) {
			t.Schema = wire.Get(v, "parameters").Raw
		}
		t.Strict = d.Bool(at+".strict", wire.Get(v, "strict"))
	case "custom":
		d.Others(at, v, "type", "name", "description", "format")
		t.Custom, t.Grammar = true, wire.Get(v, "format").Raw
	default:
		d.Refuse(at+".type", "is a kind of tool that is not known here")
	}
	d.req.Tools = append(d.req.Tools, t)
}

func (d *requestDecoder) choice(at string, v gjson.Result) {
	c := turn.Choice{At: at}
	switch kind := wire.Get(v, "type").Str; {
	case v.Str == "auto":
		c.Mode = turn.Auto
	case v.Str == "none":
		c.Mode = turn.None
	case v.Str == "required":
		c.Mode = turn.Required
	case kind == "function" || kind == "custom":
		c.Mode, c.Name, c.At = turn.Named, d.Required(at+".name", wire.Get(v, "name")), at+".name"
		c.Namespace = d.Optional(at+".namespace", wire.Get(v, "namespace"))
	case kind == "allowed_tools":
		c.Mode = d.offered(at, v)
	case isHosted(kind):
		d.Refuse(at+".type", "names a tool that OpenAI runs, and that cannot be offered here")
	default:
		d.Refuse(at, "must be none, auto, required, or an object that names a tool")
	}
	d.req.Choice = c
}

// offered reads the subset of tools that a client allows for this one answer.
func (d *requestDecoder) offered(at string, v gjson.Result) turn.Mode {
	d.allowed = []turn.Ref{}
	d.Each(at+".tools", wire.Get(v, "tools"), func(at string, v gjson.Result) {
		if isHosted(wire.Get(v, "type").Str) {
			d.Drop(at, "is a tool that OpenAI runs")
			return
		}
		d.allowed = append(d.allowed, turn.Ref{Namespace: d.Optional(at+".namespace", wire.Get(v, "namespace")), Name: d.Required(at+".name", wire.Get(v, "name"))})
	})
	switch wire.Get(v, "mode").Str {
	case "auto":
		return turn.Auto
	case "required":
		return turn.Required
	}
	d.Refuse(at+".mode", "must be auto or required")
	return turn.Unset
}
