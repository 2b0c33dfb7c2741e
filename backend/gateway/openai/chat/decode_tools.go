package chat

import (
	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/turn"
)

func (d *requestDecoder) tool(at string, v gjson.Result) {
	if !v.IsObject() {
		d.Object(at, v)
		return
	}
	switch v.Get("type").Str {
	case "function":
		f := v.Get("function")
		at += ".function"
		t := turn.Tool{
			At: at, Name: d.Required(at+".name", f.Get("name")), Description: d.Optional(at+".description", f.Get("description")),
			Strict: d.Bool(at+".strict", f.Get("strict")),
		}
		if d.Object(at+".parameters", f.Get("parameters")) {
			t.Schema = f.Get("parameters").Raw
		}
		d.req.Tools = append(d.req.Tools, t)
	case "custom":
		c := v.Get("custom")
		at += ".custom"
		d.req.Tools = append(d.req.Tools, turn.Tool{
			At: at, Custom: true, Name: d.Required(at+".name", c.Get("name")), Description: d.Optional(at+".description", c.Get("description")),
			Grammar: c.Get("format").Raw,
		})
	default:
		d.Refuse(at+".type", "must be function or custom")
	}
}

func (d *requestDecoder) choice(at string, v gjson.Result) {
	c := turn.Choice{At: at}
	switch kind := v.Get("type").Str; {
	case v.Str == "auto":
		c.Mode = turn.Auto
	case v.Str == "none":
		c.Mode = turn.None
	case v.Str == "required":
		c.Mode = turn.Required
	case kind == "function" || kind == "custom":
		c.Mode, c.Name = turn.Named, d.Required(at+"."+kind+".name", v.Get(kind+".name"))
	case kind == "allowed_tools":
		c.Mode = d.offered(at+".allowed_tools", v.Get("allowed_tools"))
	default:
		d.Refuse(at, "must be none, auto, required, or an object that names a tool")
	}
	d.req.Choice = c
}

// offered reads the subset of tools that a client allows for this one answer.
func (d *requestDecoder) offered(at string, v gjson.Result) turn.Mode {
	d.allowed = []turn.Ref{}
	d.Each(at+".tools", v.Get("tools"), func(at string, v gjson.Result) {
		name := v.Get("function.name")
		if !name.Exists() {
			name = v.Get("custom.name")
		}
		d.allowed = append(d.allowed, turn.Ref{Name: d.Required(at+".function.name", name)})
	})
	switch v.Get("mode").Str {
	case "auto":
		return turn.Auto
	case "required":
		return turn.Required
	}
	d.Refuse(at+".mode", "must be auto or required")
	return turn.Unset
}
