package main

import (
	"errors"
	"fmt"
	"io"

	"mlxbar/backend/bench"
)

// The aims of many clients and several models.
const (
	maxGapMS       = 1000
	maxGrownBytes  = 4 * mib
	maxGrownFiles  = 0
	settledAfter   = 20 // rounds, before which caches and pools of the runtime fill
	growthOfRounds = 20 // rounds at the beginning and at the end whose medians are compared
)

func (r *enginesRun) failure() error {
	if len(r.Crowds) == 0 && r.Beside == nil && r.Switch == nil && r.Turnover == nil {
		return errors.New("nothing was measured; the topics are llamacpp, mlx and models")
	}
	return nil
}

// ratio is what goes through the gateway as a share of what the engine does alone.
func (c *crowdRun) ratio() bench.Estimate {
	return bench.Distribute(bench.Singles(bench.Ratios(of(c.Gateway, crowd.speed), of(c.Alone, crowd.speed))), 1).P50
}

func (r *enginesRun) judge() {
	aim := func(name, wanted, measured string, ok bool) {
		r.Targets = append(r.Targets, target{name, wanted, measured, ok})
	}
	for _, c := range r.Crowds {
		aim(fmt.Sprintf("tokens/s of %s alone, %d at once", c.Engine, c.Clients), ">= 0.98", fmt.Sprintf("%.3f", c.ratio().Value), c.ratio().Value >= minEngineSpeed)
	}
	if b := r.Beside; b != nil {
		longest := bench.Summarize(b.DuringMS).Max
		aim("longest pause of a stream beside a load", "<= 1 s", fmt.Sprintf("%.0f ms", longest), longest <= maxGapMS)
	}
	if t := r.Turnover; t != nil {
		left := t.Empty[len(t.Empty)-1]
		aim("processes left after an unload", "0", fmt.Sprint(left.Engines), left.Engines == 0)
		bytes := t.grown(func(h held) float64 { return float64(h.ServerBytes) })
		aim(fmt.Sprintf("memory grown in %d loads", len(t.Empty)), "<= 4 MB", fmt.Sprintf("%.1f MB", bytes/mib), bytes <= maxGrownBytes)
		files := t.grown(func(h held) float64 { return float64(h.Files) })
		aim("open files grown meanwhile", "0", fmt.Sprintf("%.0f", files), files <= maxGrownFiles)
	}
}

// grown compares the last rounds with those after the first few.
func (t *turnoverRun) grown(figure func(held) float64) float64 {
	all := make([]float64, len(t.Empty))
	for i, h := range t.Empty {
		all[i] = figure(h)
	}
	from := min(settledAfter, len(all)/4)
	n := min(growthOfRounds, max(1, len(all)/4))
	return bench.Median(all[len(all)-n:]) - bench.Median(all[from:from+n])
}

func (r *enginesRun) print(w io.Writer) {
	if len(r.Crowds) > 0 {
		fmt.Fprintf(w, "\n%-16s %8s %8s %6s %14s %10s %10s\n", "Clients at once", "alone", "gateway", "ratio", "of 95 in 100", "first, ms", "gateway's")
		for _, c := range r.Crowds {
			r := c.ratio()
			fmt.Fprintf(w, "  %-11s %2d %8.1f %8.1f %6.3f   %5.3f - %5.3f %9.0f %10.0f\n", c.Engine, c.Clients, bench.Median(of(c.Alone, crowd.speed)), bench.Median(of(c.Gateway, crowd.speed)),
				r.Value, r.Low, r.High, bench.Median(of(c.Alone, crowd.first)), bench.Median(of(c.Gateway, crowd.first)))
		}
		fmt.Fprintln(w, "  alone, gateway: tokens/s of all clients together; ratio: the median over the\n  rounds, and the interval that holds it in 95 of 100 runs; first: the median of\n  their first tokens")
	}
	if b := r.Beside; b != nil {
		fmt.Fprintf(w, "\n%-39s %9s %9s %9s\n", "A stream, ms from token to token", "median", "p99", "longest")
		for _, l := range []struct {
			name string
			gaps []float64
		}{{"with nothing else at work", b.QuietMS}, {"while a second model is loaded", b.DuringMS}} {
			s := bench.Summarize(l.gaps)
			fmt.Fprintf(w, "  %-37s %9.1f %9.1f %9.1f\n", l.name, s.Median, bench.Percentile(l.gaps, 99), s.Max)
		}
		fmt.Fprintf(w, "  the load took %.0f ms at the median\n", bench.Median(b.LoadMS))
	}
	if s := r.Switch; s != nil {
		fmt.Fprintf(w, "\nFrom one model to another: %.0f ms at the median until the other's first token,\n%.0f at most; of that %.0f ms until the first one is gone\n",
			bench.Median(s.TookMS), bench.Summarize(s.TookMS).Max, bench.Median(s.UnloadMS))
	}
	if t := r.Turnover; t != nil {
		r.printTurnover(w, t)
	}
	if len(r.Targets) > 0 {
		printTargets(w, r.Targets)
	}
}

func (r *enginesRun) printTurnover(w io.Writer, t *turnoverRun) {
	fmt.Fprintf(w, "\n%-29s %10s %10s %10s %10s\n", "Load, ask, unload", "server, MB", "engine, MB", "processes", "files")
	last := len(t.Empty) - 1
	for _, l := range []struct {
		name string
		held
	}{{"first round, loaded", t.Loaded[0]}, {"first round, unloaded", t.Empty[0]},
		{fmt.Sprintf("round %d, loaded", last+1), t.Loaded[last]}, {fmt.Sprintf("round %d, unloaded", last+1), t.Empty[last]}} {
		fmt.Fprintf(w, "  %-27s %10.1f %10.1f %10d %10d\n", l.name, float64(l.ServerBytes)/mib, float64(l.EnginesBytes)/mib, l.Engines, l.Files)
	}
}
