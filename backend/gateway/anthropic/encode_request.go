package anthropic

import (
	"slices"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
	"mlxbar/backend/gateway/wire"
)

// EncodeRequest writes r for an upstream that speaks Messages. names are those of
// r's tools; keep them for the answer.
func EncodeRequest(r *turn.Request, names *turn.Names, o Options) ([]byte, []wire.Note, *problem.Error) {
	e := newRequestEncoder(r, names, o)
	e.w.Obj().Key("model").Str(r.Model)
	e.reasoning() // before the limit, which must hold its budget
	e.w.Key("max_tokens").Int(e.limit)
	e.conversation()
	e.sampling()
	e.output()
	if r.User != "" {
		e.w.Key("metadata").Obj().Key("user_id").Str(r.User).EndObj()
	}
	if r.Stream {
		e.w.Key("stream").Bool(true)
	}
	return e.end()
}

// EncodeCount writes r as a question of how many tokens it has.
func EncodeCount(r *turn.Request, names *turn.Names, o Options) ([]byte, []wire.Note, *problem.Error) {
	e := newRequestEncoder(r, names, o)
	e.w.Obj().Key("model").Str(r.Model)
	e.reasoning()
	e.conversation()
	e.output()
	return e.end()
}

type requestEncoder struct {
	wire.Reader // for faults and notes
	w           wire.Writer
	req         *turn.Request
	names       *turn.Names
	options     Options
	messages    []turn.Message
	limit       int64
	effort      string
	ids         map[string]string // of calls, as they came and as they go on
	taken       map[string]bool
}

func newRequestEncoder(r *turn.Request, names *turn.Names, o Options) *requestEncoder {
	e := &requestEncoder{w: wire.NewWriter(r.Size + r.Size/8), req: r, names: names, options: o, ids: map[string]string{}, taken: map[string]bool{}}
	e.messages = e.arrange()
	return e
}

func (e *requestEncoder) end() ([]byte, []wire.Note, *problem.Error) {
	e.w.EndObj()
	if fault := e.Err(); fault != nil {
		return nil, nil, fault
	}
	return e.w.B, slices.Concat(e.req.Notes, e.Notes), nil
}

func (e *requestEncoder) conversation() {
	e.system()
	e.w.Key("messages").Arr()
	for i := range e.messages {
		e.message(&e.messages[i])
	}
	e.w.EndArr()
	if len(e.messages) == 0 {
		e.Refuse("messages", "must hold something beside what the system says")
	}
	e.tools()
}

// reasoning says an effort as the model's provider knows it, and sets the limit of
// tokens, which holds those of thinking too.
func (e *requestEncoder) reasoning() {
	r := e.req
	e.limit = DefaultMaxTokens
	if e.options.MaxTokens > 0 {
		e.limit = e.options.MaxTokens
	}
	if r.MaxTokens != nil {
		e.limit = *r.MaxTokens
	} else {
		e.Drop("max_tokens", "was not set, and this model's provider requires it; a default is in force")
	}
	want := r.Reasoning
	switch {
	case want.Off || want.Effort == "none":
		e.w.Key("thinking").Obj().Key("type").Str("disabled").EndObj()
	case want.Effort == "" && want.Budget == nil:
	case e.options.Adaptive:
		e.adaptive(want)
	default:
		e.budget(want)
	}
}

// adaptive says an effort to a model that finds its budget itself. It knows no
// effort below low.
func (e *requestEncoder) adaptive(want turn.Reasoning) {
	effort := want.Effort
	if effort == "" {
		effort = turn.EffortOf(*want.Budget)
	}
	if effort == "minimal" {
		effort = "low"
		e.Drop(want.At, "goes on as low, the least that this model's provider knows")
	}
	if _, known := turn.BudgetOf(effort); !known {
		e.Refuse(want.At, "must be none, minimal, low, medium, high, xhigh or max")
		return
	}
	e.effort = effort
	if why := e.thoughtless(); why != "" {
		e.Drop(want.At, why)
		return
	}
	e.w.Key("thinking").Obj().Key("type").Str("adaptive").EndObj()
}

func (e *requestEncoder) budget(want turn.Reasoning) {
	var budget int64
	if want.Budget != nil {
		budget = *want.Budget
	} else if b, known := turn.BudgetOf(want.Effort); known {
		budget = b
	} else {
		e.Refuse(want.At, "must be none, minimal, low, medium, high, xhigh or max")
		return
	}
	if e.req.MaxTokens == nil {
		e.limit = max(e.limit, budget+DefaultMaxTokens)
	}
	if want.Budget == nil { // an effort is a wish: half of the limit is for the answer
		budget = min(budget, e.limit/2)
	}
	why := e.thoughtless()
	if why == "" && (budget < turn.LeastBudget || budget >= e.limit) {
		why = "needs a limit of tokens that holds 1024 for thinking and an answer"
	}
	if why != "" {
		e.Drop(want.At, why)
		return
	}
	e.w.Key("thinking").Obj().Key("type").Str("enabled").Key("budget_tokens").Int(budget).EndObj()
}

