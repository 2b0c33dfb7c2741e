package main

import (
	"fmt"
	"io"
	"math"
	"time"

	"mlxbar/backend/bench"
)

// report is the outcome of a run, as --json writes it.
type report struct {
	Started time.Time  `json:"started"`
	Machine origin     `json:"machine"`
	Options options    `json:"options"`
	Load    []*series  `json:"load"`
	Memory  memory     `json:"memory"`
	Engine  *engineRun `json:"engine"`
	Ready   readiness  `json:"ready"`
	Audit   accounts   `json:"audit"`
	// FullAudit is nil when it was left out.
	FullAudit *auditRun `json:"full_audit"`
	// EventAllocations are those of forwarding one event of a stream, of each round.
	EventAllocations []float64 `json:"event_allocations"`
	// Writer is nil when it was left out.
	Writer *writerRun `json:"writer"`
	// Protocols is nil when they were left out.
	Protocols *protocolsRun `json:"protocols"`
	Targets   []target      `json:"targets"`
}

type memory struct {
	NowBytes  uint64 `json:"now_bytes"`
	PeakBytes uint64 `json:"peak_bytes"`
}

// accounts compare what was asked with what was recorded.
type accounts struct {
	Load   bench.Ledger  `json:"load"`
	Exact  bench.Ledger  `json:"exact"`
	Engine *bench.Ledger `json:"engine"`
}

func (a accounts) problems() []string {
	all := append(a.Load.Problems(), a.Exact.Problems()...)
	if a.Engine != nil {
		all = append(all, a.Engine.Problems()...)
	}
	return all
}

// target is one aim and whether it was reached.
type target struct {
	Name     string `json:"name"`
	Wanted   string `json:"wanted"`
	Measured string `json:"measured"`
	OK       bool   `json:"ok"`
}

const mib = 1 << 20

// The aims.
const (
	maxAddedMS     = 0.20
	maxAddedP99MS  = 1.0
	minEngineSpeed = 0.98
	maxReadyMS     = 200
	maxMemory      = 60 * mib
	minRecorded    = 20_000
	// maxAllocations leaves room for events that came together: net/http puts the size of a
	// chunk of 256 bytes and more into 8 bytes of new memory.
	maxAllocations = 0.1
)

// minThroughput is by shape: the share of the bare proxy's.
var minThroughput = map[string]float64{"json": 0.90, "sse": 0.95}

// judge compares the figures with the aims.
func (r *report) judge() {
	aim := func(name, wanted, measured string, ok bool) {
		r.Targets = append(r.Targets, target{name, wanted, measured, ok})
	}
	for _, s := range r.Load {
		shape := shapeNames[s.Shape]
		if s.Connections == 1 {
			added := bench.Median(bench.Differences(s.medianMS(gated), s.medianMS(direct)))
			aim("median added at 1 connection, "+shape, "<= 0.20 ms", fmt.Sprintf("%.3f ms", added), added <= maxAddedMS)
		}
		if s.Connections == 8 {
			ratio := bench.Median(bench.Ratios(s.perSecond(gated), s.perSecond(proxied)))
			least := minThroughput[s.Shape]
			aim("throughput / ReverseProxy's at 8, "+shape, fmt.Sprintf(">= %.2f", least), fmt.Sprintf("%.2f", ratio), ratio >= least)
		}
		if s.Connections == 16 {
			added := bench.Median(bench.Differences(s.p99MS(gated), s.p99MS(direct)))
			aim("p99 added at 16 connections, "+shape, "< 1.00 ms", fmt.Sprintf("%.3f ms", added), added < maxAddedP99MS)
		}
	}
	if r.Engine != nil {
		ratio := bench.Median(bench.Ratios(r.Engine.tokensPerSecond(provided), r.Engine.tokensPerSecond(alone)))
		aim("tokens per second / the engine's own", ">= 0.98", fmt.Sprintf("%.3f", ratio), ratio >= minEngineSpeed)
	}
	aim("ready line after the start, slowest", "<= 200 ms", fmt.Sprintf("%.0f ms", r.Ready.worst()), r.Ready.worst() <= maxReadyMS)
	aim("resident memory under load, peak", "<= 60 MB", fmt.Sprintf("%.1f MB", float64(r.Memory.PeakBytes)/mib), r.Memory.PeakBytes <= maxMemory)
	if len(r.EventAllocations) > 0 {
		n := max(0, bench.Median(r.EventAllocations)) // a short stream may have had others' work in it
		aim("allocations per forwarded SSE event", "0.00", fmt.Sprintf("%.2f", n), n < maxAllocations)
	}
	r.Writer.judge(aim)
	lost := len(r.Audit.problems())
	measured := fmt.Sprintf("%d, all", r.Audit.Load.Rows.Total+r.Audit.Exact.Rows.Total)
	if lost > 0 {
		measured = fmt.Sprintf("%d faults", lost)
	}
	aim("requests found in the database", "all", measured, lost == 0)
	r.FullAudit.judge(aim)
	r.Protocols.judge(aim)
}

var shapeNames = map[string]string{"json": "JSON", "sse": "SSE"}

