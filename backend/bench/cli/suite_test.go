package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mlxbar/backend/bench/results"
	"mlxbar/backend/bench/workload"
	"mlxbar/backend/testkit"
)

// gateway stands for an mlxbar in front of a scripted upstream: its admin API tells what a suite asks for.
type gateway struct {
	*httptest.Server
	asked atomic.Int64
	dies  int64               // at that request; 0: never
	at    func(request int64) // called before each is answered; nil: nothing

	requires string // this key under /v1; "": none
	mu       sync.Mutex
	given    map[string]bool // the methods and keys of requests under /v1

	kept   []keptFile
	old    bool   // keeps nothing
	refuse string // why it keeps nothing, as a problem's detail
}

// keyed holds what is under /v1 to the key that is required.
func (g *gateway) keyed(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		g.mu.Lock()
		g.given[r.Method+" "+key] = true
		g.mu.Unlock()
		if g.requires != "" && key != g.requires {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		serve(w, r)
	}
}

// keys gives what was brought since it was called last.
func (g *gateway) keys() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	keys := slices.Sorted(maps.Keys(g.given))
	clear(g.given)
	return keys
}

// keptFile is what the gateway was told to keep.
type keptFile struct{ label, agent, raw string }

// keep serves /api/benchmarks.
func (g *gateway) keep(w http.ResponseWriter, r *http.Request) {
	switch {
	case g.old:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
		fmt.Fprint(w, `{"runs": [], "job": null}`)
	case g.refuse != "":
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, `{"detail": %q}`, g.refuse)
	default:
		raw, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		g.kept = append(g.kept, keptFile{r.URL.Query().Get("label"), r.Header.Get("User-Agent"), string(raw)})
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"id": %d}`, 40+len(g.kept))
	}
}

func newGateway(t *testing.T, token string) *gateway {
	t.Helper()
	up, err := url.Parse(strings.TrimSuffix(testkit.NewUpstream(t).URL, "/v1"))
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{given: map[string]bool{}}
	proxy := httputil.NewSingleHostReverseProxy(up)
	transport := &http.Transport{}
	proxy.Transport = transport
	mux := http.NewServeMux()
	guarded := func(path string, serve http.HandlerFunc) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+token {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			serve(w, r)
		})
	}
	admin := func(path, answer string) {
		guarded("GET "+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
	}
	guarded("/api/benchmarks", g.keep)
	admin("/api/status", `{"version": "9.9.9", "data_dir": "/nowhere"}`)
	admin("/api/models", `{"models": [{"name": "ok-3", "engine": "llamacpp"}]}`)
	admin("/api/settings", `{"providers": [{"name": "far", "kind": "openai", "base_url": "http://far.example/v1"}],
		"routes": [{"model": "ok-4", "targets": [{"provider": "far"}]}], "engines": {"llamacpp": {"parallel": 4}}}`)
	mux.HandleFunc("GET /v1/models", g.keyed(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data": [{"id": "ok-3", "owned_by": "mlxbar"}, {"id": "ok-4", "owned_by": "far"}]}`)
	}))
	mux.HandleFunc("POST /v1/", g.keyed(func(w http.ResponseWriter, r *http.Request) {
		n := g.asked.Add(1)
		if g.at != nil {
			g.at(n)
		}
		if n == g.dies {
			g.Listener.Close() // no new connections; this one is cut
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Connection", "close")
		proxy.ServeHTTP(w, r)
	}))
	g.Server = httptest.NewServer(mux)
	t.Cleanup(func() { g.Close(); transport.CloseIdleConnections() })
	return g
}

// running writes what a server on the data folder leaves there.
func (d *desk) running(g *gateway, token string) {
	d.t.Helper()
	info, err := json.Marshal(map[string]any{"url": g.URL})
	if err != nil {
		d.t.Fatal(err)
	}
	d.write("data folder/run/server.json", string(info))
	d.write("data folder/run/admin.token", token+"\n")
}

var small = []string{"--runs", "2", "--prompt", "short,medium,short", "--concurrency", "1,2"}

