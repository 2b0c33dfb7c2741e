package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"mlxbar/backend/bench/results"
	"mlxbar/backend/datadir"
	"mlxbar/backend/testkit"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a machine without anybody else on it.
type desk struct {
	t   *testing.T
	env map[string]string
	dir string
}

type quiet struct{}

func (quiet) Others(context.Context) (float64, error) { return 0, nil }
func (quiet) OnBattery(context.Context) (bool, error) { return false, nil }

func newDesk(t *testing.T) *desk {
	dir := t.TempDir()
	t.Setenv(datadir.Env, filepath.Join(dir, "data folder"))
	return &desk{t: t, env: map[string]string{}, dir: dir}
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, name) }

func (d *desk) write(name, text string) string {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Dir(d.path(name)), 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return d.path(name)
}

type outcome struct {
	stdout, stderr string
	code           int
}

func (d *desk) run(args ...string) outcome {
	d.t.Helper()
	var stdout, stderr bytes.Buffer
	a := App{Out: &stdout, Err: &stderr, Getenv: func(name string) string { return d.env[name] }, Probe: quiet{}}
	code := a.Run(d.t.Context(), args)
	return outcome{stdout.String(), stderr.String(), code}
}

// good runs a command that must succeed, and gives what it printed.
func (d *desk) good(args ...string) string {
	d.t.Helper()
	o := d.run(args...)
	if o.code != 0 {
		d.t.Fatalf("%q: exit code %d: %s", args, o.code, o.stderr)
	}
	return o.stdout
}

// refused runs a command that must end with the code, nothing on stdout, and one line that says all of parts.
func (d *desk) refused(code int, args []string, parts ...string) {
	d.t.Helper()
	o := d.run(args...)
	if o.code != code || o.stdout != "" || !strings.HasPrefix(o.stderr, "mlx-benchmark: ") || strings.Count(o.stderr, "\n") != 1 {
		d.t.Errorf("%q: %+v, want exit code %d and one line on stderr", args, o, code)
	}
	for _, part := range parts {
		if !strings.Contains(o.stderr, part) {
			d.t.Errorf("%q: %q does not say %q", args, o.stderr, part)
		}
	}
}

// read gives the results out of a file, which is valid.
func (d *desk) read(path string) *results.File {
	d.t.Helper()
	f, err := results.Read(path)
	if err != nil {
		d.t.Fatal(err)
	}
	return f
}

func TestHelp(t *testing.T) {
	d := newDesk(t)
	root := (&App{}).root()
	n := 0
	for _, c := range append([]*cobra.Command{root}, root.Commands()...) {
		n++
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the summary %q is none, or ends in a full stop", c.CommandPath(), c.Short)
		}
		got := d.good(append(strings.Fields(c.CommandPath())[1:], "--help")...)
		golden := filepath.Join("testdata", "help-"+c.Name()+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s: %s", c.CommandPath(), diff)
		}
	}
	if n != 6 {
		t.Errorf("%d commands", n)
	}
	if d.good() != d.good("--help") {
		t.Error("without a command there is no help")
	}
	if got := d.good("version"); got != "mlx-benchmark 0.1.0-dev\n" {
		t.Errorf("%q", got)
	}
	if !json.Valid([]byte(d.good("schema"))) {
		t.Error("the schema is no JSON")
	}
}

