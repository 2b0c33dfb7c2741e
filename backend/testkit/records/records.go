// Package records makes up the audit of a busy month: as many records as are wanted,
// the same ones for the same seed, for tests and measurements that need a full database.
package records

import (
	"iter"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"mlxbar/backend/audit"
)

// Options say which records are made; only Count has no usual value.
type Options struct {
	Count int
	Seed  uint64
	// Newest is about when the last record began; zero means the end of January 2026.
	Newest time.Time
	// Days is how far back the first one lies; 0 means 30.
	Days int
	// FirstID is the first record's id; 0 means 1.
	FirstID int64
}

func (o Options) withDefaults() Options {
	if o.Newest.IsZero() {
		o.Newest = time.Date(2026, 1, 31, 18, 0, 0, 0, time.UTC)
	}
	if o.Days <= 0 {
		o.Days = 30
	}
	o.FirstID = max(o.FirstID, 1)
	return o
}

// kind is one way that people use models.
type kind struct {
	share    float64 // of all requests
	model    string
	backend  audit.Backend
	provider string
	endpoint string
	client   string
	prompt   float64 // tokens, in the middle
	answer   float64 // tokens, in the middle; 0 for none
	perToken float64 // milliseconds
	first    float64 // milliseconds until the first token, in the middle
	stream   float64 // share of streams
	failing  float64 // share that does not end well
	price    float64 // dollars a million tokens
}

const (
	chat       = "/v1/chat/completions"
	completion = "/v1/completions"
	embeddings = "/v1/embeddings"
	messages   = "/v1/messages"
)

var kinds = []kind{
	{.26, "qwen2.5-coder-7b-instruct", audit.Local, "llamacpp", completion, "continue/1.2.0", 900, 24, 19, 130, 1, .06, 0},
	{.22, "qwen2.5-coder-7b-instruct", audit.Local, "llamacpp", chat, "OpenAI/Python 2.1.0", 2400, 260, 19, 420, .8, .03, 0},
	{.12, "smollm2-135m-instruct", audit.Local, "llamacpp", chat, "curl/8.5.0", 120, 60, 6, 25, .3, .02, 0},
	{.09, "llama-3.2-3b-instruct", audit.Local, "llamacpp", chat, "OpenAI/JS 6.3.0", 700, 180, 11, 160, .9, .03, 0},
	{.11, "nomic-embed-text-v1.5", audit.Local, "llamacpp", embeddings, "OpenAI/Python 2.1.0", 380, 0, 0, 45, 0, .01, 0},
	{.08, "gpt-5-mini", audit.OpenAI, "openai", chat, "OpenAI/JS 6.3.0", 3100, 340, 9, 650, .9, .04, 1.2},
	{.04, "gpt-5", audit.OpenAI, "openai", chat, "OpenAI/Python 2.1.0", 5200, 620, 16, 1400, .9, .05, 6},
	{.03, "text-embedding-3-small", audit.OpenAI, "openai", embeddings, "OpenAI/Python 2.1.0", 600, 0, 0, 210, 0, .02, .02},
	{.045, "claude-sonnet-4-5", audit.Anthropic, "anthropic", messages, "Anthropic/Python 0.71.0", 9800, 700, 14, 1100, .95, .05, 7},
	{.005, "claude-opus-4-1", audit.Anthropic, "anthropic", messages, "claude-cli/2.0.14", 16000, 900, 27, 1900, 1, .08, 30},
}

// failure is one way in which a request does not end well.
type failure struct {
	share     float64
	status    audit.Status
	http      int64
	errorType string
}

var failures = []failure{
	{.55, audit.Cancelled, 499, "cancelled"},
	{.12, audit.TimedOut, 504, "timeout"},
	{.12, audit.Failed, 502, "upstream-failed"},
	{.08, audit.Failed, 400, "invalid-request"},
	{.08, audit.Failed, 503, "engine-unavailable"},
	{.05, audit.Interrupted, 0, ""},
}

// Generate makes the records, the oldest first. The record that it gives is good until
// the next.
func Generate(o Options) iter.Seq[*audit.Record] {
	o = o.withDefaults()
	return func(yield func(*audit.Record) bool) {
		m := maker{random: rand.New(rand.NewPCG(o.Seed, 0x6d6c78626172))}
		at := newRhythm(o.Newest.AddDate(0, 0, -o.Days), o.Newest)
		for i := range o.Count {
			r := m.record()
			r.ID = o.FirstID + int64(i)
			r.StartedAt = at((float64(i) + m.random.Float64()) / float64(o.Count))
			if !yield(r) {
				return
			}
		}
	}
}

