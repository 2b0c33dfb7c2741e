package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"mlxbar/backend/bench"
	"mlxbar/backend/bench/results"
)

func (a *advice) failure() error {
	if len(a.Trials) == 0 || len(a.Durability) == 0 {
		return errors.New("nothing was tried")
	}
	return nil
}

func (a *advice) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n", strings.Join(a.Versions, ", "))
	if a.Threads > 0 {
		fmt.Fprintf(w, "the engine with threads set to %d where they are not the topic\n", a.Threads)
	}
	topic := ""
	for _, t := range a.Trials {
		if t.Topic != topic {
			topic = t.Topic
			fmt.Fprintf(w, "\n%-33s %8s %7s %8s %8s %8s\n", topic, "tokens/s", "first", "reading", "writing", "memory")
		}
		fmt.Fprintf(w, "  %-31s %8.1f %7.0f %8.0f %8.1f %8.0f\n", t.Name+a.size(t), t.median(tokensPerSecond), t.median(firstToken), t.median(readingSpeed),
			t.median(writingSpeed), t.memory())
	}
	fmt.Fprintln(w, "\n  tokens/s of all clients together; first token in ms; reading the prompt and\n  writing the answer in tokens/s; the engine's memory at its peak in MB")
	fmt.Fprintf(w, "\n%-24s %9s %12s %10s %12s\n", "audit.durability", "batched/s", "median, ms", "strict/s", "median, ms")
	for _, d := range a.Durability {
		if i := slices.IndexFunc(a.Durability, func(o *durable) bool { return o != d && o.Connections == d.Connections }); i > slices.Index(a.Durability, d) {
			s := a.Durability[i]
			fmt.Fprintf(w, "  %-22s %9.0f %12.3f %10.0f %12.3f\n", strings.TrimSpace((&series{Connections: d.Connections}).name()),
				median(d.Bouts, perSecond), median(d.Bouts, bout.p50MS), median(s.Bouts, perSecond), median(s.Bouts, bout.p50MS))
		}
	}
}

// size tells how large the file of a kind of weights is.
func (a *advice) size(t *tried) string {
	if !strings.HasPrefix(t.Topic, "Weights") || len(t.Rounds) == 0 {
		return ""
	}
	for _, f := range a.FileBytes {
		if f.Model == t.Rounds[0].Model {
			return fmt.Sprintf(", a file of %.0f MB", float64(f.Bytes)/mib)
		}
	}
	return ""
}

func (t *tried) median(of func(results.Case) float64) float64 {
	var all []float64
	for _, c := range t.Rounds {
		all = append(all, of(c))
	}
	return bench.Median(all)
}

func (t *tried) memory() float64 {
	var all []float64
	for _, b := range t.Memory {
		all = append(all, float64(b)/mib)
	}
	return bench.Median(all)
}

func tokensPerSecond(c results.Case) float64 { return c.Throughput.TokensPerSecond }

func firstToken(c results.Case) float64 {
	if c.FirstToken == nil {
		return 0
	}
	return c.FirstToken.P50.Value
}

func readingSpeed(c results.Case) float64 { return speed(c.Reading) }
func writingSpeed(c results.Case) float64 { return speed(c.Writing) }

func speed(r *results.Rate) float64 {
	if r == nil {
		return 0
	}
	return r.P50.Value
}
