package results

import (
	"errors"
	"fmt"
	"io"
	"math"

	"mlxbar/backend/bench"
)

// A figure is what two runs are compared by.
type figure struct {
	name   string
	higher bool // is better
	of     func(Case) *bench.Estimate
}

func median(of func(Case) *bench.Distribution) func(Case) *bench.Estimate {
	return func(c Case) *bench.Estimate {
		if d := of(c); d != nil {
			return &d.P50
		}
		return nil
	}
}

func medianRate(of func(Case) *Rate) func(Case) *bench.Estimate {
	return func(c Case) *bench.Estimate {
		if r := of(c); r != nil {
			return &r.P50
		}
		return nil
	}
}

// compared are medians and sums: a 99th percentile of a few dozen requests is one of
// them, and no ground for a verdict.
var compared = []figure{
	{"first token, ms", false, median(func(c Case) *bench.Distribution { return c.FirstToken })},
	{"between tokens, ms", false, median(func(c Case) *bench.Distribution { return c.InterToken })},
	{"whole answer, ms", false, median(func(c Case) *bench.Distribution { return c.Total })},
	{"prompt, tokens/s", true, medianRate(func(c Case) *Rate { return c.Reading })},
	{"generation, tokens/s", true, medianRate(func(c Case) *Rate { return c.Writing })},
	{"throughput, tokens/s", true, func(c Case) *bench.Estimate {
		if v := c.Throughput.TokensPerSecond; v > 0 {
			return &bench.Estimate{Value: v, Low: v, High: v}
		}
		return nil
	}},
}

// Change is one figure of one case, before and after.
type Change struct {
	Name       string
	Old, New   bench.Estimate
	Percent    float64 // how much more the new one is
	Regression bool
	Better     bool // by more than the threshold
	// Unsure says that the intervals overlap: the difference may be chance.
	Unsure bool
}

// Pair is a case that both runs have.
type Pair struct {
	Old, New Case
	Changes  []Change
	// MoreErrors is set when a larger share of the requests failed, by more than the threshold.
	MoreErrors bool
}

// Comparison is two runs side by side.
type Comparison struct {
	Threshold float64 // per cent
	Pairs     []Pair
	Notes     []string
}

// Compare holds now against before; what is worse by more than threshold per cent is a regression.
func Compare(before, now *File, threshold float64) (*Comparison, error) {
	c := &Comparison{Threshold: threshold, Notes: differences(before, now)}
	matched := map[string]bool{}
	for _, o := range before.Cases {
		if o.Answered == 0 {
			continue
		}
		n, found := find(now.Cases, o.key())
		if !found || n.Status == Skipped || n.Status == NotRun {
			reason := "it is not in the new results"
			if found {
				reason = fmt.Sprintf("it was not measured again: %s", n.Reason)
			}
			c.Notes = append(c.Notes, fmt.Sprintf("%s: %s", o.title(), reason))
			continue
		}
		matched[o.key()] = true
		c.Pairs = append(c.Pairs, c.pair(o, n))
	}
	for _, n := range now.Cases {
		if n.Answered > 0 && !matched[n.key()] {
			c.Notes = append(c.Notes, n.title()+": it is not in the old results")
		}
	}
	if len(c.Pairs) == 0 {
		return nil, errors.New("the two files have no case in common that was measured: compare runs with the same route, model, prompt and concurrency")
	}
	return c, nil
}

func (c *Comparison) pair(o, n Case) Pair {
	p := Pair{Old: o, New: n, MoreErrors: n.failedShare()-o.failedShare() > c.Threshold/100 || n.Answered == 0}
	for _, f := range compared {
		a, b := f.of(o), f.of(n)
		if a == nil || b == nil || a.Value <= 0 {
			continue
		}
		ch := Change{Name: f.name, Old: *a, New: *b, Percent: 100 * (b.Value - a.Value) / a.Value, Unsure: a.Low <= b.High && b.Low <= a.High}
		better, worse := inverse(ch.Percent), ch.Percent
		if f.higher {
			better, worse = worse, better
		}
		ch.Regression, ch.Better = worse > c.Threshold, better > c.Threshold
		p.Changes = append(p.Changes, ch)
	}
	return p
}

