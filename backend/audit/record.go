// Package audit keeps one record of metadata for every inference request: who
// asked which model, where it ran, how long it took and how it ended. Content
// has no field here, so it cannot be kept.
package audit

import "time"

// Backend says whose machine answered.
type Backend string

// The backends. LOCAL is an engine on this machine, the others are named after
// the protocol of the provider that the request was passed on to.
const (
	Local     Backend = "LOCAL"
	OpenAI    Backend = "OPENAI"
	Anthropic Backend = "ANTHROPIC"
)

// Status says how a request ended.
type Status string

// The statuses. Running is the only one that is not an end.
const (
	Running     Status = "running"
	Success     Status = "success"
	Failed      Status = "error"
	TimedOut    Status = "timeout"
	Cancelled   Status = "cancelled"
	Interrupted Status = "interrupted"
)

// Record is one request. Pointers are nil where a figure is not known.
type Record struct {
	// ID orders records by their start; it is unique in the database. A client
	// may send the same RequestID twice, so that one is not.
	ID               int64     `json:"id"`
	RequestID        string    `json:"request_id"`
	StartedAt        time.Time `json:"started_at"` // UTC, to the millisecond
	Model            string    `json:"model"`      // as asked for
	ServedModel      string    `json:"served_model"`
	Backend          Backend   `json:"backend" enum:"LOCAL,OPENAI,ANTHROPIC"`
	Provider         string    `json:"provider"` // "llamacpp" or a provider's name
	Endpoint         string    `json:"endpoint"` // such as /v1/chat/completions
	Stream           bool      `json:"stream"`
	DurationMS       *float64  `json:"duration_ms"`
	TTFTMS           *float64  `json:"ttft_ms"`
	Status           Status    `json:"status" enum:"running,success,error,timeout,cancelled,interrupted"`
	HTTPStatus       *int64    `json:"http_status"`
	ErrorType        string    `json:"error_type"` // a problem kind, "" on success
	PromptTokens     *int64    `json:"prompt_tokens"`
	CompletionTokens *int64    `json:"completion_tokens"`
	TotalTokens      *int64    `json:"total_tokens"`
	CachedTokens     *int64    `json:"cached_tokens"`
	PromptMS         *float64  `json:"prompt_ms"`
	GenerationMS     *float64  `json:"generation_ms"`
	Attempts         int64     `json:"attempts"`
	Client           string    `json:"client"` // the product of the User-Agent, such as OpenAI/Python 2.1
	KeyID            string    `json:"key_id"`
	CostUSD          *float64  `json:"cost_usd"` // by the prices when it began; nil where they or the tokens are not known
	Hint             string    `json:"hint" doc:"What made it slower than it need have been: prefix-changes-at-start, where the first lines of its client's prompts differ each time and nothing after them is reused; else empty."`
	// Left is whom else it was sent to: the providers elsewhere that were sent bytes of it, whether
	// they answered or another did. While it runs it is where it will go first.
	Left []Departure `json:"left,omitzero" doc:"The providers elsewhere that were sent it, in order; left out when it stayed on this machine."`
}

// Departure is one provider elsewhere that a request was sent to. Bytes are those of bodies.
type Departure struct {
	Provider   string `json:"provider"`
	HTTPStatus int64  `json:"http_status" doc:"Of its last answer; 0 when none came."`
	BytesOut   int64  `json:"bytes_out" doc:"Sent to it."`
	BytesIn    int64  `json:"bytes_in" doc:"Received from it."`
}

// Filter narrows a query; the zero value matches everything.
type Filter struct {
	Model    string
	Backend  Backend
	Status   string // a Status; "error" means every end but success
	Endpoint string
	From, To time.Time // From <= started_at < To; zero is open
	Blank    Sort      // only requests with nothing in this column, which its own field cannot say
}

// Stats sums up the records that a filter matches.
type Stats struct {
	Total        int64    `json:"total"`
	Successful   int64    `json:"successful"`
	Errors       int64    `json:"errors"` // every end but success
	Running      int64    `json:"running"`
	UniqueModels int64    `json:"unique_models"`
	Local        int64    `json:"local"` // how many of Total were sent to nobody elsewhere
	P50MS        *float64 `json:"p50_ms"`
	P95MS        *float64 `json:"p95_ms"`
	TotalTokens  int64    `json:"total_tokens"`
}