func TestSuiteMeasuresWhatIsSetUpAndSaysWhyNotTheRest(t *testing.T) {
	d := newDesk(t)
	g := newGateway(t, "token")
	d.running(g, "token")
	out := d.path("results.json")
	table := d.good(append([]string{"suite", "--output", out}, small...)...)
	f := d.read(out)
	if !f.Complete || f.BrokenOff != "" || f.Server.Version != "9.9.9" || f.Server.URL != g.URL || !strings.Contains(string(f.Server.Engines), "parallel") {
		t.Errorf("%+v", f)
	}
	var got []string
	for _, c := range f.Cases {
		got = append(got, fmt.Sprintf("%s %s %s %d %s", c.Route, c.Model, c.Prompt.Name, c.Concurrency, c.Status))
		if (c.Reason == "") != (c.Status == results.Measured) {
			t.Errorf("%s: reason %q", c.Route, c.Reason)
		}
		if c.Status == results.Measured && (c.Answered != 2 || !strings.Contains(table, c.Route+", "+c.Model)) {
			t.Errorf("%+v", c)
		}
	}
	want := "local-llamacpp ok-3 short 1 measured,local-llamacpp ok-3 short 2 measured,local-llamacpp ok-3 medium 1 measured,local-llamacpp ok-3 medium 2 measured," +
		"local-mlx   0 skipped,openai ok-4 short 1 measured,openai ok-4 short 2 measured,openai ok-4 medium 1 measured,openai ok-4 medium 2 measured,anthropic   0 skipped,failover   0 skipped"
	if strings.Join(got, ",") != want {
		t.Errorf("cases %q", got)
	}
	if n := strings.Count(table, "skipped "); n != 3 {
		t.Errorf("%d skipped in the table:\n%s", n, table)
	}
	d.good("compare", out, out)
}

func TestTheTokenGoesToItsOwnServerOnly(t *testing.T) {
	d := newDesk(t)
	g, other := newGateway(t, "token"), newGateway(t, "token")
	d.running(g, "token")
	if got := d.good("run", "--model", "ok-3", "--runs", "1"); !strings.Contains(got, "local-llamacpp, ok-3") {
		t.Errorf("%s", got)
	}
	if got := d.good("run", "--model", "ok-3", "--runs", "1", "--url", other.URL); !strings.Contains(got, "local, ok-3") {
		t.Errorf("another server was given the token:\n%s", got)
	}
	d.env["TOKEN"], d.env["OLD"] = "token", "old"
	if got := d.good("run", "--model", "ok-3", "--runs", "1", "--url", other.URL+"/v1/", "--admin-token-env", "TOKEN"); !strings.Contains(got, "local-llamacpp, ok-3") {
		t.Errorf("%s", got)
	}
	d.refused(codeUsage, []string{"run", "--admin-token-env", "OLD"}, "--admin-token-env OLD", "run/admin.token")
	d.refused(codeUsage, []string{"run", "--model", "nobody"}, `--model "nobody"`, "ok-3, ok-4")
	d.running(g, "left behind")
	if got := d.good("run", "--model", "ok-3", "--runs", "1"); !strings.Contains(got, "local, ok-3") {
		t.Errorf("with a token that no longer holds:\n%s", got)
	}
}

func TestAServerThatRequiresAKeyIsAskedWithItsOwnToken(t *testing.T) {
	d := newDesk(t)
	g, other := newGateway(t, "token"), newGateway(t, "token")
	d.running(g, "token")
	g.requires, other.requires = "token", "token"
	ask := []string{"run", "--model", "ok-3", "--runs", "1"}
	if got := d.good(ask...); !strings.Contains(got, "local-llamacpp, ok-3") || !slices.Equal(g.keys(), []string{"GET token", "POST token"}) {
		t.Errorf("%s", got)
	}
	d.refused(codeFailure, append(ask, "--url", other.URL), "wants a key", "--api-key-env")
	d.env["TOKEN"], d.env["KEY"], d.env["OLD"] = "token", "key", "old"
	d.refused(codeFailure, append(ask, "--url", other.URL, "--admin-token-env", "TOKEN"), "wants a key", "--api-key-env")
	if keys := other.keys(); !slices.Equal(keys, []string{"GET "}) {
		t.Errorf("another server was given %q", keys)
	}
	other.requires = ""
	d.good(append(ask, "--direct", other.URL)...)
	if keys := other.keys(); !slices.Equal(keys, []string{"POST "}) {
		t.Errorf("the server of --direct was given %q", keys)
	}
	g.keys()
	g.requires = "key"
	d.good(append(ask, "--api-key-env", "KEY")...)
	if keys := g.keys(); !slices.Equal(keys, []string{"GET key", "POST key"}) {
		t.Errorf("instead of the key that was named, %q", keys)
	}
	d.refused(codeUsage, append(ask, "--admin-token-env", "OLD"), "--admin-token-env OLD", "refuses that token")

	g.keys()
	g.requires = ""
	d.running(g, "left behind")
	d.good(ask...)
	if keys := g.keys(); !slices.Equal(keys, []string{"GET ", "GET left behind", "POST "}) {
		t.Errorf("%q", keys)
	}
	g.requires = "key"
	d.refused(codeFailure, ask, "wants a key", "--api-key-env")
	d.good(append(ask, "--api-key-env", "KEY")...)
}