// newRhythm spreads requests over the hours as people work: by day more than by night, and
// little at week-ends. What it returns gives the time by which a share of them has begun.
func newRhythm(from, to time.Time) func(share float64) time.Time {
	hours := max(1, int(to.Sub(from)/time.Hour))
	sums := make([]float64, hours+1)
	for h := range hours {
		at := from.Add(time.Duration(h) * time.Hour)
		weight := 0.15
		if at.Hour() >= 7 && at.Hour() < 20 {
			weight = 1
		}
		if day := at.Weekday(); day == time.Saturday || day == time.Sunday {
			weight *= 0.3
		}
		sums[h+1] = sums[h] + weight
	}
	hour := 0
	return func(share float64) time.Time { // shares ascend
		wanted := share * sums[hours]
		for hour < hours-1 && sums[hour+1] <= wanted {
			hour++
		}
		within := (wanted - sums[hour]) / (sums[hour+1] - sums[hour])
		return from.Add(time.Duration((float64(hour) + within) * float64(time.Hour))).UTC().Truncate(time.Millisecond)
	}
}

// maker holds the memory that a record's figures lie in.
type maker struct {
	random *rand.Rand
	r      audit.Record
	id     [36]byte
	ms     [4]float64
	tokens [4]int64
	http   int64
	cost   float64
	left   [1]audit.Departure
}

func (m *maker) record() *audit.Record {
	k := pick(m.random.Float64(), kinds, func(k kind) float64 { return k.share })
	m.r = audit.Record{
		RequestID: m.requestID(), Model: k.model, ServedModel: k.model, Backend: k.backend, Provider: k.provider,
		Endpoint: k.endpoint, Client: k.client, Stream: m.random.Float64() < k.stream, Attempts: 1, Status: audit.Success,
	}
	prompt, answer := m.around(k.prompt, .8), m.around(k.answer, .7)
	first := m.around(k.first, .5) * (0.5 + 0.5*prompt/k.prompt)
	generation := answer * m.around(k.perToken, .15)
	m.http = 200
	done := 1.0
	if m.random.Float64() < k.failing {
		f := pick(m.random.Float64(), failures, func(f failure) float64 { return f.share })
		m.r.Status, m.r.ErrorType, m.http = f.status, f.errorType, f.http
		done = m.random.Float64()
	}
	m.figures(k, math.Ceil(prompt), math.Round(answer*done), first, generation*done)
	if k.backend != audit.Local {
		// A token is about four letters, and an event of a stream some hundred bytes around one.
		m.left[0] = audit.Departure{Provider: k.provider, HTTPStatus: m.http, BytesOut: int64(4 * prompt), BytesIn: int64(200 + 150*answer*done)}
		m.r.Left = m.left[:]
	}
	return &m.r
}

// figures fills in what is known at the end, which is less if that was no good one.
func (m *maker) figures(k kind, prompt, answer, first, generation float64) {
	m.ms = [4]float64{micros(first + generation), micros(first), micros(first * .9), micros(generation)}
	m.tokens = [4]int64{int64(prompt), int64(answer), int64(prompt + answer), 0}
	if m.r.Status != audit.Interrupted {
		m.r.DurationMS, m.r.HTTPStatus = &m.ms[0], &m.http
	}
	switch m.r.Status {
	case audit.Failed, audit.Interrupted:
		if m.random.Float64() < .2 {
			m.r.Attempts = 2
		}
		return
	}
	if m.r.Stream {
		m.r.TTFTMS = &m.ms[1]
	}
	m.r.PromptTokens, m.r.CompletionTokens, m.r.TotalTokens = &m.tokens[0], &m.tokens[1], &m.tokens[2]
	if k.backend == audit.Local {
		m.tokens[3] = int64(prompt * m.random.Float64())
		m.r.CachedTokens = &m.tokens[3]
		m.r.PromptMS, m.r.GenerationMS = &m.ms[2], &m.ms[3]
		return
	}
	m.cost = math.Round((prompt+5*answer)*k.price) / 1e6
	m.r.CostUSD = &m.cost
}

// around is a figure that is seldom far from middle: half of them are below it.
func (m *maker) around(middle, width float64) float64 {
	return middle * math.Exp(width*m.random.NormFloat64())
}

// micros cuts milliseconds to whole nanoseconds, as a clock has them.
func micros(ms float64) float64 { return math.Round(ms*1e6) / 1e6 }

func (m *maker) requestID() string {
	b := append(m.id[:0], "req_"...)
	for range 2 {
		half := strconv.FormatUint(m.random.Uint64()|1<<63, 16)
		b = append(b, half...)
	}
	return string(b)
}

func pick[T any](share float64, from []T, shareOf func(T) float64) T {
	for _, x := range from {
		if share -= shareOf(x); share < 0 {
			return x
		}
	}
	return from[len(from)-1]
}
