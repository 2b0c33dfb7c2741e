package audit

import (
	"database/sql/driver"
	"slices"
	"strings"
)

// columns are in the order of row.values and recordOf.
var columns = []string{
	"id", "request_id", "started_at", "model", "served_model", "backend", "provider", "endpoint", "stream",
	"duration_ms", "ttft_ms", "status", "http_status", "error_type",
	"prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "prompt_ms", "generation_ms",
	"attempts", "client", "key_id", "cost_usd", "left_to", "hint",
}

// fixed is how many of the columns, from the front, are settled by Begin.
const fixed = 3

var (
	columnList = strings.Join(columns, ", ")
	insertSQL  = "INSERT INTO requests (" + columnList + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ") ON CONFLICT (id) DO NOTHING"
	updateSQL  = "UPDATE requests SET " + strings.Join(columns[fixed:], " = ?, ") + " = ? WHERE id = ? AND status = 'running'"
	deleteSQL  = "DELETE FROM requests WHERE id = ? AND status = 'running'"
)

// maxText bounds what a client can put into a text column.
const maxText = 512

// number is a figure that may be unknown, without a pointer to the caller's memory.
type number[T int64 | float64] struct {
	v     T
	known bool
}

func numberOf[T int64 | float64](p *T) number[T] {
	if p == nil {
		return number[T]{}
	}
	return number[T]{*p, true}
}

func (n number[T]) value() driver.Value {
	if !n.known {
		return nil
	}
	return n.v
}

// row is a record in the queue: the same facts in one piece of memory.
type row struct {
	id, startedAt, attempts                             int64
	requestID, model, servedModel, provider, endpoint   string
	backend                                             Backend
	status                                              Status
	errorType, client, keyID, hint                      string
	stream                                              bool
	durationMS, ttftMS, promptMS, generationMS, costUSD number[float64]
	httpStatus, prompt, completion, total, cached       number[int64]
	left                                                []Departure // a copy
}

func rowOf(r *Record) row {
	return row{
		id: r.ID, startedAt: millis(r.StartedAt), attempts: r.Attempts,
		requestID: clip(r.RequestID), model: clip(r.Model), servedModel: clip(r.ServedModel),
		provider: clip(r.Provider), endpoint: clip(r.Endpoint), backend: r.Backend, status: r.Status,
		errorType: clip(r.ErrorType), client: clip(r.Client), keyID: clip(r.KeyID), hint: clip(r.Hint), stream: r.Stream,
		durationMS: numberOf(r.DurationMS), ttftMS: numberOf(r.TTFTMS), promptMS: numberOf(r.PromptMS),
		generationMS: numberOf(r.GenerationMS), costUSD: numberOf(r.CostUSD),
		httpStatus: numberOf(r.HTTPStatus), prompt: numberOf(r.PromptTokens), completion: numberOf(r.CompletionTokens),
		total: numberOf(r.TotalTokens), cached: numberOf(r.CachedTokens), left: slices.Clone(r.Left),
	}
}

// clip keeps text within bounds and within UTF-8.
func clip(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "")
}

// values fills args, which has room for all columns.
func (r *row) values(args []driver.NamedValue) {
	a := arguments(args)
	a.put(r.id)
	a.put(r.requestID)
	a.put(r.startedAt)
	a.text(r.model)
	a.text(r.servedModel)
	a.text(string(r.backend))
	a.text(r.provider)
	a.text(r.endpoint)
	a.put(r.stream)
	a.put(r.durationMS.value())
	a.put(r.ttftMS.value())
	a.text(string(r.status))
	a.put(r.httpStatus.value())
	a.text(r.errorType)
	for _, n := range [...]number[int64]{r.prompt, r.completion, r.total, r.cached} {
		a.put(n.value())
	}
	a.put(r.promptMS.value())
	a.put(r.generationMS.value())
	a.put(r.attempts)
	a.text(r.client)
	a.text(r.keyID)
	a.put(r.costUSD.value())
	a.text(formatLeft(r.left))
	a.text(r.hint)
}

// arguments are those that are still to be filled.
type arguments []driver.NamedValue

func (a *arguments) put(v driver.Value) {
	(*a)[0].Value = v
	*a = (*a)[1:]
}

// text leaves a text in its place that is the same as of the last record, as most are: a
// string in an interface costs memory.
func (a *arguments) text(s string) {
	if last, ok := (*a)[0].Value.(string); ok && last == s {
		*a = (*a)[1:]
		return
	}
	a.put(s)
}
