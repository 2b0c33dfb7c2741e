// Package prices knows what providers charge for tokens: a dated table that mlxbar brings along, and
// prices.json in the data folder, with which a person corrects it and adds to it. A request costs what
// was charged when it began; one whose price is not in the table has no known cost.
package prices

import (
	"strings"
	"time"

	"mlxbar/backend/gateway/routing"
)

// Price is what one provider charges for some models from a day on, in dollars a million tokens. It
// holds until the next price of the same models.
type Price struct {
	Models       []string `json:"models" nullable:"false" doc:"Names, or patterns in which * stands for any characters."`
	Kind         string   `json:"kind" enum:"openai,anthropic" doc:"The protocol of the provider."`
	Host         string   `json:"host,omitempty" doc:"The host in the provider's base_url; left out it is any."`
	From         string   `json:"from" format:"date" doc:"The day, by UTC, on which it takes effect."`
	Over         int64    `json:"over,omitempty" doc:"Only for prompts of more tokens than this."`
	Input        float64  `json:"input" doc:"Tokens of the prompt."`
	CachedInput  *float64 `json:"cached_input,omitempty" doc:"Those read from the provider's cache; left out they cost as others."`
	CacheWrite   *float64 `json:"cache_write,omitempty" doc:"Those written to it; left out they cost as others."`
	CacheWrite1H *float64 `json:"cache_write_1h,omitempty" doc:"Those written to it for an hour; left out they cost as those of cache_write."`
	Output       *float64 `json:"output,omitempty" doc:"Tokens of the answer; left out for models that give none, such as those of embeddings."`
	Source       string   `json:"source" doc:"Where the price was read."`
	Seen         string   `json:"seen" format:"date" doc:"The day on which it was read there."`

	from time.Time
}

// Usage is what an answer says of its tokens. Prompt holds those that a cache had to do with, CacheWrite
// those that were written for an hour too.
type Usage struct {
	Prompt, Cached, CacheWrite, CacheWrite1H, Completion int64
}

// Cost is what u costs, in dollars.
func (p *Price) Cost(u Usage) float64 {
	or := func(rate *float64, otherwise float64) float64 {
		if rate == nil {
			return otherwise
		}
		return *rate
	}
	cached := min(max(u.Cached, 0), u.Prompt)
	written := min(max(u.CacheWrite, 0), u.Prompt-cached)
	hour := min(max(u.CacheWrite1H, 0), written)
	write := or(p.CacheWrite, p.Input)
	micros := float64(u.Prompt-cached-written)*p.Input + float64(cached)*or(p.CachedInput, p.Input) +
		float64(written-hour)*write + float64(hour)*or(p.CacheWrite1H, write) + float64(u.Completion)*or(p.Output, 0)
	return micros / 1e6
}

// Table is the prices in force.
type Table struct {
	own, builtIn []Price
}

// Own are the prices of prices.json, and BuiltIn those that mlxbar brings along. Nobody changes them.
func (t *Table) Own() []Price { return t.own }

// BuiltIn are those that hold where Own has none.
func (t *Table) BuiltIn() []Price { return t.builtIn }

// Find is what a provider of that kind, at that host, charges for a request of that many prompt tokens
// that began then; nil if that is not known.
func (t *Table) Find(kind, host, model string, at time.Time, prompt int64) *Price {
	return t.find(model, at, prompt, func(p *Price) bool { return p.Kind == kind && (p.Host == "" || p.Host == host) })
}

// Named is what a model of that name costs, whoever offers it: the price that others are compared with.
// Prices for long prompts alone are left out, for sums over requests do not tell how long each was.
func (t *Table) Named(model string, at time.Time) *Price {
	return t.find(model, at, 0, func(*Price) bool { return true })
}

func (t *Table) find(model string, at time.Time, prompt int64, fits func(*Price) bool) *Price {
	if p := find(t.own, model, at, prompt, fits); p != nil {
		return p
	}
	return find(t.builtIn, model, at, prompt, fits)
}

// find looks among the prices whose pattern says most of the model for the last that had taken effect,
// and among those of that day for the one that the prompt is long enough for. What another pattern has
// does not stand in for a price that had not taken effect yet.
func find(list []Price, model string, at time.Time, prompt int64, fits func(*Price) bool) *Price {
	best := -1
	var found *Price
	for i := range list {
		p := &list[i]
		says := p.says(model)
		if says < max(best, 0) || !fits(p) {
			continue
		}
		if says > best {
			best, found = says, nil
		}
		if p.from.After(at) || p.Over > 0 && prompt <= p.Over {
			continue
		}
		if found == nil || p.from.After(found.from) || p.from.Equal(found.from) && p.Over > found.Over {
			found = p
		}
	}
	return found
}

// says is how much of a model's name p's patterns name, -1 when none matches. A whole name says more
// than any pattern, and one of a host more than one of any.
func (p *Price) says(model string) int {
	best := -1
	for _, pattern := range p.Models {
		if !routing.Match(pattern, model) {
			continue
		}
		n := 2 * (len(pattern) - strings.Count(pattern, "*"))
		if pattern == model {
			n = 2 * (len(pattern) + 1)
		}
		if p.Host != "" {
			n++
		}
		best = max(best, n)
	}
	return best
}