func TestWhatIsWrongWithTheCommandLineIsSaidInASentence(t *testing.T) {
	d := newDesk(t)
	empty, text := d.write("empty.txt", "\n"), d.write("results.json", "{}")
	d.env["BLANK"] = " "
	for _, c := range []struct {
		args  string
		parts []string
	}{
		{"nope", []string{`"nope"`}},
		{"run nope", []string{`"nope"`}},
		{"run --nope", []string{"--nope"}},
		{"run --runs 0", []string{"--runs 0", "1 to 100000"}},
		{"run --runs -3", []string{"--runs -3", "1 to"}},
		{"run --runs many", []string{`"many"`, "--runs"}},
		{"run --warmup -1", []string{"--warmup -1", "0 to"}},
		{"run --max-tokens 0", []string{"--max-tokens 0", "1 to"}},
		{"run --concurrency 0", []string{"--concurrency 0", "1 to 1024"}},
		{"run --concurrency 2,0", []string{"--concurrency 0"}},
		{"run --concurrency x", []string{`"x"`, "--concurrency"}},
		{"run --concurrency 20 --runs 10", []string{"--concurrency 20", "--runs 20 or more"}},
		{"run --timeout 0s", []string{"--timeout", "15m"}},
		{"run --format xml", []string{`--format "xml"`, "table, json, csv, markdown"}},
		{"run --prompt " + d.path("none.txt"), []string{"--prompt", "none.txt", "no such file", "short, medium, long"}},
		{"run --prompt " + empty, []string{"--prompt", "an empty file"}},
		{"suite --prompt short," + empty, []string{"--prompt", "an empty file"}},
		{"suite --routes local,openai", []string{`--routes "local"`, "local-llamacpp"}},
		{"run --url 127.0.0.1:10242", []string{`--url "127.0.0.1:10242"`, "write http://127.0.0.1:10242"}},
		{"run --url localhost:1", []string{"--url", "write http://localhost:1"}},
		{"run --url ftp://localhost", []string{"--url", "http://127.0.0.1:10242"}},
		{"run --url http://", []string{"--url", "http://127.0.0.1:10242"}},
		{"run --url http://localhost/v1?key=secret", []string{"--url", "?"}},
		{"run --direct localhost:1", []string{`--direct "localhost:1"`}},
		{"run --direct-model m", []string{"--direct-model", "--direct"}},
		{"run --api-key-env NONE", []string{"--api-key-env NONE", "variable"}},
		{"run --api-key-env BLANK", []string{"--api-key-env BLANK", "empty"}},
		{"run --admin-token-env NONE", []string{"--admin-token-env NONE"}},
		{"run --label x", []string{"--label", "--save"}},
		{"run --save --label " + strings.Repeat("x", 81), []string{"--label", "80 characters"}},
		{"run --save --label a\x01b", []string{"--label", "control character"}},
		{"suite --progress dots", []string{`--progress "dots"`, "bar or json"}},
		{"run --output " + d.dir, []string{"--output", "no file"}},
		{"run --output " + d.path("no/such/folder/r.json"), []string{"--output", "no such file or directory"}},
		{"suite --runs 0 --output x.json", []string{"--runs 0"}},
		{"compare", []string{"two results files"}},
		{"compare a.json", []string{"two results files", "given 1"}},
		{"compare a.json b.json", []string{"a.json", "no such file"}},
		{"compare " + text + " " + text, []string{"results.json", `"format"`}},
		{"compare a b --threshold much", []string{`--threshold "much"`, "10%"}},
		{"compare a b --threshold -1%", []string{"--threshold", "0 to 1000"}},
		{"compare a b --threshold NaN", []string{"--threshold"}},
	} {
		d.refused(codeUsage, strings.Fields(c.args), c.parts...)
	}
	if entries, err := os.ReadDir(d.dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestServersThatCannotBeAsked(t *testing.T) {
	d := newDesk(t)
	closed := "http://" + testkit.Nobody(t)
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	locked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer locked.Close()
	none := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"data": []}`)) }))
	defer none.Close()
	for _, command := range []string{"run", "suite"} {
		d.refused(codeFailure, []string{command, "--url", closed}, "no server answers at "+closed, "mlxbar serve", "--url")
		d.refused(codeFailure, []string{command, "--url", page.URL}, "no server of OpenAI's protocol")
		d.refused(codeFailure, []string{command, "--url", locked.URL}, "--api-key-env")
	}
	d.refused(codeFailure, []string{"run", "--url", none.URL}, "has no model")
	d.refused(codeFailure, []string{"run", "--url", strings.Replace(closed, "//", "//me:sk-secret@", 1)}, "no server answers at "+closed)
}

func TestRun(t *testing.T) {
	d := newDesk(t)
	up := testkit.NewUpstream(t)
	ask := []string{"run", "--url", up.URL, "--model", "timings-6", "--runs", "4", "--concurrency", "2,1,2"}
	table := d.good(ask...)
	for _, want := range []string{"provider, timings-6, prompt short, 2 at a time", "first token, ms", "engine", "all 4 answered", "at a time  first, ms"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table does not say %q:\n%s", want, table)
		}
	}
	out := d.path("my results.json")
	if o := d.run(append(ask, "--format", "json", "--output", out)...); o.code != 0 || o.stdout != "" || o.stderr != "results written to "+out+"\n" {
		t.Errorf("%+v", o)
	}
	f := d.read(out)
	if f.Command != "run" || !f.Complete || len(f.Cases) != 2 || f.Cases[0].Concurrency != 1 || f.Cases[1].Concurrency != 2 || len(f.Cases[1].Samples) != 4 || f.Cases[0].Fingerprint != "fp_upstream" {
		t.Errorf("%+v", f)
	}
	if rows, err := csv.NewReader(strings.NewReader(d.good(append(ask, "--format", "csv")...))).ReadAll(); err != nil || len(rows) != 3 || rows[1][1] != "timings-6" {
		t.Errorf("%v, %v", rows, err)
	}
	if got := d.good(append(ask, "--format", "markdown", "--stream=false")...); !strings.Contains(got, "| provider | timings-6 | short | 2 |  |") {
		t.Errorf("%s", got)
	}
	if got := d.good("run", "--url", up.URL, "--model", "ok-3", "--direct", up.URL, "--direct-model", "ok-3", "--runs", "2"); !strings.Contains(got, "added to whole, ms") {
		t.Errorf("%s", got)
	}
	for _, word := range []string{"lighthouse", "marzipan"} {
		if raw, err := os.ReadFile(out); err != nil || strings.Contains(string(raw), word) {
			t.Errorf("the results hold %q of prompt or answer, %v", word, err)
		}
	}
}

func TestRunWithAWrongModel(t *testing.T) {
	d := newDesk(t)
	up := testkit.NewUpstream(t)
	d.refused(codeUsage, []string{"run", "--url", up.URL, "--model", "nobody"}, `--model "nobody"`, "no such model", "slow-first")
	d.refused(codeUsage, []string{"run", "--url", up.URL, "--model", "nobody", "--warmup", "0"}, `--model "nobody"`)
	d.refused(codeUsage, []string{"run", "--url", up.URL}, "--model", "slow-first")
	d.refused(codeUsage, []string{"suite", "--url", up.URL, "--model", "nobody"}, `--model "nobody"`)
}

func TestRequestsThatFailAreAFailure(t *testing.T) {
	d := newDesk(t)
	up := testkit.NewUpstream(t)
	o := d.run("run", "--url", up.URL, "--model", "cut", "--runs", "3", "--warmup", "0")
	if o.code != codeFailure || !strings.Contains(o.stdout, "0 answered, 3 failed") || !strings.Contains(o.stderr, "3 of 3 requests failed (3 cut)") {
		t.Errorf("%+v", o)
	}
	o = d.run("run", "--url", up.URL, "--model", "status-503")
	if o.code != codeFailure || !strings.Contains(o.stdout, "failed") || !strings.Contains(o.stderr, "status_503") {
		t.Errorf("%+v", o)
	}
}

func TestCompareEndsWithThreeOnARegression(t *testing.T) {
	d := newDesk(t)
	up := testkit.NewUpstream(t)
	fast, slow := d.path("fast.json"), d.path("slow.json")
	d.good("run", "--url", up.URL, "--model", "ok-4", "--runs", "5", "--format", "json", "-o", fast)
	f := d.read(fast)
	for _, e := range []*float64{&f.Cases[0].Total.P50.Value, &f.Cases[0].Total.P50.Low, &f.Cases[0].Total.P50.High} {
		*e *= 1.5
	}
	raw, err := f.JSON()
	if err != nil {
		t.Fatal(err)
	}
	d.write("slow.json", string(raw))
	if got := d.good("compare", fast, fast); !strings.Contains(got, "Nothing is worse by more than 10 %") {
		t.Errorf("%s", got)
	}
	if got := d.good("compare", fast, slow, "--threshold", "60"); !strings.Contains(got, "+50.0%") {
		t.Errorf("%s", got)
	}
	d.good("compare", slow, fast, "--threshold", "5%")
	if o := d.run("compare", fast, slow, "--threshold", "40 %"); o.code != codeRegression || !strings.Contains(o.stdout, "REGRESSION") || !strings.Contains(o.stderr, "regression") {
		t.Errorf("%+v", o)
	}
	f.Version = 2
	if raw, err = f.JSON(); err != nil {
		t.Fatal(err)
	}
	d.refused(codeUsage, []string{"compare", fast, d.write("later.json", string(raw))}, "later.json", "version 2")
	d.refused(codeUsage, []string{"compare", d.write("broken.json", string(raw[:300])), fast}, "broken.json", "cut off")
}
