package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlxbar/backend/bench"
	"mlxbar/backend/bench/machine"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample is a run with one round worth of made-up figures.
func sample() *report {
	rounds := func(perSecond, p50 float64) []bench.LoadResult {
		return []bench.LoadResult{{Requests: int64(perSecond), Seconds: 1, P50US: p50, P99US: 4 * p50}}
	}
	stream := func(total time.Duration) []bench.Answer {
		return []bench.Answer{{Tokens: 100, First: 80 * time.Millisecond, Total: total}}
	}
	r := &report{
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Machine: origin{Machine: machine.Machine{OS: "debian 12 linux/amd64", CPU: "Made-up CPU", CPUs: 2, Go: "go1.26", Load: 0.25}, Mlxbar: "mlxbar 0.1.0", Wrk: "wrk 4.1.0"},
		Options: options{Rounds: 1, Duration: 2 * time.Second, Chunks: 16},
		Memory:  memory{NowBytes: 40 * mib, PeakBytes: 50 * mib},
		Ready:   readiness{Fresh: []float64{80, 90, 100}, Existing: []float64{50, 60, 70}},
		Engine:  &engineRun{Model: "smollm2-135m-instruct", SameText: true, Rounds: [nEngines][]bench.Answer{stream(time.Second), stream(1005 * time.Millisecond), stream(time.Second)}},
		Audit: accounts{
			Load:   bench.Ledger{Completed: 100000, CutAtMost: 73, Upstream: 100070, Rows: bench.Rows{Total: 100073, Success: 100020, Cancelled: 53}},
			Exact:  bench.Ledger{Completed: 2000, Upstream: 2000, Rows: bench.Rows{Total: 2000, Success: 2000}},
			Engine: &bench.Ledger{Completed: 12, Upstream: 12, Rows: bench.Rows{Total: 12, Success: 12}},
		},
	}
	r.FullAudit = &auditRun{Records: 1_000_000, FillS: 9.5, Exports: []exported{{MlxbarS: 2.5, SqliteS: 2, MlxbarBytes: 30 * mib, SqliteBytes: 14 * mib}}}
	r.FullAudit.ask(r.Started)
	for i, q := range r.FullAudit.Questions {
		q.TookMS = []float64{float64(i), float64(i) + 0.5, float64(i) + 9}
	}
	r.EventAllocations = []float64{0.001, 0, 0.002}
	r.Writer = &writerRun{Requests: 100_000, Cases: []*writerBouts{
		{Name: writerCase(0, 1), Rounds: []recorded{{Requests: 100_000, Seconds: 2, CPUMicros: 15.5, PeakBytes: 30 * mib}}},
		{Name: writerCase(1_000_000, openApart), Rounds: []recorded{{Requests: 100_000, Seconds: 4, CPUMicros: 25.5, PeakBytes: 40 * mib}}},
	}}
	r.Protocols = sampleProtocols()
	for _, shape := range []string{"json", "sse"} {
		for _, n := range []int{1, 8, 16, 64} {
			r.Load = append(r.Load, &series{Shape: shape, Connections: n,
				Rounds: [nPaths][]bench.LoadResult{rounds(20000, 50), rounds(10000, 120), rounds(9600, 200)}})
		}
	}
	return r
}

func TestReportIsReadable(t *testing.T) {
	r := sample()
	r.judge()
	var got bytes.Buffer
	r.print(&got)
	for line := range strings.Lines(got.String()) {
		if n := len(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	golden := filepath.Join("testdata", "report.txt")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
}

// TestEachTargetCanBeMissed spoils one figure at a time.
func TestEachTargetCanBeMissed(t *testing.T) {
	for name, spoil := range map[string]func(*report){
		"median added at 1 connection, JSON":     func(r *report) { r.Load[0].Rounds[gated][0].P50US = 251 },
		"throughput / ReverseProxy's at 8, SSE":  func(r *report) { r.Load[5].Rounds[gated][0].Requests = 9499 },
		"tokens per second / the engine's own":   func(r *report) { r.Engine.Rounds[provided][0].Total = 1100 * time.Millisecond },
		"ready line after the start, slowest":    func(r *report) { r.Ready.Fresh[1] = 201 },
		"resident memory under load, peak":       func(r *report) { r.Memory.PeakBytes = 61 * mib },
		"p99 added at 16 connections, JSON":      func(r *report) { r.Load[2].Rounds[gated][0].P99US = 1200 },
		"allocations per forwarded SSE event":    func(r *report) { r.EventAllocations = []float64{1} },
		"audit writer: records a second, least":  func(r *report) { r.Writer.Cases[1].Rounds[0].Seconds = 5.1 },
		"requests found in the database":         func(r *report) { r.Audit.Exact.Rows.Total-- },
		"full audit: filtered first page":        func(r *report) { slow(r, firstPage, 51) },
		"full audit: sums":                       func(r *report) { slow(r, sums, 51) },
		"full audit: page half-way down":         func(r *report) { slow(r, farPage, 101) },
		"full audit: CSV / the sqlite3 shell's":  func(r *report) { r.FullAudit.Exports[0].MlxbarS = 3.1 },
		"full audit: memory of the export, peak": func(r *report) { r.FullAudit.Exports[0].MlxbarBytes = 65 * mib },
	} {
		r := sample()
		spoil(r)
		r.judge()
		var missed []string
		for _, target := range r.Targets {
			if !target.OK {
				missed = append(missed, target.Name)
			}
		}
		if diff := cmp.Diff([]string{name}, missed); diff != "" {
			t.Errorf("after spoiling %q: %s", name, diff)
		}
	}
}

func slow(r *report, kind string, ms float64) {
	for _, q := range r.FullAudit.Questions {
		if q.Kind == kind {
			q.TookMS = []float64{ms}
		}
	}
}

func TestResultsAreWritten(t *testing.T) {
	r := sample()
	r.judge()
	file := filepath.Join(t.TempDir(), "r.json")
	if err := r.write(file); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Targets) != len(r.Targets) || back.Load[3].Rounds[gated][0].P50US != 200 {
		t.Errorf("%s", b)
	}
}