func TestLocalhostWithTheOwnServersPortIsTheOwnServer(t *testing.T) {
	d := newDesk(t)
	g, other := newGateway(t, "token"), newGateway(t, "token")
	d.running(g, "token")
	g.requires = "token"
	local := func(g *gateway) string { return strings.Replace(g.URL, "127.0.0.1", "localhost", 1) }
	for _, address := range []string{local(g), local(g) + "/v1/", strings.ToUpper(local(g)), g.URL} {
		if got := d.good("run", "--model", "ok-3", "--runs", "1", "--url", address); !strings.Contains(got, "local-llamacpp, ok-3") {
			t.Errorf("%s:\n%s", address, got)
		}
	}
	if got := d.good("run", "--model", "ok-3", "--runs", "1", "--url", local(other)); !strings.Contains(got, "local, ok-3") || slices.Contains(other.keys(), "GET token") {
		t.Errorf("another server was taken for the own:\n%s", got)
	}
}

func TestASuiteWithNothingSetUpIsAFailure(t *testing.T) {
	d := newDesk(t)
	d.running(newGateway(t, "token"), "token")
	o := d.run("suite", "--routes", "local-mlx,failover")
	if o.code != codeFailure || !strings.Contains(o.stderr, "nothing was measured") || strings.Count(o.stdout, "skipped ") != 2 {
		t.Errorf("%+v", o)
	}
}

func TestBrokenOffBeforeTheFirstRequest(t *testing.T) {
	d := newDesk(t)
	d.running(newGateway(t, "token"), "token")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	a := App{Out: &stdout, Err: &stderr, Getenv: func(string) string { return "" }, Probe: quiet{}}
	if code := a.Run(ctx, []string{"run", "--model", "ok-3"}); code != codeFailure || stdout.Len() > 0 || stderr.String() != "mlx-benchmark: broken off before anything was measured\n" {
		t.Errorf("%d, %q, %q", code, &stdout, &stderr)
	}
}

func TestASuiteWhoseServerDiesKeepsWhatItMeasured(t *testing.T) {
	d := newDesk(t)
	g := newGateway(t, "token")
	g.dies = 5 // warm-up and two requests of the first case, warm-up and first request of the second
	d.running(g, "token")
	out := d.path("results.json")
	o := d.run("suite", "--output", out, "--runs", "2", "--prompt", "short,medium", "--concurrency", "1")
	if o.code != codeFailure || !strings.Contains(o.stderr, "the server stopped answering") || !strings.Contains(o.stdout, "not run") || !strings.Contains(o.stdout, "Broken off") {
		t.Errorf("%+v", o)
	}
	f := d.read(out)
	if f.Complete || f.BrokenOff != "the server stopped answering" || f.Cases[0].Status != results.Measured || f.Cases[0].Answered != 2 || f.Cases[1].Status != results.BrokenOff {
		t.Errorf("%+v", f)
	}
	for _, c := range f.Cases[2:] {
		if c.Status != results.NotRun && c.Status != results.Skipped || c.Reason == "" {
			t.Errorf("%+v", c)
		}
	}
}

