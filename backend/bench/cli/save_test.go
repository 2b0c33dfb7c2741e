package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/bench/results"
	"mlxbar/backend/testkit"
)

// lastKept gives the results that the gateway was told to keep last.
func (d *desk) lastKept(g *gateway) (keptFile, *results.File) {
	d.t.Helper()
	if len(g.kept) == 0 {
		d.t.Fatal("nothing was kept")
	}
	last := g.kept[len(g.kept)-1]
	f, err := results.Parse([]byte(last.raw))
	if err != nil {
		d.t.Fatal(err)
	}
	return last, f
}

func TestSaveHasTheServerKeepTheResults(t *testing.T) {
	d := newDesk(t)
	g := newGateway(t, "token")
	d.running(g, "token")
	for _, command := range []string{"run", "suite"} {
		o := d.run(command, "--model", "ok-3", "--runs", "2", "--prompt", "short", "--concurrency", "1", "--save", "--label", "before & after")
		if o.code != 0 || !strings.Contains(o.stderr, "results kept by mlxbar, as benchmark 4") || !strings.Contains(o.stdout, "local-llamacpp, ok-3") {
			t.Errorf("%+v", o)
		}
		kept, f := d.lastKept(g)
		if kept.label != "before & after" || kept.agent != "mlx-benchmark/"+Version || f.Command != command || !f.Complete || len(f.Cases[0].Samples) != 2 {
			t.Errorf("%+v", f)
		}
		for _, word := range []string{"lighthouse", "marzipan", "token\n"} {
			if strings.Contains(kept.raw, word) {
				t.Errorf("%s: the kept results hold %q", command, word)
			}
		}
	}
	if len(g.kept) != 2 {
		t.Errorf("%d were kept", len(g.kept))
	}
}

func TestOfAPromptOutOfAFileOnlyTheNameIsKept(t *testing.T) {
	d := newDesk(t)
	g := newGateway(t, "token")
	d.running(g, "token")
	secret := d.write("my secret.txt", "the canary of the prompt's file")
	d.good("run", "--model", "ok-3", "--runs", "1", "--prompt", secret, "--save")
	if kept, f := d.lastKept(g); f.Cases[0].Prompt.Name != "my secret.txt" || strings.Contains(kept.raw, "canary") || strings.Contains(kept.raw, d.dir) {
		t.Errorf("%s", kept.raw)
	}
}

func TestSaveIsRefusedBeforeAnythingIsMeasured(t *testing.T) {
	d := newDesk(t)
	g := newGateway(t, "token")
	ask := []string{"run", "--model", "ok-3", "--save", "--url", g.URL}
	d.refused(codeUsage, ask, "--save", "admin token", "--data-dir", "--admin-token-env")
	d.refused(codeUsage, []string{"suite", "--save", "--url", testkit.NewUpstream(t).URL}, "--save", "admin token")
	d.env["TOKEN"] = "token"
	g.old = true
	d.refused(codeUsage, append(ask, "--admin-token-env", "TOKEN"), "--save", "older than this program")
	if n := g.asked.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestWhatCouldNotBeKeptIsShownAllTheSame(t *testing.T) {
	d := newDesk(t)
	g := newGateway(t, "token")
	d.running(g, "token")
	g.refuse = "The disk is full."
	o := d.run("run", "--model", "ok-3", "--runs", "2", "--save")
	if o.code != codeFailure || !strings.Contains(o.stdout, "all 2 answered") || !strings.Contains(o.stderr, "--save: the server at "+g.URL+" did not keep the results: The disk is full. (500)") {
		t.Errorf("%+v", o)
	}
}

func TestNothingIsKeptWhereNothingWasMeasured(t *testing.T) {
	d := newDesk(t)
	g := newGateway(t, "token")
	d.running(g, "token")
	o := d.run("suite", "--routes", "local-mlx,failover", "--save")
	if o.code != codeFailure || !strings.Contains(o.stderr, "nothing was measured") || len(g.kept) != 0 {
		t.Errorf("%+v, kept %d", o, len(g.kept))
	}
}

// told are the lines of --progress json.
func told(t *testing.T, stderr string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(stderr) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, l)
	}
	return all
}

func TestProgressForPrograms(t *testing.T) {
	d := newDesk(t)
	g := newGateway(t, "token")
	d.running(g, "token")
	o := d.run("run", "--model", "ok-3", "--runs", "3", "--concurrency", "1,3", "--save", "--progress", "json", "--output", d.path("r.txt"))
	all := told(t, o.stderr)
	var whats []string
	done := 0.0
	for _, l := range all {
		if n, ok := l["done"].(float64); ok {
			if n < done || l["total"] != 8.0 { // two cases of three and a warm-up
				t.Errorf("%v after %v", l, done)
			}
			done = n
			whats = append(whats, l["what"].(string))
		}
	}
	want := []string{"", "local-llamacpp ok-3, short, 1 at a time", "local-llamacpp ok-3, short, 3 at a time"}
	if o.code != 0 || done != 8 || !slices.Equal(slices.Compact(whats), want) {
		t.Errorf("%+v: %v requests, cases %q", o, done, whats)
	}
	n := len(all)
	if all[n-2]["saved"] != 41.0 || !strings.Contains(all[n-1]["message"].(string), "results written to") {
		t.Errorf("at the end %v", all[n-2:])
	}

	o = d.run("run", "--model", "nobody", "--progress", "json")
	if all := told(t, o.stderr); o.code != codeUsage || len(all) != 1 || !strings.Contains(all[0]["error"].(string), `--model "nobody"`) {
		t.Errorf("%+v", o)
	}
	o = d.run("run", "--runs", "0", "--progress", "json")
	if all := told(t, o.stderr); o.code != codeUsage || len(all) != 1 || !strings.Contains(all[0]["error"].(string), "--runs 0") {
		t.Errorf("%+v", o)
	}
}

func TestARunEndsWithItsStdinAndIsKept(t *testing.T) {
	d := newDesk(t)
	g := newGateway(t, "token")
	d.running(g, "token")
	stdin, closeStdin := io.Pipe()
	var stdout, stderr bytes.Buffer
	a := App{In: stdin, Out: &stdout, Err: &stderr, Getenv: func(string) string { return "" }, Probe: quiet{}}
	ended := make(chan int, 1)
	go func() {
		ended <- a.Run(context.Background(), []string{"run", "--model", "ok-3", "--runs", "100000", "--save", "--until-stdin"})
	}()
	for ; g.asked.Load() < 5; time.Sleep(5 * time.Millisecond) {
		select {
		case code := <-ended:
			t.Fatalf("it ended with %d: %s", code, &stderr)
		default:
		}
	}
	closeStdin.Close()
	if code := testkit.Receive(t, ended); code != codeFailure || !strings.Contains(stderr.String(), "the run was stopped; what was measured until then is kept") {
		t.Errorf("%d: %s", code, &stderr)
	}
	if _, f := d.lastKept(g); f.Complete || f.BrokenOff != "the run was stopped" || f.Cases[0].Status != results.BrokenOff || f.Cases[0].Answered < 3 {
		t.Errorf("%+v", f)
	}
}