// print writes the report for a person, in 80 columns.
func (r *report) print(w io.Writer) {
	m := r.Machine
	fmt.Fprintf(w, "mlxbar gateway benchmark, %s\n", r.Started.Format("2006-01-02 15:04 MST"))
	fmt.Fprintf(w, "%s, %s, %s\n%s, %d CPUs: %.50s\n", m.Mlxbar, m.Go, m.Wrk, m.OS, m.CPUs, m.CPU)
	fmt.Fprintf(w, "%d rounds of %s, %d tokens an answer; medians, ratios round by round\n", r.Options.Rounds, r.Options.Duration, r.Options.Chunks)
	fmt.Fprintf(w, "load average before the run: %.1f\n", m.Load)

	fmt.Fprintf(w, "\n%-22s %9s %9s %9s  %9s %8s\n", "Requests per second", "direct", "proxy", "gateway", "/ direct", "/ proxy")
	for _, s := range r.Load {
		d, p, g := s.perSecond(direct), s.perSecond(proxied), s.perSecond(gated)
		fmt.Fprintf(w, "  %-20s %9.0f %9.0f %9.0f  %9.2f %8.2f\n", s.name(), bench.Median(d), bench.Median(p), bench.Median(g),
			bench.Median(bench.Ratios(g, d)), bench.Median(bench.Ratios(g, p)))
	}
	r.printLatency(w, "Median latency, ms", (*series).medianMS)
	r.printLatency(w, "99th percentile, ms", (*series).p99MS)
	r.printEngine(w)
	fmt.Fprintf(w, "\n%-22s %9s %9s\n", "Time to ready, ms", "median", "slowest")
	for _, x := range []struct {
		name   string
		values []float64
	}{{"fresh data folder", r.Ready.Fresh}, {"existing data folder", r.Ready.Existing}} {
		s := bench.Summarize(x.values)
		fmt.Fprintf(w, "  %-20s %9.0f %9.0f\n", x.name, s.Median, s.Max)
	}
	fmt.Fprintf(w, "\nGateway's memory: %.1f MB at its peak, %.1f MB after the load\n", float64(r.Memory.PeakBytes)/mib, float64(r.Memory.NowBytes)/mib)
	r.printAudit(w)
	r.FullAudit.print(w)
	r.Writer.print(w)
	r.Protocols.print(w)
	printTargets(w, r.Targets)
}

func printTargets(w io.Writer, targets []target) {
	fmt.Fprintf(w, "\n%-42s %10s %14s\n", "Targets", "wanted", "measured")
	for _, t := range targets {
		verdict := "ok"
		if !t.OK {
			verdict = "MISSED"
		}
		fmt.Fprintf(w, "  %-40s %10s %14s  %s\n", t.Name, t.Wanted, t.Measured, verdict)
	}
}

func (s *series) name() string {
	plural := "s"
	if s.Connections == 1 {
		plural = ""
	}
	return fmt.Sprintf("%-4s %d connection%s", shapeNames[s.Shape], s.Connections, plural)
}

func (r *report) printLatency(w io.Writer, title string, of func(*series, int) []float64) {
	fmt.Fprintf(w, "\n%-22s %9s %9s %9s  %9s %8s\n", title, "direct", "proxy", "gateway", "- direct", "- proxy")
	for _, s := range r.Load {
		d, p, g := of(s, direct), of(s, proxied), of(s, gated)
		fmt.Fprintf(w, "  %-20s %9.3f %9.3f %9.3f  %9.3f %8.3f\n", s.name(), bench.Median(d), bench.Median(p), bench.Median(g),
			bench.Median(bench.Differences(g, d)), bench.Median(bench.Differences(g, p)))
	}
}

func (r *report) printEngine(w io.Writer) {
	if r.Engine == nil {
		fmt.Fprintf(w, "\nThe real engine was left out.\n")
		return
	}
	fmt.Fprintf(w, "\n%-31s %11s %9s %16s\n", "Engine, "+r.Engine.Model, "tokens/s", "/ alone", "first token, ms")
	a := r.Engine.tokensPerSecond(alone)
	for way, name := range [nEngines]string{"alone", "the same through the gateway", "the gateway's own (LOCAL)"} {
		v := r.Engine.tokensPerSecond(way)
		fmt.Fprintf(w, "  %-29s %11.1f %9.3f %16.1f\n", name, bench.Median(v), bench.Median(bench.Ratios(v, a)), bench.Median(r.Engine.firstMS(way)))
	}
	if !r.Engine.SameText {
		fmt.Fprintln(w, "  (the answers were not all the same)")
	}
}

func (r *report) printAudit(w io.Writer) {
	l, e := r.Audit.Load, r.Audit.Exact
	fmt.Fprintf(w, "\n%-31s %9s %9s %9s %9s\n", "Audit", "answered", "upstream", "records", "success")
	fmt.Fprintf(w, "  %-29s %9d %9d %9d %9d\n", "under load", l.Completed, l.Upstream, l.Rows.Total, l.Rows.Success)
	fmt.Fprintf(w, "  %-29s %9d %9d %9d %9d\n", "counted one by one", e.Completed, e.Upstream, e.Rows.Total, e.Rows.Success)
	if n := r.Audit.Engine; n != nil {
		fmt.Fprintf(w, "  %-29s %9d %9s %9d %9d\n", "with the engine", n.Completed, "", n.Rows.Total, n.Rows.Success)
	}
	fmt.Fprintf(w, "  When wrk stops it hangs up on what is in flight, up to %d requests in all:\n", l.CutAtMost)
	fmt.Fprintf(w, "  of those, %d have a record (%d cancelled), %d of them reached the upstream.\n",
		l.Cut(), l.Rows.Cancelled, int64(math.Max(0, float64(l.Upstream-l.Completed))))
	for _, p := range r.Audit.problems() {
		fmt.Fprintf(w, "  WRONG: %s\n", p)
	}
}
