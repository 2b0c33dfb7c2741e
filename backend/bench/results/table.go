package results

import (
	"fmt"
	"io"
	"math"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"mlxbar/backend/bench"
)

// width is the narrowest terminal that people use.
const width = 80

// lines collects lines without blanks at their ends.
type lines struct{ b strings.Builder }

func (l *lines) f(format string, args ...any) {
	l.b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// wrap writes text in lines of at most width, the later ones indented like the first.
func (l *lines) wrap(head, text string) {
	line := head
	indent := strings.Repeat(" ", utf8.RuneCountInString(head))
	for _, word := range strings.Fields(text) {
		if n := utf8.RuneCountInString(line); n+1+utf8.RuneCountInString(word) > width && n > len(indent) {
			l.f("%s", line)
			line = indent
		}
		if line != head && line != indent {
			line += " "
		}
		line += word
	}
	l.f("%s", line)
}

func (l *lines) to(w io.Writer) error {
	_, err := io.WriteString(w, l.b.String())
	return err
}

// number writes three digits that mean something.
func number(v float64) string {
	decimals := 0
	switch a := math.Abs(v); {
	case v == 0:
	case a < 0.1:
		decimals = 3
	case a < 10:
		decimals = 2
	case a < 100:
		decimals = 1
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// clip cuts text to n characters.
func clip(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}

// title names a case.
func (c Case) title() string {
	parts := []string{c.Route}
	if c.Model != "" {
		parts = append(parts, c.Model)
	}
	if c.Prompt.Name != "" {
		parts = append(parts, "prompt "+c.Prompt.Name)
	}
	if c.Concurrency > 0 {
		parts = append(parts, fmt.Sprintf("%d at a time", c.Concurrency))
	}
	return strings.Join(parts, ", ")
}

// Table writes f for people, in 80 columns.
func (f *File) Table(w io.Writer) error {
	out := &lines{}
	f.head(out)
	asked := f.asked()
	if f.Command == "run" {
		for _, c := range asked {
			c.block(out)
		}
	}
	if len(asked) > 1 || f.Command == "suite" && len(asked) > 0 {
		overview(out, asked)
	}
	f.rest(out)
	return out.to(w)
}

// asked are the cases of which at least one request was sent.
func (f *File) asked() (asked []Case) {
	for _, c := range f.Cases {
		if c.Answered+c.Failed > 0 {
			asked = append(asked, c)
		}
	}
	return asked
}

func (f *File) head(out *lines) {
	out.f("mlx-benchmark %s, %s", f.Tool, f.StartedAt.Format("2006-01-02 15:04 MST"))
	server := f.Server.URL
	if f.Server.Version != "" {
		server += ", mlxbar " + f.Server.Version
	}
	out.wrap("server   ", server)
	out.wrap("machine  ", fmt.Sprintf("%s, %d × %s, %.0f GB, load %.1f", f.Machine.OS, f.Machine.CPUs, f.Machine.CPU, float64(f.Machine.Memory)/1e9, f.Machine.Load))
	s := f.Settings
	how := "in one piece"
	if s.Stream {
		how = "streamed"
	}
	prompts := "each prompt new"
	if s.SamePrompt {
		prompts = "the same prompt each time"
	}
	out.wrap("asked    ", fmt.Sprintf("%s, %d tokens at most, %s, %s, %s", plural(s.Runs, "run", "runs"), s.MaxTokens, how, plural(s.Warmup, "warm-up", "warm-ups"), prompts))
	for _, w := range f.Warnings {
		out.wrap("WARNING  ", w)
	}
	out.f("")
}

// block shows one case in full.
func (c Case) block(out *lines) {
	out.f("%s", clip(c.title(), width))
	out.f("  %-19s %9s  %-19s %8s %8s %8s", "", "p50", "95 % interval", "p90", "p95", "p99")
	spread := func(name string, d *bench.Distribution) {
		if d != nil {
			out.f("  %-19s %9s  %-19s %8s %8s %8s", name, number(d.P50.Value), interval(d.P50), number(d.P90.Value), number(d.P95.Value), number(d.P99.Value))
		}
	}
	spread("first token, ms", c.FirstToken)
	spread("between tokens, ms", c.InterToken)
	spread("whole answer, ms", c.Total)
	if o := c.Overhead; o != nil {
		spread("added to first, ms", o.FirstToken)
		spread("added to whole, ms", o.Total)
	}
	if c.Reading != nil || c.Writing != nil {
		out.f("")
		out.f("  %-19s %9s  %-19s %8s %8s  %s", "tokens per second", "median", "95 % interval", "slowest", "fastest", "timed by")
		for _, r := range []struct {
			name string
			rate *Rate
		}{{"prompt", c.Reading}, {"generation", c.Writing}} {
			if r.rate != nil {
				out.f("  %-19s %9s  %-19s %8s %8s  %s", r.name, number(r.rate.P50.Value), interval(r.rate.P50), number(r.rate.Min), number(r.rate.Max), timedBy[r.rate.Source])
			}
		}
	}
	out.f("")
	if c.Throughput.AnswersPerSecond > 0 {
		out.f("  %-19s %s answers/s, %s tokens/s", "throughput", number(c.Throughput.AnswersPerSecond), number(c.Throughput.TokensPerSecond))
	}
	out.f("  %-19s %d in, %d of them cached; %d out", "tokens", c.Tokens.Prompt, c.Tokens.Cached, c.Tokens.Completion)
	c.failures(out)
	out.f("")
}

var timedBy = map[string]string{ByEngine: "engine", ByUsage: "client", ByEvents: "client*"}

func interval(e bench.Estimate) string { return number(e.Low) + " to " + number(e.High) }

func (c Case) failures(out *lines) {
	if c.Failed == 0 {
		out.f("  %-19s all %d answered", "requests", c.Answered)
		return
	}
	out.f("  %-19s %d answered, %d failed", "requests", c.Answered, c.Failed)
	for _, e := range c.Errors {
		text := fmt.Sprintf("%d %s", e.Count, e.Kind)
		if e.Detail != "" {
			text += ": " + e.Detail
		}
		out.wrap(strings.Repeat(" ", 22), text)
	}
}

// overview shows a case a line, by route and model: throughput against concurrency.
func overview(out *lines, cases []Case) {
	const row = "  %-7s %9v %10s %10s %10s %9s %9s %7v"
	group := ""
	for _, c := range cases {
		if name := c.Route + ", " + c.Model; name != group {
			if group != "" {
				out.f("")
			}
			group = name
			out.f("%s", clip(name, width))
			out.f(row, "prompt", "at a time", "first, ms", "whole, ms", "p95, ms", "one tok/s", "all tok/s", "failed")
		}
		p50 := func(d *bench.Distribution) string {
			if d == nil {
				return "-"
			}
			return number(d.P50.Value)
		}
		p95, one := "-", "-"
		if c.Total != nil {
			p95 = number(c.Total.P95.Value)
		}
		if c.Writing != nil {
			one = number(c.Writing.P50.Value)
		}
		out.f(row, clip(c.Prompt.Name, 7), c.Concurrency, p50(c.FirstToken), p50(c.Total), p95, one, number(c.Throughput.TokensPerSecond), c.Failed)
	}
	out.f("")
	out.wrap("", "first, whole: medians until the first token and of the whole answer; p95 is the latter's. one: an answer's own speed of writing; all: what all requests got together.")
	out.f("")
}

// rest tells what has no figures, and why.
func (f *File) rest(out *lines) {
	for _, c := range f.Cases {
		if c.Reason == "" {
			continue
		}
		word := map[Status]string{Skipped: "skipped", NotRun: "not run", BrokenOff: "broken off", Failed: "failed"}[c.Status]
		if word == "" {
			word = "note"
		}
		out.wrap(fmt.Sprintf("%-11s", word), c.title()+": "+c.Reason)
	}
	for _, c := range f.Cases {
		if c.Writing != nil && c.Writing.Source == ByEvents {
			out.f("*  no usage in the answers: events with content were taken for tokens")
			break
		}
	}
	if !f.Complete {
		out.wrap("", "Broken off: "+f.BrokenOff+". What was measured until then stands above.")
	}
}

// CleanURL is an address without the name and key that it may carry.
func CleanURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