func TestASuiteWhoseFolderGoesIsMeasuredPrintedAndKeptAllTheSame(t *testing.T) {
	for back, want := range map[int64]int{0: codeFailure, 8: 0} { // the folder is there again at that request; 0: never
		d := newDesk(t)
		g := newGateway(t, "token")
		d.running(g, "token")
		folder := filepath.Dir(d.write("out/empty", ""))
		var faults []error
		g.at = func(n int64) {
			switch n {
			case 2:
				faults = append(faults, os.RemoveAll(folder))
			case back:
				faults = append(faults, os.Mkdir(folder, 0o700))
			}
		}
		out := filepath.Join(folder, "results.json")
		o := d.run("suite", "--output", out, "--runs", "2", "--prompt", "short", "--concurrency", "1,2", "--save")
		if err := errors.Join(faults...); err != nil {
			t.Fatal(err)
		}
		if o.code != want || !strings.Contains(o.stdout, "openai, ok-4") || strings.Count(o.stderr, "warning: write the results") != 1 {
			t.Errorf("%+v", o)
		}
		if _, f := d.lastKept(g); !f.Complete || g.asked.Load() != 12 {
			t.Errorf("%d requests, %+v", g.asked.Load(), f)
		}
		switch said := strings.Contains(o.stderr, "results written to "+out); {
		case back == 0 && (said || !strings.Contains(o.stderr, "\nmlx-benchmark: write the results: ") || !strings.Contains(o.stderr, "no such file")):
			t.Errorf("%s", o.stderr)
		case back > 0 && (!said || !d.read(out).Complete):
			t.Errorf("%s", o.stderr)
		}
	}
}

func TestARunWhoseFolderGoesPrintsWhatItMeasured(t *testing.T) {
	for format, shows := range map[string]string{"table": "all 2 answered", "json": `"complete": true`} {
		d := newDesk(t)
		g := newGateway(t, "token")
		d.running(g, "token")
		folder := filepath.Dir(d.write("out/empty", ""))
		var fault error
		g.at = func(n int64) {
			if n == 2 {
				fault = os.RemoveAll(folder)
			}
		}
		o := d.run("run", "--model", "ok-3", "--runs", "2", "--format", format, "--output", filepath.Join(folder, "results"))
		if fault != nil {
			t.Fatal(fault)
		}
		if o.code != codeFailure || !strings.Contains(o.stdout, shows) || strings.Contains(o.stderr, "results written") ||
			!strings.HasPrefix(o.stderr, "mlx-benchmark: write the results: ") || !strings.Contains(o.stderr, "no such file") {
			t.Errorf("%s: %+v", format, o)
		}
	}
}

func TestTheBarFitsALineAndGoesAway(t *testing.T) {
	var out bytes.Buffer
	b := newBar(&out, true)
	b.start(3)
	b.label(workload.Spec{Route: "local-llamacpp", Model: strings.Repeat("long-", 30), Concurrency: 1})
	for range 3 {
		b.drawn = time.Time{} // as if a while had passed
		b.step()
	}
	b.say("hello")
	b.stop()
	b.step()
	for _, line := range strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\r' || r == '\n' }) {
		if shown := strings.TrimSuffix(line, "\x1b[K"); len(shown) > barMost {
			t.Errorf("a line of %d columns: %q", len(shown), shown)
		}
	}
	if !strings.Contains(out.String(), "[####################] 3/3  local-llamacpp") || !strings.HasSuffix(out.String(), "mlx-benchmark: hello\n\r\x1b[K") {
		t.Errorf("%q", out.String())
	}
	out.Reset()
	silent := newBar(&out, false)
	silent.start(1)
	silent.step()
	silent.stop()
	if out.Len() != 0 {
		t.Errorf("where there is no terminal: %q", out.String())
	}
}

func TestABusyMachineIsSaidAtTheStartAndInTheResults(t *testing.T) {
	d := newDesk(t)
	up := testkit.NewUpstream(t)
	var stdout, stderr bytes.Buffer
	a := App{Out: &stdout, Err: &stderr, Getenv: func(string) string { return "" }, Probe: busy{}}
	if code := a.Run(t.Context(), []string{"run", "--url", up.URL, "--model", "ok-1", "--runs", "1", "--format", "json", "-o", d.path("r.json")}); code != 0 {
		t.Fatalf("%s", &stderr)
	}
	if f := d.read(d.path("r.json")); len(f.Warnings) != 2 || strings.Count(stderr.String(), "warning: ") != 2 {
		t.Errorf("%q, %s", f.Warnings, &stderr)
	}
}

type busy struct{}

func (busy) Others(context.Context) (float64, error) { return 1, nil }
func (busy) OnBattery(context.Context) (bool, error) { return true, nil }
