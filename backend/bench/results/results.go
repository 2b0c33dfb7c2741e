// Package results is what mlx-benchmark measured: its file, which a JSON Schema
// describes, the tables that people read, and the comparison of two runs.
package results

import (
	"encoding/json"
	"time"

	"mlxbar/backend/bench"
	"mlxbar/backend/bench/machine"
)

// Format and Version mark a results file. The version counts up when a reader of
// the old one would misread the new one; members may be added without that.
const (
	Format  = "mlx-benchmark"
	Version = 1
)

// File is one invocation of run or suite.
type File struct {
	Format    string          `json:"format"`
	Version   int             `json:"version"`
	Tool      string          `json:"tool"` // mlx-benchmark's own version
	Command   string          `json:"command"`
	StartedAt time.Time       `json:"started_at"`
	EndedAt   time.Time       `json:"ended_at"`
	Complete  bool            `json:"complete"`
	BrokenOff string          `json:"broken_off,omitempty"` // why it is not complete
	Machine   machine.Machine `json:"machine"`
	Server    Server          `json:"server"`
	Settings  Settings        `json:"settings"`
	Warnings  []string        `json:"warnings"`
	Cases     []Case          `json:"cases"`
}

// Server is what was asked. Version and Engines are known to whoever holds its admin token.
type Server struct {
	URL     string          `json:"url"`
	Version string          `json:"version,omitempty"`
	Engines json.RawMessage `json:"engines,omitempty"` // the settings of its engines
}

// Settings is how it was asked.
type Settings struct {
	Runs        int     `json:"runs"`
	Warmup      int     `json:"warmup"`
	MaxTokens   int     `json:"max_tokens"`
	Stream      bool    `json:"stream"`
	Temperature float64 `json:"temperature"`
	// SamePrompt says that all requests asked the very same, so that a prompt cache could help.
	SamePrompt bool    `json:"same_prompt"`
	TimeoutS   float64 `json:"timeout_s"`
	Seed       uint64  `json:"seed"` // of the intervals and of the order of pairs
	DirectURL  string  `json:"direct_url,omitempty"`
}

// Status is what became of a case.
type Status string

// The statuses.
const (
	Measured  Status = "measured"   // every request was sent; some may have failed
	Failed    Status = "failed"     // not one was answered
	BrokenOff Status = "broken_off" // stopped in the middle
	Skipped   Status = "skipped"    // its target is not set up
	NotRun    Status = "not_run"    // the run ended before its turn
)

// Case is one model, prompt and concurrency on one route.
type Case struct {
	CaseSummary
	Samples []Sample `json:"samples"`
}

// CaseSummary is a case without its samples.
type CaseSummary struct {
	Route       string `json:"route"`
	Model       string `json:"model,omitempty"`
	Prompt      Prompt `json:"prompt"`
	Concurrency int    `json:"concurrency"`
	Status      Status `json:"status" enum:"measured,failed,broken_off,skipped,not_run"`
	Reason      string `json:"reason,omitempty"`

	Provider    string `json:"provider,omitempty"`     // as /v1/models names the owner
	ModelSHA256 string `json:"model_sha256,omitempty"` // of its file, when that is on this machine
	Fingerprint string `json:"fingerprint,omitempty"`  // of the engine, as its answers name it
	IgnoreEOS   bool   `json:"ignore_eos"`             // the model was made to speak on to max_tokens

	Seconds  float64 `json:"seconds"` // from the first request to the last one's end
	Answered int     `json:"answered"`
	Failed   int     `json:"failed"`
	Errors   []Error `json:"errors" nullable:"false"`
	Tokens   Tokens  `json:"tokens"`

	FirstToken *bench.Distribution `json:"first_token_ms"`
	InterToken *bench.Distribution `json:"inter_token_ms"`
	Total      *bench.Distribution `json:"total_ms"`
	Reading    *Rate               `json:"prompt_tokens_per_second"`
	Writing    *Rate               `json:"generation_tokens_per_second"`
	Throughput Throughput          `json:"throughput"`
	Overhead   *Overhead           `json:"overhead"`
}

// Prompt is what was asked, without its words.
type Prompt struct {
	Name       string `json:"name"` // short, medium, long or a file's name
	Characters int    `json:"characters"`
}

// Error counts the requests that failed in one way.
type Error struct {
	Kind   bench.FailureKind `json:"kind"`
	Count  int               `json:"count"`
	Detail string            `json:"detail,omitempty"` // the first one's, where mlxbar itself said it
}

// Tokens adds up the answered requests.
type Tokens struct {
	Prompt     int `json:"prompt"`
	Cached     int `json:"cached"` // of the prompts', found in a cache
	Completion int `json:"completion"`
}

// Where a rate is from.
const (
	ByEngine = "engine" // its own clock, in the answer's timings
	ByUsage  = "usage"  // tokens as the usage counts them, times as the client saw them
	ByEvents = "events" // no usage either: events with content taken for tokens
)

// Rate is tokens per second, one value an answer.
type Rate struct {
	Source string `json:"source"`
	bench.Distribution
}

// Throughput is what all clients together got out of the server.
type Throughput struct {
	AnswersPerSecond float64 `json:"answers_per_second"`
	TokensPerSecond  float64 `json:"tokens_per_second"`
}

// Overhead is what the gateway adds: through it less directly, pair by pair.
type Overhead struct {
	Pairs      int                 `json:"pairs"`
	FirstToken *bench.Distribution `json:"first_token_ms"`
	Total      *bench.Distribution `json:"total_ms"`
}

// Sample is one request.
type Sample struct {
	AtMS    float64           `json:"at_ms"` // since the case began
	Error   bench.FailureKind `json:"error,omitempty"`
	TotalMS float64           `json:"total_ms"`
	FirstMS float64           `json:"first_token_ms,omitempty"`
	LastMS  float64           `json:"last_token_ms,omitempty"`
	GapsMS  []float64         `json:"gaps_ms,omitempty"`

	Counted      bool               `json:"counted"` // the answer brought a usage
	PromptTokens int                `json:"prompt_tokens"`
	CachedTokens int                `json:"cached_tokens"`
	Tokens       int                `json:"completion_tokens"`
	Events       int                `json:"events"`
	Engine       *bench.EngineTimes `json:"engine,omitempty"`
	Direct       *Direct            `json:"direct,omitempty"`
}

// Direct is the other half of a pair.
type Direct struct {
	Error   bench.FailureKind `json:"error,omitempty"`
	TotalMS float64           `json:"total_ms"`
	FirstMS float64           `json:"first_token_ms,omitempty"`
}