// thoughtless says why the model cannot think here, "" if it can.
func (e *requestEncoder) thoughtless() string {
	r := e.req
	switch {
	case r.Choice.Mode == turn.Required || r.Choice.Mode == turn.Named:
		return "cannot be had together with a forced tool"
	case r.Temperature != nil && *r.Temperature != 1, r.TopK != nil:
		return "cannot be had together with temperature or top_k"
	case e.inToolLoop():
		return "cannot be had in the middle of tool calls whose reasoning did not come back"
	}
	return ""
}

// inToolLoop says whether the last thing in the conversation are results of calls
// that stand without the signed thinking that led to them.
func (e *requestEncoder) inToolLoop() bool {
	n := len(e.messages)
	if n < 2 || e.messages[n-1].Role != turn.User || e.messages[n-2].Role != turn.Assistant {
		return false
	}
	if !slices.ContainsFunc(e.messages[n-1].Blocks, func(b turn.Block) bool { return b.Kind == turn.ToolResult }) {
		return false
	}
	first := e.messages[n-2].Blocks[0].Kind
	return first != turn.Thinking && first != turn.Redacted
}

func (e *requestEncoder) sampling() {
	r := e.req
	if r.Temperature != nil {
		if *r.Temperature > 1 {
			e.Refuse("temperature", "must be from 0 to 1 for this model's provider")
		}
		e.w.Key("temperature").Float(*r.Temperature)
	}
	if r.TopP != nil {
		e.w.Key("top_p").Float(*r.TopP)
	}
	if r.TopK != nil {
		e.w.Key("top_k").Int(*r.TopK)
	}
	if len(r.Stop) > 0 {
		e.w.Key("stop_sequences").Strs(r.Stop)
	}
}

func (e *requestEncoder) output() {
	f := e.req.Format
	if f.Kind == turn.JSONObject {
		e.Refuse(f.At, "json_object cannot be said to this model's provider; use json_schema")
	}
	if e.effort == "" && f.Kind != turn.JSONSchema {
		return
	}
	e.w.Key("output_config").Obj()
	if e.effort != "" {
		e.w.Key("effort").Str(e.effort)
	}
	if f.Kind == turn.JSONSchema {
		if f.Schema == "" {
			e.Refuse(f.At+".schema", "is required: a JSON schema")
		}
		if f.Description != "" {
			e.Drop(f.At+".description", "has no place beside the schema")
		}
		e.w.Key("format").Obj().Key("type").Str("json_schema").Key("schema").Raw(f.Schema).EndObj()
	}
	e.w.EndObj()
}

func (e *requestEncoder) tools() {
	r := e.req
	if len(r.Tools) > 0 {
		e.w.Key("tools").Arr()
		for _, t := range r.Tools {
			e.w.Obj().Key("name").Str(e.names.Flat(t.Namespace, t.Name))
			if d := turn.FunctionDescription(t); d != "" {
				e.w.Key("description").Str(d)
			}
			e.w.Key("input_schema").Raw(turn.FunctionSchema(t))
			if t.Strict != nil && *t.Strict {
				e.w.Key("strict").Bool(true)
			}
			e.w.EndObj()
		}
		e.w.EndArr()
	}
	e.choice()
}

var choices = map[turn.Mode]string{turn.Auto: "auto", turn.None: "none", turn.Required: "any", turn.Named: "tool"}

func (e *requestEncoder) choice() {
	c, one := e.req.Choice, e.req.Parallel != nil && !*e.req.Parallel
	if len(e.req.Tools) == 0 {
		if c.Mode == turn.Required {
			e.Refuse(c.At, "requires a tool, and none can be offered here")
		}
		return
	}
	if c.Mode == turn.Unset && one {
		c.Mode = turn.Auto
	}
	if c.Mode == turn.Unset {
		return
	}
	e.w.Key("tool_choice").Obj().Key("type").Str(choices[c.Mode])
	if c.Mode == turn.Named {
		e.w.Key("name").Str(e.names.Flat(c.Namespace, c.Name))
	}
	if e.req.Parallel != nil && c.Mode != turn.None {
		e.w.Key("disable_parallel_tool_use").Bool(one)
	}
	e.w.EndObj()
}
