// Package ledger tells what left this machine and what it cost, by provider and by the days of a
// person's time zone, and what the requests of this machine would have cost elsewhere. It sums up what the
// audit has: counts, tokens, bytes and dollars.
package ledger

import (
	"cmp"
	"context"
	"slices"
	"time"
	_ "time/tzdata" // days are those of whoever asks, wherever the machine's own zones are

	"mlxbar/backend/audit"
	"mlxbar/backend/prices"
	"mlxbar/backend/settings"
)

// Query says what is asked for.
type Query struct {
	Period
	// Prices are those by which CompareWith costs.
	Prices *prices.Table
	// CompareWith is the model by whose price the requests of this machine are reckoned; "" is none.
	CompareWith string
}

// NewQuery asks for a period by the prices and settings as they stand in their files, for who reads beside
// a server. Neither file need be there.
func NewQuery(p Period, pricesFile, settingsFile string) (Query, error) {
	table, err := prices.Read(pricesFile)
	if err != nil {
		return Query{}, err
	}
	current, err := settings.Read(settingsFile)
	return Query{Period: p, Prices: table, CompareWith: current.Ledger.CompareWith}, err
}

// Sum is what some requests come to. A request that was sent to two providers counts at each, its tokens and cost where the
// answer came from.
type Sum struct {
	Requests         int64    `json:"requests"`
	Failed           int64    `json:"failed" doc:"Those among them that the provider gave no good answer to."`
	PromptTokens     int64    `json:"prompt_tokens"`
	CompletionTokens int64    `json:"completion_tokens"`
	CachedTokens     int64    `json:"cached_tokens" doc:"Those among the prompt's that were read from a cache."`
	BytesOut         int64    `json:"bytes_out" doc:"Bodies that were sent away from this machine."`
	BytesIn          int64    `json:"bytes_in" doc:"Bodies that came from elsewhere."`
	CostUSD          *float64 `json:"cost_usd" doc:"What they cost, as far as that is known; null when of none it is, and for what was answered on this machine."`
	Unpriced         int64    `json:"unpriced" doc:"How many may have cost something that is not known: the model has no price, or the answer told no tokens."`
	Repeated         int64    `json:"repeated" doc:"How many had left to another provider before and count there too. Of all that left it is how many times one was sent on; there requests counts each once."`
	WouldHaveCostUSD *float64 `json:"would_have_cost_usd" doc:"For what was answered on this machine: what its tokens cost at compare_with, by the prices of their time; null when that has no price."`
}

// Line is one day at one provider.
type Line struct {
	Day      string `json:"day" format:"date"`
	Provider string `json:"provider" doc:"A provider's name in the settings, an engine's, or empty for requests that came to neither."`
	Left     bool   `json:"left" doc:"The provider is elsewhere, and was sent what is counted here."`
	Sum
}

// Total is a provider over the whole period.
type Total struct {
	Provider string `json:"provider"`
	Left     bool   `json:"left"`
	Sum
}

// Report is the ledger of a period.
type Report struct {
	From        string  `json:"from" format:"date" doc:"The first day."`
	To          string  `json:"to" format:"date" doc:"The last day."`
	Zone        string  `json:"zone" doc:"The time zone whose days they are."`
	CompareWith string  `json:"compare_with" doc:"The model by whose price would_have_cost_usd is reckoned."`
	Lines       []Line  `json:"lines" nullable:"false" doc:"The newest day first; within it what left before what was here."`
	Providers   []Total `json:"providers" nullable:"false" doc:"What left before what was here."`
	Left        Sum     `json:"left" doc:"All that left this machine: each request once, to however many providers it was sent."`
	Here        Sum     `json:"here" doc:"All that was for this machine, or came to nobody. A request that left, and was then answered here, counts in both."`
}

