package results

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"mlxbar/backend/bench"
	"mlxbar/backend/bench/machine"
)

var update = flag.Bool("update", false, "write the golden files anew")

// streamed is an answer whose tokens come every gap ms after the first.
func streamed(first, gap float64, tokens int) Sample {
	s := Sample{FirstMS: first, LastMS: first, Counted: true, PromptTokens: 40, CachedTokens: 10, Tokens: tokens, Events: tokens}
	for range tokens - 1 {
		s.GapsMS = append(s.GapsMS, gap)
		s.LastMS += gap
	}
	s.TotalMS = s.LastMS + 1
	return s
}

// measured is a run with made-up answers.
func measured() *File {
	f := &File{Format: Format, Version: Version, Tool: "1.2.3", Command: "run", StartedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		EndedAt: time.Date(2026, 1, 2, 3, 5, 5, 0, time.UTC), Complete: true,
		Machine:  machine.Machine{OS: "debian 12 linux/amd64", CPU: "Made-up CPU", CPUs: 2, Memory: 16e9, Go: "go1.26", Load: 0.25},
		Server:   Server{URL: "http://127.0.0.1:10242", Version: "0.1.0", Engines: json.RawMessage(`{"llamacpp":{"parallel":4}}`)},
		Settings: Settings{Runs: 5, Warmup: 1, MaxTokens: 64, Stream: true, TimeoutS: 900, Seed: 1},
		Warnings: []string{"the machine runs on its battery, which may slow it down: plug it in and measure again"}}
	for _, n := range []int{1, 4} {
		c := Case{CaseSummary: CaseSummary{Route: "local-llamacpp", Model: "smollm2-135m-instruct", Provider: "mlxbar", Prompt: Prompt{"short", 45}, Concurrency: n,
			Status: Measured, Errors: []Error{}, Seconds: 4 / float64(n), IgnoreEOS: true, ModelSHA256: strings.Repeat("ab", 32)}}
		for i := range 5 {
			s := streamed(20+float64(i*n), 8+float64(i)/4, 64)
			s.AtMS = float64(i) * 800
			s.Engine = &bench.EngineTimes{CacheN: 10, PromptN: 30, PromptMS: 15 + float64(i), PredictedN: 64, PredictedMS: 500 + 10*float64(i)}
			s.Direct = &Direct{TotalMS: s.TotalMS - 0.5 - float64(i)/10, FirstMS: s.FirstMS - 0.25}
			c.Samples = append(c.Samples, s)
		}
		if n == 4 {
			c.Samples = append(c.Samples, Sample{AtMS: 4000, Error: "status_503"})
			c.Count(&bench.Failure{Kind: "status_503", Detail: "The model cannot be loaded: the memory is too small for it and for what else runs."})
		}
		c.Sum(1)
		f.Cases = append(f.Cases, c)
	}
	return f
}

func suite() *File {
	f := measured()
	f.Command, f.Complete, f.BrokenOff, f.Warnings = "suite", false, "the server stopped answering", []string{}
	whole := Case{CaseSummary: CaseSummary{Route: "openai", Model: "a-model-whose-name-is-so-long-that-it-fills-the-line-and-is-cut-off-before-its-end", Provider: "far",
		Prompt: Prompt{"medium", 2000}, Concurrency: 1, Status: Measured, Seconds: 2}, Samples: []Sample{{TotalMS: 2000, Counted: true, PromptTokens: 400, Tokens: 20}}}
	whole.Sum(1)
	f.Cases = append(f.Cases, whole,
		Case{CaseSummary: CaseSummary{Route: "local-mlx", Status: Skipped, Reason: "the server has no model that runs on MLX"}},
		Case{CaseSummary: CaseSummary{Route: "failover", Model: "gpt", Prompt: Prompt{"long", 8000}, Concurrency: 1, Status: NotRun, Reason: "the server stopped answering"}})
	return f
}

func golden(t *testing.T, name string, write func(io.Writer) error) string {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
	return got.String()
}

func TestTablesFitEightyColumns(t *testing.T) {
	slower := measured()
	slower.Cases[0].Total.P50 = bench.Estimate{Value: 900, Low: 890, High: 910}
	slower.Cases[0].Writing.P50.Value *= 1.3
	comparison, err := Compare(measured(), slower, 10)
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(io.Writer) error{
		"run.txt": measured().Table, "suite.txt": suite().Table, "compare.txt": comparison.Table,
	} {
		for line := range strings.Lines(golden(t, name, write)) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width || strings.HasSuffix(line, " \n") {
				t.Errorf("%s: a line of %d columns, or with blanks at its end: %q", name, n, line)
			}
		}
	}
}

func TestFormats(t *testing.T) {
	golden(t, "suite.csv", suite().CSV)
	golden(t, "suite.md", suite().Markdown)
}

func TestSum(t *testing.T) {
	c := measured().Cases[0]
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	near("first token", c.FirstToken.P50.Value, 22)
	near("between tokens", c.InterToken.P50.Value, 8.5)
	near("between tokens, p99", c.InterToken.P99.Value, 9)
	near("between tokens, n", float64(c.InterToken.N), 5*63)
	near("whole answer", c.Total.P50.Value, 22+63*8.5+1)
	near("prompt", c.Reading.P50.Value, 30*1000/17.0)
	near("generation", c.Writing.P50.Value, 64*1000/520.0)
	near("answers per second", c.Throughput.AnswersPerSecond, 5/4.0)
	near("tokens per second", c.Throughput.TokensPerSecond, 5*64/4.0)
	near("added", c.Overhead.Total.P50.Value, 0.7)
	near("added to the first token", c.Overhead.FirstToken.P50.Value, 0.25)
	if c.Tokens != (Tokens{Prompt: 200, Cached: 50, Completion: 320}) || c.Reading.Source != ByEngine || c.Answered != 5 || c.Failed != 0 {
		t.Errorf("%+v", c)
	}
}

