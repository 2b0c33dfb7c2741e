package results

import (
	"math"
	"slices"
	"strings"
	"testing"

	"mlxbar/backend/bench"
)

func scaled(e *bench.Estimate, by float64) { e.Value, e.Low, e.High = e.Value*by, e.Low*by, e.High*by }

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name      string
		threshold float64
		change    func(*Case)
		want      string // the figure that is worse
	}{
		{"the same", 10, func(*Case) {}, ""},
		{"slower within the threshold", 10, func(c *Case) { scaled(&c.Total.P50, 1.09) }, ""},
		{"slower", 10, func(c *Case) { scaled(&c.Total.P50, 1.11) }, "whole answer, ms"},
		{"slower, with a wide threshold", 50, func(c *Case) { scaled(&c.Total.P50, 1.4) }, ""},
		{"faster", 10, func(c *Case) { scaled(&c.Total.P50, 0.5) }, ""},
		{"a later first token", 10, func(c *Case) { scaled(&c.FirstToken.P50, 2) }, "first token, ms"},
		{"longer pauses", 10, func(c *Case) { scaled(&c.InterToken.P50, 2) }, "between tokens, ms"},
		{"slower writing", 10, func(c *Case) { scaled(&c.Writing.P50, 0.89) }, "generation, tokens/s"},
		{"faster writing", 10, func(c *Case) { scaled(&c.Writing.P50, 2) }, ""},
		{"slower reading", 10, func(c *Case) { scaled(&c.Reading.P50, 0.1) }, "prompt, tokens/s"},
		{"less throughput", 10, func(c *Case) { c.Throughput.TokensPerSecond *= 0.8 }, "throughput, tokens/s"},
		{"no throughput left", 10, func(c *Case) { c.Throughput.TokensPerSecond = 0 }, ""}, // not known is not zero
		{"no tolerance", 0, func(c *Case) { scaled(&c.Total.P50, 1.0001) }, "whole answer, ms"},
		{"a slow tail is no verdict", 10, func(c *Case) { scaled(&c.Total.P99, 9) }, ""},
	} {
		now := measured()
		c.change(&now.Cases[0])
		r, err := Compare(measured(), now, c.threshold)
		if err != nil {
			t.Fatal(err)
		}
		var worse []string
		for _, ch := range r.Pairs[0].Changes {
			if ch.Regression {
				worse = append(worse, ch.Name)
			}
		}
		if got := strings.Join(worse, " "); got != c.want || r.Regressions() != len(worse) {
			t.Errorf("%s: %q is worse (%d regressions), want %q", c.name, got, r.Regressions(), c.want)
		}
	}
}

func TestCompareSaysWhetherADifferenceMayBeChance(t *testing.T) {
	now := measured()
	now.Cases[0].Total.P50 = bench.Estimate{Value: 900, Low: 890, High: 910}
	now.Cases[0].FirstToken.P50 = bench.Estimate{Value: 40, Low: 21, High: 60}
	r, err := Compare(measured(), now, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, ch := range r.Pairs[0].Changes {
		if want := map[string]string{"whole answer, ms": "REGRESSION", "first token, ms": "REGRESSION ?"}[ch.Name]; ch.verdict() != want {
			t.Errorf("%s: %q, want %q", ch.Name, ch.verdict(), want)
		}
	}
}

func TestMoreFailuresAreARegression(t *testing.T) {
	now := measured()
	now.Cases[1].Answered, now.Cases[1].Failed = 3, 3
	r, err := Compare(measured(), now, 10)
	if err != nil || r.Regressions() != 1 || !r.Pairs[1].MoreErrors {
		t.Errorf("%+v, %v", r, err)
	}
	dead := measured()
	dead.Cases[0] = Case{CaseSummary: CaseSummary{Route: dead.Cases[0].Route, Model: dead.Cases[0].Model, Prompt: dead.Cases[0].Prompt, Concurrency: 1, Status: Failed}}
	if r, err := Compare(measured(), dead, 10); err != nil || r.Regressions() != 1 {
		t.Errorf("a case that nothing answered any more: %+v, %v", r, err)
	}
}

func TestCompareTellsWhatTheRunsHaveNotInCommon(t *testing.T) {
	now := suite()
	now.Machine.CPU = "Another CPU"
	now.Settings.MaxTokens = 10
	now.Cases = now.Cases[1:]
	r, err := Compare(measured(), now, 10)
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(r.Notes, "\n")
	for _, want := range []string{"Another CPU", "--max-tokens differs: 64, now 10", "broken off: the server stopped", "the old run: the machine runs on its battery",
		"1 at a time: it is not in the new results", "openai, a-model"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, notes)
		}
	}
	skipped := measured()
	skipped.Cases[0] = Case{CaseSummary: CaseSummary{Route: skipped.Cases[0].Route, Model: skipped.Cases[0].Model, Prompt: skipped.Cases[0].Prompt, Concurrency: 1, Status: NotRun, Reason: "nobody was there"}}
	if r, err := Compare(measured(), skipped, 10); err != nil || !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "nobody was there") }) {
		t.Errorf("%+v, %v", r, err)
	}
	other := measured()
	for i := range other.Cases {
		other.Cases[i].Model = "another"
	}
	if _, err := Compare(measured(), other, 10); err == nil || !strings.Contains(err.Error(), "no case in common") {
		t.Errorf("%v", err)
	}
}

func TestInverse(t *testing.T) {
	for percent, want := range map[float64]float64{0: 0, -50: 100, 100: -50, -100: math.Inf(1)} {
		if got := inverse(percent); got != want && math.Abs(got-want) > 1e-9 {
			t.Errorf("inverse(%v) = %v, want %v", percent, got, want)
		}
	}
}
