package main

import (
	"errors"
	"fmt"
	"io"

	"mlxbar/backend/bench"
)

func (c *comparison) failure() error {
	var errs []error
	measured := func(series []*comparedSeries, names []string) {
		for _, s := range series {
			for _, name := range names {
				if len(s.Bouts[name]) == 0 {
					errs = append(errs, fmt.Errorf("%s was not measured at %d connections", name, s.Connections))
				}
			}
		}
	}
	measured(c.Series, comparedWays)
	measured(c.Converted, convertingWays)
	return errors.Join(errs...)
}

// ratios are the gateway's figure by another way's, round by round.
func (s *comparedSeries) ratios(name string, of func(bout) float64) []float64 {
	return bench.Ratios(each(s.Bouts[wayGateway], of), each(s.Bouts[name], of))
}

func (s *comparedSeries) name() string {
	return (&series{Shape: s.Shape, Connections: s.Connections}).name()
}

func (c *comparison) print(w io.Writer) {
	fmt.Fprintf(w, "nginx %s and LiteLLM %s with %d processes each\n", c.Versions[wayNginx], c.Versions[wayLiteLLM], c.Workers)
	c.table(w, "Requests per second", "%.0f", comparedWays, func(s *comparedSeries, name string) float64 { return median(s.Bouts[name], perSecond) })
	c.table(w, "Gateway's throughput by", "%.2f", comparedWays, func(s *comparedSeries, name string) float64 { return bench.Median(s.ratios(name, perSecond)) })
	c.table(w, "Median latency, ms", "%.3f", comparedWays, func(s *comparedSeries, name string) float64 { return median(s.Bouts[name], bout.p50MS) })
	c.table(w, "99th percentile, ms", "%.2f", comparedWays, func(s *comparedSeries, name string) float64 { return median(s.Bouts[name], bout.p99MS) })
	c.table(w, "CPU a request, us", "%.0f", comparedWays, func(s *comparedSeries, name string) float64 { return median(s.Bouts[name], bout.cpuUS) })

	c.converted(w)

	heading(w, "Of the processes", comparedWays)
	fmt.Fprintf(w, "  %-20s", "first answer, ms")
	row(w, "%.0f", comparedWays, func(name string) (float64, bool) { v := c.AnswerMS[name]; return bench.Median(v), len(v) > 0 })
	fmt.Fprintf(w, "  %-20s", "peak memory, MB")
	row(w, "%.0f", comparedWays, func(name string) (float64, bool) { return float64(c.Memory[name].PeakBytes) / mib, true })
	fmt.Fprintf(w, "  %-20s", "after the load, MB")
	row(w, "%.0f", comparedWays, func(name string) (float64, bool) { return float64(c.Memory[name].NowBytes) / mib, true })
}

// converted tells how Messages are answered out of Chat Completions.
func (c *comparison) converted(w io.Writer) {
	fmt.Fprintf(w, "\n%-21s %16s  %6s %16s  %14s\n", "Messages, converted", "requests/s", "ratio", "median, ms", "CPU, us")
	fmt.Fprintf(w, "%-21s %7s %8s  %6s %7s %8s  %6s %7s\n", "to Chat Completions", wayGateway, wayLiteLLM, "", wayGateway, wayLiteLLM, "ours", "theirs")
	for _, s := range c.Converted {
		of := func(name string, figure func(bout) float64) float64 { return median(s.Bouts[name], figure) }
		fmt.Fprintf(w, "  %-19s %7.0f %8.0f  %6.1f %7.3f %8.2f  %6.0f %7.0f\n", s.name(), of(wayGateway, perSecond), of(wayLiteLLM, perSecond),
			bench.Median(s.ratios(wayLiteLLM, perSecond)), of(wayGateway, bout.p50MS), of(wayLiteLLM, bout.p50MS), of(wayGateway, bout.cpuUS), of(wayLiteLLM, bout.cpuUS))
	}
}

func (c *comparison) table(w io.Writer, title, format string, ways []string, of func(*comparedSeries, string) float64) {
	heading(w, title, ways)
	for _, s := range c.Series {
		fmt.Fprintf(w, "  %-20s", s.name())
		row(w, format, ways, func(name string) (float64, bool) { return of(s, name), true })
	}
}

// heading and row are a table of figures with a column for each name.
func heading(w io.Writer, title string, columns []string) {
	fmt.Fprintf(w, "\n%-22s", title)
	for _, c := range columns {
		fmt.Fprintf(w, " %10s", c)
	}
	fmt.Fprintln(w)
}

func row(w io.Writer, format string, columns []string, of func(string) (float64, bool)) {
	for _, c := range columns {
		text := "-"
		if v, ok := of(c); ok {
			text = fmt.Sprintf(format, v)
		}
		fmt.Fprintf(w, " %10s", text)
	}
	fmt.Fprintln(w)
}
