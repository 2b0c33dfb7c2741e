package results

import (
	"slices"

	"mlxbar/backend/bench"
)

// Sum works out a case's figures from its samples.
func (c *Case) Sum(seed uint64) {
	var first, total []float64
	var gaps [][]float64
	var answered []Sample
	for _, s := range c.Samples {
		if s.Error != "" {
			continue
		}
		answered = append(answered, s)
		total = append(total, s.TotalMS)
		if s.Events > 0 {
			first = append(first, s.FirstMS)
			gaps = append(gaps, s.GapsMS)
		}
		c.Tokens.Prompt += s.PromptTokens
		c.Tokens.Cached += s.CachedTokens
		c.Tokens.Completion += s.tokens()
	}
	c.Answered, c.Failed = len(answered), len(c.Samples)-len(answered)
	c.FirstToken = bench.Distribute(bench.Singles(first), seed)
	c.InterToken = bench.Distribute(gaps, seed)
	c.Total = bench.Distribute(bench.Singles(total), seed)
	c.Reading, c.Writing = rates(answered, seed)
	if c.Seconds > 0 {
		c.Throughput = Throughput{float64(c.Answered) / c.Seconds, float64(c.Tokens.Completion) / c.Seconds}
	}
	c.Overhead = overhead(answered, seed)
	if c.Status == Measured && c.Answered == 0 {
		c.Status = Failed
	}
}

// Count adds a failed request to the errors.
func (c *Case) Count(f *bench.Failure) {
	i := slices.IndexFunc(c.Errors, func(e Error) bool { return e.Kind == f.Kind })
	if i < 0 {
		c.Errors = append(c.Errors, Error{Kind: f.Kind, Detail: f.Detail})
		i = len(c.Errors) - 1
	}
	c.Errors[i].Count++
}

// tokens are the answer's: counted by the server, otherwise its events.
func (s Sample) tokens() int {
	if s.Counted {
		return s.Tokens
	}
	return s.Events
}

// rates gives the speeds of reading and of writing, each from one source for all answers.
func rates(answered []Sample, seed uint64) (reading, writing *Rate) {
	all := func(is func(Sample) bool) bool {
		return len(answered) > 0 && !slices.ContainsFunc(answered, func(s Sample) bool { return !is(s) })
	}
	source := ByEvents
	switch {
	case all(func(s Sample) bool { return s.Engine != nil }):
		source = ByEngine
	case all(func(s Sample) bool { return s.Counted }):
		source = ByUsage
	}
	var in, out []float64
	for _, s := range answered {
		if v := s.readingRate(source); v > 0 {
			in = append(in, v)
		}
		if v := s.writingRate(source); v > 0 {
			out = append(out, v)
		}
	}
	return rate(source, in, seed), rate(source, out, seed)
}

func rate(source string, values []float64, seed uint64) *Rate {
	d := bench.Distribute(bench.Singles(values), seed)
	if d == nil {
		return nil
	}
	return &Rate{Source: source, Distribution: *d}
}

// readingRate is prompt tokens per second, without those out of a cache; 0 when it
// cannot be known. One token is what is left to read of a prompt that is in the cache
// as a whole, and tells of no speed.
func (s Sample) readingRate(source string) float64 {
	switch read := s.PromptTokens - s.CachedTokens; {
	case source == ByEngine && s.Engine.PromptN > 1 && s.Engine.PromptMS > 0:
		return 1000 * float64(s.Engine.PromptN) / s.Engine.PromptMS
	case source == ByUsage && read > 1 && s.FirstMS > 0:
		return 1000 * float64(read) / s.FirstMS
	}
	return 0
}

// writingRate is tokens per second after the first one; 0 when it cannot be known.
func (s Sample) writingRate(source string) float64 {
	if source == ByEngine {
		if s.Engine.PredictedN > 0 && s.Engine.PredictedMS > 0 {
			return 1000 * float64(s.Engine.PredictedN) / s.Engine.PredictedMS
		}
		return 0
	}
	if n := s.tokens() - 1; n > 0 && s.LastMS > s.FirstMS {
		return 1000 * float64(n) / (s.LastMS - s.FirstMS)
	}
	return 0
}

func overhead(answered []Sample, seed uint64) *Overhead {
	var first, directFirst, total, directTotal []float64
	for _, s := range answered {
		if s.Direct == nil || s.Direct.Error != "" {
			continue
		}
		total, directTotal = append(total, s.TotalMS), append(directTotal, s.Direct.TotalMS)
		if s.FirstMS > 0 && s.Direct.FirstMS > 0 {
			first, directFirst = append(first, s.FirstMS), append(directFirst, s.Direct.FirstMS)
		}
	}
	if len(total) == 0 {
		return nil
	}
	return &Overhead{
		Pairs:      len(total),
		FirstToken: bench.Distribute(bench.Singles(bench.Differences(first, directFirst)), seed),
		Total:      bench.Distribute(bench.Singles(bench.Differences(total, directTotal)), seed),
	}
}
