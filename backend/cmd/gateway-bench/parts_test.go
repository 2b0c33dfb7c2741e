package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mlxbar/backend/bench"
	"mlxbar/backend/bench/machine"
	"mlxbar/backend/bench/results"
	"mlxbar/backend/datadir"
	"mlxbar/backend/settings"
)

// bouts are made-up ones: requests a second, and microseconds of the processor for each.
func bouts(figures ...float64) (out []bout) {
	for i := 0; i < len(figures); i += 2 {
		n := figures[i]
		out = append(out, bout{LoadResult: bench.LoadResult{Requests: int64(n), Seconds: 1, P50US: 1e6 / n, P99US: 4e6 / n}, CPUSeconds: n * figures[i+1] / 1e6})
	}
	return out
}

func TestFiguresOfABout(t *testing.T) {
	b := bouts(5000, 120)[0]
	if b.cpuUS() != 120 || b.p50MS() != 0.2 || b.p99MS() != 0.8 || perSecond(b) != 5000 {
		t.Errorf("%v us, %v ms, %v ms, %v/s", b.cpuUS(), b.p50MS(), b.p99MS(), perSecond(b))
	}
	s := &comparedSeries{Bouts: map[string][]bout{wayGateway: bouts(100, 1, 50, 1, 90, 1), wayNginx: bouts(200, 1, 50, 1, 100, 1)}}
	if diff := cmp.Diff([]float64{0.5, 1, 0.9}, s.ratios(wayNginx, perSecond)); diff != "" {
		t.Errorf("ratios are not taken round by round: %s", diff)
	}
}

func TestCostOfAnEvent(t *testing.T) {
	var points []*point
	for _, n := range []int{16, 64, 256, 1024} {
		points = append(points, &point{Value: n, Way: wayGateway, Bouts: bouts(1000, 100+1.5*float64(n))}, &point{Value: n, Way: wayProxy, Bouts: bouts(1000, 50)})
	}
	if slope, rest := line(points, wayGateway); math.Abs(slope-1.5) > 0.001 || math.Abs(rest-100) > 0.1 {
		t.Errorf("%v for each event and %v", slope, rest)
	}
	if slope, rest := line(points, wayProxy); math.Abs(slope) > 0.001 || math.Abs(rest-50) > 0.1 {
		t.Errorf("%v for each event and %v", slope, rest)
	}
}

func TestManyModels(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	file := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(file, []byte("GGUF"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := manyModels(dir, file, 12, "http://127.0.0.1:1/v1"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "models", "model-0011.gguf")); err != nil || string(b) != "GGUF" {
		t.Errorf("the last model holds %q, %v", b, err)
	}
	raw, err := os.ReadFile(datadir.At(dir).Settings)
	if err != nil {
		t.Fatal(err)
	}
	s, err := settings.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Routes) != 12 || s.Routes[11].Model != "ok-16" || len(s.Providers) != 1 {
		t.Errorf("%d routes, %d providers", len(s.Routes), len(s.Providers))
	}
}

// TestTrialsCanBeCompared holds that each topic has several, and that each names a model that is made.
func TestTrialsCanBeCompared(t *testing.T) {
	known := map[string]bool{mlxModel: true, "smollm2-135m-instruct": true}
	for _, kind := range madeTypes {
		known["smollm2-135m-instruct-"+strings.ToLower(kind)] = true
	}
	for _, cpus := range []int{1, 2, 8} {
		count, names := map[string]int{}, map[string]bool{}
		for _, trial := range trials(true, cpus) {
			count[trial.topic]++
			names[trial.topic+trial.name] = true
			if !known[trial.model] {
				t.Errorf("%s, %s asks %q, which nobody makes", trial.topic, trial.name, trial.model)
			}
			s := settings.Defaults()
			if trial.set != nil {
				trial.set(&s.Engines.LlamaCPP)
			}
			if s.Engines.LlamaCPP.Threads < 0 || s.Engines.LlamaCPP.Parallel < 1 {
				t.Errorf("%s, %s sets %+v", trial.topic, trial.name, s.Engines.LlamaCPP)
			}
		}
		total := 0
		for topic, n := range count {
			if total += n; n < 2 {
				t.Errorf("%q has nothing to be compared with", topic)
			}
		}
		if len(names) != total {
			t.Error("two trials have the same name")
		}
	}
}

func TestTopicsAreChosenByWords(t *testing.T) {
	all := trials(false, 2)
	if got := chosen(all, ""); len(got) != len(all) {
		t.Errorf("without a word %d of %d", len(got), len(all))
	}
	for words, want := range map[string]int{"SLOTS": 4 + 3, "weights,engine": 4 + 2, "nope": 0} { // contexts have slots in their title too
		if got := chosen(all, words); len(got) != want {
			t.Errorf("%q chooses %d, want %d", words, len(got), want)
		}
	}
}

