package chat

import (
	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

func (d *requestDecoder) tool(at string, v gjson.Result) {
	if !v.IsObject() {
		d.Object(at, v)
		return
	}
	switch wire.Get(v, "type").Str {
	case "function":
		f := wire.Get(v, "function")
		at += ".function"
		t := turn.Tool{
			At: at, Name: d.Required(at+".name", wire.Get(f, "name")), Description: d.Optional(at+".description", wire.Get(f, "description")),
			Strict: d.Bool(at+".strict", wire.Get(f, "strict")),
		}
		if d.Object(at+".parameters", wire.Get(f, "parameters")) {
			t.Schema = wire.Get(f, "parameters").Raw
		}
		d.req.Tools = append(d.req.Tools, t)
	case "custom":
		c := wire.Get(v, "custom")
		at += ".custom"
		d.req.Tools = append(d.req.Tools, turn.Tool{
			At: at, Custom: true, Name: d.Required(at+".name", wire.Get(c, "name")), Description: d.Optional(at+".description", wire.Get(c, "description")),
			Grammar: wire.Get(c, "format").Raw,
		})
	default:
		d.Refuse(at+".type", "must be function or custom")
	}
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
		c.Mode, c.Name = turn.Named, d.Required(at+"."+kind+".name", wire.Get(v, kind, "name"))
	case kind == "allowed_tools":
		c.Mode = d.offered(at+".allowed_tools", wire.Get(v, "allowed_tools"))
	default:
		d.Refuse(at, "must be none, auto, required, or an object that names a tool")
	}
	d.req.Choice = c
}

// offered reads the subset of tools that a client allows for this one answer.
func (d *requestDecoder) offered(at string, v gjson.Result) turn.Mode {
	d.allowed = []turn.Ref{}
	d.Each(at+".tools", wire.Get(v, "tools"), func(at string, v gjson.Result) {
		name := wire.Get(v, "function", "name")
		if !name.Exists() {
			name = wire.Get(v, "custom", "name")
		}
		d.allowed = append(d.allowed, turn.Ref{Name: d.Required(at+".function.name", name)})
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