func TestRatesSayWhereTheyAreFrom(t *testing.T) {
	byUsage := streamed(30, 10, 11)
	byEvents := byUsage
	byEvents.Counted, byEvents.Tokens, byEvents.PromptTokens, byEvents.CachedTokens = false, 0, 0, 0
	byEngine := byUsage
	byEngine.Engine = &bench.EngineTimes{PromptN: 1, PromptMS: 5, PredictedN: 11, PredictedMS: 55}
	whole := Sample{TotalMS: 100, Counted: true, Tokens: 10, PromptTokens: 10}
	for _, c := range []struct {
		name             string
		samples          []Sample
		source           string
		reading, writing float64 // 0: none
	}{
		{"usage", []Sample{byUsage}, ByUsage, 1000, 100},
		{"events", []Sample{byEvents}, ByEvents, 0, 100},
		{"a prompt that was in the cache", []Sample{byEngine}, ByEngine, 0, 200},
		{"one answer without the engine's times", []Sample{byEngine, byUsage}, ByUsage, 1000, 100},
		{"one answer without a usage", []Sample{byUsage, byEvents}, ByEvents, 0, 100},
		{"in one piece", []Sample{whole}, ByUsage, 0, 0},
		{"a failure beside", []Sample{byUsage, {Error: bench.Cut}}, ByUsage, 1000, 100},
		{"failures only", []Sample{{Error: bench.Cut}}, "", 0, 0},
	} {
		x := Case{CaseSummary: CaseSummary{Status: Measured, Seconds: 1}, Samples: c.samples}
		x.Sum(1)
		for want, r := range map[float64]*Rate{c.reading: x.Reading, c.writing: x.Writing} {
			if (r != nil) != (want > 0) || r != nil && (r.Source != c.source || math.Abs(r.P50.Value-want) > 1e-9) {
				t.Errorf("%s: %+v, want %v by %s", c.name, r, want, c.source)
			}
		}
		if (x.Status == Failed) != (c.source == "") {
			t.Errorf("%s: status %s", c.name, x.Status)
		}
	}
}

func TestResultsFollowTheSchema(t *testing.T) {
	for name, f := range map[string]*File{"run": measured(), "suite": suite()} {
		raw, err := f.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := Validate(raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		path := filepath.Join(t.TempDir(), "my results.json")
		if err := Write(path, raw); err != nil {
			t.Fatal(err)
		}
		back, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		again, err := back.JSON()
		if err != nil || !bytes.Equal(raw, again) {
			t.Errorf("%s: what was read is not what was written: %v", name, err)
		}
	}
}

func TestTheSchemaHoldsEveryMember(t *testing.T) {
	raw, err := measured().JSON()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(raw)) { // each member in turn is renamed
		name, _, found := strings.Cut(strings.TrimLeft(line, ` `), `":`)
		if !found || strings.Contains(line, "parallel") || strings.Contains(line, `"llamacpp"`) {
			continue
		}
		n++
		if n%29 != 0 && n > 80 { // samples repeat themselves
			continue
		}
		spoilt := strings.Replace(string(raw), line, strings.Replace(line, name, name+"x", 1), 1)
		if Validate([]byte(spoilt)) == nil {
			t.Fatalf("with %sx instead of %s the file still is valid", name, name)
		}
	}
	if n < 100 {
		t.Errorf("only %d members", n)
	}
}

func TestReadSaysWhatIsWrongWithAFile(t *testing.T) {
	whole, err := measured().JSON()
	if err != nil {
		t.Fatal(err)
	}
	swap := func(old, new string) string {
		if !strings.Contains(string(whole), old) {
			t.Fatalf("no %s in the results", old)
		}
		return strings.Replace(string(whole), old, new, 1)
	}
	for _, c := range []struct{ name, text, says string }{
		{"empty", "", "cut off"},
		{"cut off", string(whole[:len(whole)/2]), "cut off"},
		{"no JSON", "hello", "no JSON"},
		{"other JSON", `{"a": 1}`, `"format" is not "mlx-benchmark"`},
		{"a list", `[]`, "broken"},
		{"a later version", swap(`"version": 1`, `"version": 2`), "is of version 2, and this mlx-benchmark reads version 1"},
		{"no version", swap(`"version": 1,`, ``), "is of an unknown version"},
		{"a wrong type", swap(`"concurrency": 1`, `"concurrency": "one"`), "at /cases/0/concurrency"},
		{"a wrong status", swap(`"status": "measured"`, `"status": "fine"`), "at /cases/0/status"},
		{"a missing member", swap(`"complete": true,`, ``), "at /: missing property 'complete'"},
		{"an unknown member", swap(`"complete": true,`, `"complete": true, "more": 1,`), "'more'"},
	} {
		path := filepath.Join(t.TempDir(), "r.json")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one sentence with the file and %q", c.name, err, c.says)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none.json")); err == nil || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestNumbersHaveThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.01234: "0.012", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 12345.6: "12346", 7: "7.00", -1.234: "-1.23"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestAddressesLoseTheirSecrets(t *testing.T) {
	if got := CleanURL("https://me:sk-secret@host:1/v1?key=x#y"); got != "https://host:1/v1" {
		t.Errorf("%q", got)
	}
}
