package chat

import (
	"slices"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// mostStops is how many stop sequences OpenAI takes.
const mostStops = 4

// EncodeRequest writes r for an upstream that speaks Chat Completions. names are
// those of r's tools; keep them for the answer. Usage is asked for in every stream,
// for the record needs it.
func EncodeRequest(r *turn.Request, names *turn.Names, o Options) ([]byte, []wire.Note, *problem.Error) {
	e := requestEncoder{w: wire.NewWriter(r.Size + r.Size/8), req: r, names: names, options: o}
	e.w.Obj().Key("model").Str(r.Model)
	e.w.Key("messages").Arr()
	e.system(r.System)
	for _, m := range turn.Merge(r.Messages, turn.SameTurn) {
		e.message(&m)
	}
	e.w.EndArr()
	e.tools()
	e.limits()
	e.format()
	e.reasoning()
	if r.User != "" {
		e.w.Key("user").Str(r.User)
	}
	if r.Stream {
		e.w.Key("stream").Bool(true).Key("stream_options").Obj().Key("include_usage").Bool(true).EndObj()
	}
	e.w.EndObj()
	if fault := e.Err(); fault != nil {
		return nil, nil, fault
	}
	return e.w.B, slices.Concat(r.Notes, e.Notes), nil
}

type requestEncoder struct {
	wire.Reader // for faults and notes
	w           wire.Writer
	req         *turn.Request
	names       *turn.Names
	options     Options
}

func (e *requestEncoder) tools() {
	r := e.req
	if len(r.Tools) > 0 {
		e.w.Key("tools").Arr()
		for _, t := range r.Tools {
			e.w.Obj().Key("type").Str("function").Key("function").Obj().Key("name").Str(e.names.Flat(t.Namespace, t.Name))
			if d := turn.FunctionDescription(t); d != "" {
				e.w.Key("description").Str(d)
			}
			e.w.Key("parameters").Raw(turn.FunctionSchema(t))
			if t.Strict != nil {
				e.w.Key("strict").Bool(*t.Strict)
			}
			e.w.EndObj().EndObj()
		}
		e.w.EndArr()
		if r.Parallel != nil {
			e.w.Key("parallel_tool_calls").Bool(*r.Parallel)
		}
	}
	switch r.Choice.Mode {
	case turn.Auto:
		if len(r.Tools) > 0 { // OpenAI refuses a choice among none
			e.w.Key("tool_choice").Str("auto")
		}
	case turn.None:
		if len(r.Tools) > 0 {
			e.w.Key("tool_choice").Str("none")
		}
	case turn.Required:
		if len(r.Tools) == 0 {
			e.Refuse(r.Choice.At, "requires a tool, and none can be offered here")
		}
		e.w.Key("tool_choice").Str("required")
	case turn.Named:
		e.w.Key("tool_choice").Obj().Key("type").Str("function").Key("function").Obj()
		e.w.Key("name").Str(e.names.Flat(r.Choice.Namespace, r.Choice.Name)).EndObj().EndObj()
	}
}

func (e *requestEncoder) limits() {
	r := e.req
	if r.MaxTokens != nil {
		name := "max_completion_tokens"
		if e.options.Extended {
			name = "max_tokens" // which every server knows
		}
		e.w.Key(name).Int(*r.MaxTokens)
	}
	if r.Temperature != nil {
		e.w.Key("temperature").Float(*r.Temperature)
	}
	if r.TopP != nil {
		e.w.Key("top_p").Float(*r.TopP)
	}
	switch {
	case r.TopK != nil && e.options.Extended:
		e.w.Key("top_k").Int(*r.TopK)
	case r.TopK != nil:
		e.Drop("top_k", "is not in OpenAI's documents")
	}
	if len(r.Stop) > mostStops && !e.options.Extended {
		e.Refuse(wire.At("stop_sequences", mostStops), "is one more than the four stop sequences that this model's provider takes")
	}
	if len(r.Stop) > 0 {
		e.w.Key("stop").Strs(r.Stop)
	}
}

func (e *requestEncoder) format() {
	f := e.req.Format
	switch f.Kind {
	case turn.JSONObject:
		e.w.Key("response_format").Obj().Key("type").Str("json_object").EndObj()
	case turn.JSONSchema:
		e.w.Key("response_format").Obj().Key("type").Str("json_schema").Key("json_schema").Obj()
		name := f.Name
		if name == "" { // other protocols have none, and OpenAI wants one
			name = "answer"
		}
		e.w.Key("name").Str(name)
		if f.Description != "" {
			e.w.Key("description").Str(f.Description)
		}
		if f.Schema != "" {
			e.w.Key("schema").Raw(f.Schema)
		}
		if f.Strict != nil {
			e.w.Key("strict").Bool(*f.Strict)
		}
		e.w.EndObj().EndObj()
	}
}

// reasoning says a budget as the effort that OpenAI's models know it by.
func (e *requestEncoder) reasoning() {
	r := e.req.Reasoning
	switch {
	case r.Effort != "":
		e.w.Key("reasoning_effort").Str(r.Effort)
	case r.Budget != nil:
		e.w.Key("reasoning_effort").Str(turn.EffortOf(*r.Budget))
	case r.Off && e.options.Extended:
		e.w.Key("chat_template_kwargs").Obj().Key("enable_thinking").Bool(false).EndObj()
	case r.Off:
		e.Drop(r.At, "cannot be said for every model; it reasons as its provider has it")
	}
}