// inverse is by how many per cent less a figure has become that is percent more. A half of
// the speed is twice the time: 100 % worse, not 50.
func inverse(percent float64) float64 {
	if percent <= -100 {
		return math.Inf(1)
	}
	return 100 * (100/(100+percent) - 1)
}

func find(cases []Case, key string) (Case, bool) {
	for _, c := range cases {
		if c.key() == key {
			return c, true
		}
	}
	return Case{}, false
}

// key tells cases apart.
func (c Case) key() string {
	return fmt.Sprintf("%q %q %q %d %d", c.Route, c.Model, c.Prompt.Name, c.Prompt.Characters, c.Concurrency)
}

func (c Case) failedShare() float64 {
	if n := c.Answered + c.Failed; n > 0 {
		return float64(c.Failed) / float64(n)
	}
	return 0
}

// differences are what the runs should have had in common.
func differences(before, now *File) (notes []string) {
	differ := func(what string, a, b any) {
		if a != b {
			notes = append(notes, fmt.Sprintf("the %s differs: %v, now %v", what, a, b))
		}
	}
	differ("machine's CPU", before.Machine.CPU, now.Machine.CPU)
	differ("number of CPUs", before.Machine.CPUs, now.Machine.CPUs)
	differ("--max-tokens", before.Settings.MaxTokens, now.Settings.MaxTokens)
	differ("--stream", before.Settings.Stream, now.Settings.Stream)
	differ("--same-prompt", before.Settings.SamePrompt, now.Settings.SamePrompt)
	for _, f := range []struct {
		which string
		file  *File
	}{{"old", before}, {"new", now}} {
		if !f.file.Complete {
			notes = append(notes, fmt.Sprintf("the %s run was broken off: %s", f.which, f.file.BrokenOff))
		}
		for _, w := range f.file.Warnings {
			notes = append(notes, fmt.Sprintf("the %s run: %s", f.which, w))
		}
	}
	return notes
}

// Regressions counts what is worse by more than the threshold.
func (c *Comparison) Regressions() (n int) {
	for _, p := range c.Pairs {
		if p.MoreErrors {
			n++
		}
		for _, ch := range p.Changes {
			if ch.Regression {
				n++
			}
		}
	}
	return n
}

// Table writes the comparison for people, in 80 columns.
func (c *Comparison) Table(w io.Writer) error {
	out := &lines{}
	for _, p := range c.Pairs {
		out.f("%s", clip(p.Old.title(), width))
		out.f("  %-22s %12s %12s %9s", "", "old", "new", "change")
		for _, ch := range p.Changes {
			out.f("  %-22s %12s %12s %+8.1f%%  %s", ch.Name, number(ch.Old.Value), number(ch.New.Value), ch.Percent, ch.verdict())
		}
		if p.Old.Failed+p.New.Failed > 0 {
			verdict := ""
			if p.MoreErrors {
				verdict = "REGRESSION"
			}
			out.f("  %-22s %12s %12s %9s  %s", "failed", share(p.Old), share(p.New), "", verdict)
		}
		out.f("")
	}
	if c.unsure() {
		out.f("?  the 95 %% intervals overlap: the difference may be chance; more --runs tell")
	}
	for _, n := range c.Notes {
		out.wrap("note: ", n)
	}
	if n := c.Regressions(); n > 0 {
		out.f("%s worse by more than %v %%.", plural(n, "figure is", "figures are"), c.Threshold)
	} else {
		out.f("Nothing is worse by more than %v %%.", c.Threshold)
	}
	return out.to(w)
}

func (c Change) verdict() string {
	verdict := ""
	switch {
	case c.Regression:
		verdict = "REGRESSION"
	case c.Better:
		verdict = "better"
	default:
		return ""
	}
	if c.Unsure {
		verdict += " ?"
	}
	return verdict
}

func (c *Comparison) unsure() bool {
	for _, p := range c.Pairs {
		for _, ch := range p.Changes {
			if ch.Unsure && ch.verdict() != "" {
				return true
			}
		}
	}
	return false
}

func share(c Case) string { return fmt.Sprintf("%d of %d", c.Failed, c.Answered+c.Failed) }
