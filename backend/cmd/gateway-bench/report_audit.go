package main

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"mlxbar/backend/bench"
)

// The aims of a full audit.
const (
	maxQuestionMS = 50
	maxFarPageMS  = 100
	maxExport     = 1.5
	maxExportPeak = 64 * mib
)

// judge compares a full audit's figures with the aims.
func (a *auditRun) judge(aim func(name, wanted, measured string, ok bool)) {
	if a == nil {
		return
	}
	for _, x := range []struct {
		kind, name string
		most       float64
	}{{firstPage, "full audit: filtered first page", maxQuestionMS}, {sums, "full audit: sums", maxQuestionMS}, {farPage, "full audit: page half-way down", maxFarPageMS}} {
		all, _ := a.medians(x.kind)
		m := bench.Median(all)
		aim(x.name, fmt.Sprintf("<= %.0f ms", x.most), fmt.Sprintf("%.1f ms", m), m <= x.most)
	}
	ratios, peak := a.ratios()
	ratio := bench.Median(ratios)
	aim("full audit: CSV / the sqlite3 shell's", "<= 1.50", fmt.Sprintf("%.2f", ratio), ratio <= maxExport)
	aim("full audit: memory of the export, peak", "<= 64 MB", fmt.Sprintf("%.1f MB", float64(peak)/mib), peak <= maxExportPeak)
}

func (a *auditRun) print(w io.Writer) {
	if a == nil {
		fmt.Fprintf(w, "\nThe full audit was left out.\n")
		return
	}
	fmt.Fprintf(w, "\n%-48s %9s %9s\n", "Audit, "+thousands(a.Records)+" records, ms", "median", "slowest")
	for _, kind := range []string{firstPage, sums, farPage} {
		all, slowest := a.medians(kind)
		fmt.Fprintf(w, "  %-46s %9.1f %9.1f\n", kind+", of "+strconv.Itoa(len(all))+" questions", bench.Median(all), bench.Median(slowest.TookMS))
		for _, q := range a.Questions {
			if q.Kind == kind {
				s := bench.Summarize(q.TookMS)
				fmt.Fprintf(w, "    %-44s %9.1f %9.1f\n", q.Name, s.Median, s.Max)
			}
		}
	}
	var ours, theirs []float64
	for _, x := range a.Exports {
		ours, theirs = append(ours, x.MlxbarS), append(theirs, x.SqliteS)
	}
	ratios, peak := a.ratios()
	fmt.Fprintf(w, "  made in %.1f s; as CSV by mlxbar in %.1f s, by the sqlite3 shell in %.1f s:\n", a.FillS, bench.Median(ours), bench.Median(theirs))
	fmt.Fprintf(w, "  a ratio of %.2f; memory %.1f MB, the shell's %.1f MB\n", bench.Median(ratios), float64(peak)/mib, float64(a.Exports[0].SqliteBytes)/mib)
}

// judge compares what the writer sustains, in its worst case, with the aim.
func (w *writerRun) judge(aim func(name, wanted, measured string, ok bool)) {
	if w == nil {
		return
	}
	slowest := math.Inf(1)
	for _, c := range w.Cases {
		slowest = min(slowest, bench.Median(c.perSecond()))
	}
	aim("audit writer: records a second, least", ">= "+thousands(minRecorded), thousands(int(slowest)), slowest >= minRecorded)
}

func (w *writerRun) print(out io.Writer) {
	if w == nil {
		fmt.Fprintf(out, "\nThe audit's writer was left out.\n")
		return
	}
	fmt.Fprintf(out, "\n%-46s %10s %11s %9s\n", "Audit writer, "+thousands(w.Requests)+" requests a round", "a second", "CPU us each", "peak MB")
	for _, c := range w.Cases {
		peak := uint64(0)
		for _, r := range c.Rounds {
			peak = max(peak, r.PeakBytes)
		}
		fmt.Fprintf(out, "  %-44s %10s %11.1f %9.1f\n", c.Name, thousands(int(bench.Median(c.perSecond()))), bench.Median(c.cpuMicros()), float64(peak)/mib)
	}
}

// thousands writes a number as people read it.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