func madeUp() []result {
	c := &comparison{Workers: 2, Versions: map[string]string{wayNginx: "1.22.1", wayLiteLLM: "1.2.3"},
		AnswerMS: map[string][]float64{wayGateway: {30, 20}}, Memory: map[string]memory{wayLiteLLM: {NowBytes: 1000 * mib, PeakBytes: 1100 * mib}}}
	for _, shape := range []string{"json", "sse"} {
		s := &comparedSeries{Shape: shape, Connections: 32, Bouts: map[string][]bout{}}
		for i, name := range comparedWays {
			s.Bouts[name] = bouts(20000/math.Pow(3, float64(i)), 50)
		}
		c.Series = append(c.Series, s)
		c.Converted = append(c.Converted, s)
	}
	g := &growth{
		Concurrency: []*point{{Value: 1, Shape: "json", Way: wayGateway, Bouts: bouts(4000, 150)}, {Value: 1, Shape: "json", Way: wayProxy, Bouts: bouts(5000, 120)}},
		StreamLength: []*point{{Value: 16, Shape: "sse", Way: wayGateway, Bouts: bouts(100, 300)}, {Value: 1024, Shape: "sse", Way: wayGateway, Bouts: bouts(10, 2316)},
			{Value: 16, Shape: "sse", Way: wayProxy, Bouts: bouts(100, 200)}, {Value: 1024, Shape: "sse", Way: wayProxy, Bouts: bouts(20, 1208)}},
		AuditSize: []*point{{Value: 1_000_000, Shape: "json", Way: wayGateway, Bouts: bouts(9000, 130)}},
		Models: []*point{{Value: 1000, Shape: "json", Way: wayGateway, Bouts: bouts(9000, 140),
			Lists: []listing{{Requests: 50, CPUSeconds: 0.5, TookMS: []float64{9, 11}, Bytes: 148_000}}}},
	}
	h := &hotspots{Connections: 8}
	for _, shape := range []string{"json", "sse"} {
		for _, name := range []string{wayGateway, wayProxy} {
			h.Spent = append(h.Spent, &spending{Way: name, Shape: shape, Requests: 10_000, Seconds: 2, ByGroup: map[string]float64{groupSyscalls: 1.5, groupNet: 0.5}})
		}
	}
	one := func(v float64) *bench.Distribution { return &bench.Distribution{P50: bench.Estimate{Value: v}} }
	a := &advice{Versions: []string{"mlx-lm 1"}, FileBytes: []fileBytes{{"m-f16", 258 * mib}},
		Trials: []*tried{
			{Topic: "Weights stored as", Name: "F16", Memory: []uint64{400 * mib}, Rounds: []results.Case{{CaseSummary: results.CaseSummary{Model: "m-f16", FirstToken: one(55),
				Reading: &results.Rate{Distribution: *one(900)}, Writing: &results.Rate{Distribution: *one(80)}, Throughput: results.Throughput{TokensPerSecond: 75}}}}},
			{Topic: "Threads (threads)", Name: "7 of 8, one CPU busy", Memory: []uint64{1}, Rounds: []results.Case{{}}},
		},
		Durability: []*durable{{Durability: settings.Batched, Connections: 8, Bouts: bouts(9000, 1)}, {Durability: settings.Strict, Connections: 8, Bouts: bouts(500, 1)}},
	}
	return []result{c, sampleProtocols(), g, h, a, madeUpEngines(), madeUpSample()}
}

func madeUpSample() *suiteSample {
	return &suiteSample{raw: []byte("{\"made\": \"up\"}\n"), table: "mlx-benchmark 1.2.3\n",
		file: &results.File{Complete: true, Cases: []results.Case{{CaseSummary: results.CaseSummary{Route: "local-llamacpp", Model: "smollm2-135m-instruct", Status: results.Measured, Answered: 8}}}}}
}

func TestTheSampleIsTheFileOfMLXBenchmark(t *testing.T) {
	s := madeUpSample()
	if raw, err := (measured{Part: "results", Result: s}).file(); err != nil || string(raw) != string(s.raw) {
		t.Errorf("%q, %v", raw, err)
	}
	for want, spoil := range map[string]func(*suiteSample){
		"are 200001 bytes":    func(s *suiteSample) { s.raw = make([]byte, maxSample+1) },
		"got no answer":       func(s *suiteSample) { s.file.Cases[0].Failed = 1 },
		"was not measured":    func(s *suiteSample) { s.file.Cases[0].Model = "another" },
		"engine was not meas": func(s *suiteSample) { s.file.Complete = false },
	} {
		s := madeUpSample()
		spoil(s)
		if err := s.failure(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestPartsAreReadable(t *testing.T) {
	var got bytes.Buffer
	for i, r := range madeUp() {
		m := measured{Part: parts()[i].name, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seconds: 61, Quick: i > 0, Result: r,
			Machine:  origin{Machine: machine.Machine{OS: "debian 12 linux/amd64", CPU: "Made-up CPU", CPUs: 2, Go: "go1.26", Load: 0.25}, Mlxbar: "mlxbar 0.1.0", Wrk: "wrk 4.1.0"},
			Warnings: map[bool][]string{true: {"other programs used 34 % of the CPUs just before: their part is in these figures"}}[i == 1]}
		m.print(&got, parts()[i].title)
		got.WriteString("\n")
		if raw, err := json.Marshal(m); err != nil || !json.Valid(raw) {
			t.Errorf("%s: %v", m.Part, err)
		}
		if err := r.failure(); err != nil {
			t.Errorf("%s: %v", m.Part, err)
		}
	}
	for line := range strings.Lines(got.String()) {
		if n := len(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	golden := filepath.Join("testdata", "parts.txt")
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

func TestNothingMeasuredIsAFailure(t *testing.T) {
	for _, empty := range []result{&comparison{Series: []*comparedSeries{{}}}, &growth{}, &hotspots{Spent: []*spending{{}}}, &advice{}, &enginesRun{}, &suiteSample{file: &results.File{Complete: true}}} {
		if empty.failure() == nil {
			t.Errorf("%T: nothing was measured, and all is well", empty)
		}
	}
}
