package results

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mlxbar/backend/bench"
)

// A column is one figure of a case, in the formats that have a case a line.
type column struct {
	name string
	of   func(Case) any
}

func spread(name string, of func(Case) *bench.Distribution) []column {
	at := func(f func(*bench.Distribution) float64) func(Case) any {
		return func(c Case) any {
			if d := of(c); d != nil {
				return f(d)
			}
			return nil
		}
	}
	return []column{
		{name + "_p50", at(func(d *bench.Distribution) float64 { return d.P50.Value })},
		{name + "_p50_low", at(func(d *bench.Distribution) float64 { return d.P50.Low })},
		{name + "_p50_high", at(func(d *bench.Distribution) float64 { return d.P50.High })},
		{name + "_p90", at(func(d *bench.Distribution) float64 { return d.P90.Value })},
		{name + "_p95", at(func(d *bench.Distribution) float64 { return d.P95.Value })},
		{name + "_p99", at(func(d *bench.Distribution) float64 { return d.P99.Value })},
	}
}

func speed(name string, of func(Case) *Rate) []column {
	at := func(f func(*Rate) any) func(Case) any {
		return func(c Case) any {
			if r := of(c); r != nil {
				return f(r)
			}
			return nil
		}
	}
	return []column{
		{name + "_tokens_per_second", at(func(r *Rate) any { return r.P50.Value })},
		{name + "_tokens_per_second_low", at(func(r *Rate) any { return r.P50.Low })},
		{name + "_tokens_per_second_high", at(func(r *Rate) any { return r.P50.High })},
		{name + "_source", at(func(r *Rate) any { return r.Source })},
	}
}

func columns() []column {
	all := []column{
		{"route", func(c Case) any { return c.Route }},
		{"model", func(c Case) any { return c.Model }},
		{"prompt", func(c Case) any { return c.Prompt.Name }},
		{"concurrency", func(c Case) any { return c.Concurrency }},
		{"status", func(c Case) any { return string(c.Status) }},
		{"reason", func(c Case) any { return c.Reason }},
		{"seconds", func(c Case) any { return c.Seconds }},
		{"answered", func(c Case) any { return c.Answered }},
		{"failed", func(c Case) any { return c.Failed }},
		{"errors", func(c Case) any { return c.errorList() }},
		{"prompt_tokens", func(c Case) any { return c.Tokens.Prompt }},
		{"cached_tokens", func(c Case) any { return c.Tokens.Cached }},
		{"completion_tokens", func(c Case) any { return c.Tokens.Completion }},
		{"answers_per_second", func(c Case) any { return c.Throughput.AnswersPerSecond }},
		{"tokens_per_second", func(c Case) any { return c.Throughput.TokensPerSecond }},
	}
	all = append(all, spread("first_token_ms", func(c Case) *bench.Distribution { return c.FirstToken })...)
	all = append(all, spread("inter_token_ms", func(c Case) *bench.Distribution { return c.InterToken })...)
	all = append(all, spread("total_ms", func(c Case) *bench.Distribution { return c.Total })...)
	all = append(all, speed("prompt", func(c Case) *Rate { return c.Reading })...)
	all = append(all, speed("generation", func(c Case) *Rate { return c.Writing })...)
	all = append(all, spread("added_total_ms", func(c Case) *bench.Distribution {
		if c.Overhead == nil {
			return nil
		}
		return c.Overhead.Total
	})...)
	return all
}

func (c Case) errorList() string {
	var all []string
	for _, e := range c.Errors {
		all = append(all, fmt.Sprintf("%s %d", e.Kind, e.Count))
	}
	return strings.Join(all, "; ")
}

// CSV writes a case a line, with all digits; a figure that is not known is empty.
func (f *File) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	var names []string
	for _, c := range columns() {
		names = append(names, c.name)
	}
	if err := out.Write(names); err != nil {
		return err
	}
	for _, c := range f.Cases {
		var row []string
		for _, col := range columns() {
			row = append(row, plain(col.of(c)))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// Markdown writes a table for a document or an issue.
func (f *File) Markdown(w io.Writer) error {
	out := &lines{}
	out.f("mlx-benchmark %s, %s, %s on %d × %s", f.Tool, f.StartedAt.Format("2006-01-02"), f.Machine.OS, f.Machine.CPUs, f.Machine.CPU)
	for _, warning := range f.Warnings {
		out.f("\n**Warning:** %s", warning)
	}
	out.f("")
	out.f("| route | model | prompt | at a time | first token, ms | p95 | between tokens, ms | whole answer, ms | p95 | prompt, tokens/s | generation, tokens/s | throughput, tokens/s | failed |")
	out.f("|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, c := range f.asked() {
		p50 := func(d *bench.Distribution) string {
			if d == nil {
				return ""
			}
			return number(d.P50.Value) + " (" + interval(d.P50) + ")"
		}
		p95 := func(d *bench.Distribution) string {
			if d == nil {
				return ""
			}
			return number(d.P95.Value)
		}
		rate := func(r *Rate) string {
			if r == nil {
				return ""
			}
			return p50(&r.Distribution)
		}
		out.f("| %s | %s | %s | %d | %s | %s | %s | %s | %s | %s | %s | %s | %s |", cell(c.Route), cell(c.Model), c.Prompt.Name, c.Concurrency, p50(c.FirstToken), p95(c.FirstToken),
			p50(c.InterToken), p50(c.Total), p95(c.Total), rate(c.Reading), rate(c.Writing), number(c.Throughput.TokensPerSecond), share(c))
	}
	out.f("")
	for _, c := range f.Cases {
		if c.Reason != "" {
			out.f("- %s: %s (%s)", cell(c.title()), cell(c.Reason), strings.ReplaceAll(string(c.Status), "_", " "))
		}
	}
	if !f.Complete {
		out.f("\nBroken off: %s.", f.BrokenOff)
	}
	return out.to(w)
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