// Read sums up the records of store. Requests that run are not in it yet.
func Read(ctx context.Context, store *audit.Store, q Query) (Report, error) {
	tallies, err := store.Tallies(ctx, q.From, q.end())
	if err != nil {
		return Report{}, err
	}
	r := Report{
		From: q.From.Format(time.DateOnly), To: q.To.Format(time.DateOnly), Zone: q.Zone, CompareWith: q.CompareWith,
		Lines: []Line{}, Providers: []Total{},
	}
	type place struct {
		provider string
		left     bool
	}
	type line struct {
		day string
		place
	}
	lines, providers, all := reckonings[line]{}, reckonings[place]{}, reckonings[bool]{}
	days := dayOf(q.Period)
	for i := range tallies {
		t := &tallies[i]
		would, known := q.wouldCost(t)
		at := place{t.Provider, t.Away}
		for _, s := range []*reckoning{lines.of(line{days(t.Quarter), at}), providers.of(at), all.of(t.Away)} {
			s.add(t, would, known)
		}
	}
	for k, s := range lines {
		r.Lines = append(r.Lines, Line{k.day, k.provider, k.left, s.sum(k.left)})
	}
	for k, s := range providers {
		r.Providers = append(r.Providers, Total{k.provider, k.left, s.sum(k.left)})
	}
	r.Left, r.Here = all.of(true).sum(true), all.of(false).sum(false)
	r.Left.Requests -= r.Left.Repeated
	slices.SortFunc(r.Lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(b.Day, a.Day), here(a.Left)-here(b.Left), cmp.Compare(a.Provider, b.Provider))
	})
	slices.SortFunc(r.Providers, func(a, b Total) int {
		return cmp.Or(here(a.Left)-here(b.Left), cmp.Compare(a.Provider, b.Provider))
	})
	return r, nil
}

func here(left bool) int {
	if left {
		return 0
	}
	return 1
}

// dayOf names the day of a moment of p. Days begin where their zone has midnight, also those that an hour
// is taken from or added to.
func dayOf(p Period) func(time.Time) string {
	zone := p.From.Location()
	names := map[int64]string{}
	return func(at time.Time) string {
		name, known := names[at.Unix()]
		if !known {
			name = at.In(zone).Format(time.DateOnly)
			names[at.Unix()] = name
		}
		return name
	}
}

// wouldCost is what a tally of this machine would have cost elsewhere, and whether that is known.
func (q Query) wouldCost(t *audit.Tally) (usd float64, known bool) {
	if t.Away || q.CompareWith == "" || q.Prices == nil {
		return 0, false
	}
	p := q.Prices.Named(q.CompareWith, t.Quarter)
	if p == nil {
		return 0, t.PromptTokens+t.CompletionTokens == 0
	}
	return p.Cost(prices.Usage{Prompt: t.PromptTokens, Cached: t.CachedTokens, Completion: t.CompletionTokens}), true
}

// reckoning adds tallies up.
type reckoning struct {
	audit.Tally
	would   float64
	without int64 // tallies that cannot be compared
}

// reckonings are several, each of what its key says.
type reckonings[K comparable] map[K]*reckoning

func (m reckonings[K]) of(key K) *reckoning {
	r := m[key]
	if r == nil {
		r = &reckoning{}
		m[key] = r
	}
	return r
}

func (r *reckoning) add(t *audit.Tally, would float64, known bool) {
	r.Add(t)
	r.would += would
	if !known {
		r.without++
	}
}

func (r *reckoning) sum(left bool) Sum {
	s := Sum{
		Requests: r.Requests, Failed: r.Failed, PromptTokens: r.PromptTokens, CompletionTokens: r.CompletionTokens, CachedTokens: r.CachedTokens,
		BytesOut: r.BytesOut, BytesIn: r.BytesIn, Unpriced: r.Unpriced, Repeated: r.Repeated,
	}
	if cost := float64(r.CostNanos) / 1e9; left && (r.CostNanos > 0 || r.Unpriced == 0) {
		s.CostUSD = &cost
	}
	if would := r.would; !left && r.without == 0 {
		s.WouldHaveCostUSD = &would
	}
	return s
}
