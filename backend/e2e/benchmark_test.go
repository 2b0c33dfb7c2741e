package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/shirou/gopsutil/v4/process"

	"mlxbar/backend/admin"
	"mlxbar/backend/bench/job"
	"mlxbar/backend/bench/results"
	"mlxbar/backend/testkit/canary"
)

// benchmarkOf stands on the command line of the benchmark that the server runs.
func benchmarkOf(h *house) string { return "--data-dir=" + h.paths.Root }

// benchmark is the process of that benchmark.
func (h *house) benchmark() *process.Process {
	h.t.Helper()
	for _, pid := range h.children() {
		p, err := process.NewProcess(pid)
		if err != nil {
			continue // it has ended meanwhile
		}
		if line, err := p.Cmdline(); err == nil && strings.Contains(line, benchmarkOf(h)) {
			for _, found := range h.secrets.words.Search(canary.Text("the command line of the benchmark", line)) {
				h.t.Error(found)
			}
			if strings.Contains(line, h.token) {
				h.t.Error("the command line of the benchmark holds the admin token")
			}
			return p
		}
	}
	h.t.Fatal("no benchmark runs")
	return nil
}

func (h *house) job() (j job.Job) {
	h.t.Helper()
	h.api("GET", "/api/benchmarks/job", "", &j)
	return j
}

// measures starts a benchmark and waits until so many of its requests have ended.
func (h *house) measures(body string, done int) {
	h.t.Helper()
	h.api("POST", "/api/benchmarks/job", body, nil)
	h.eventually("the benchmark is under way", func() bool {
		j := h.job()
		if j.State != job.Running {
			h.t.Fatalf("the benchmark ended early: %+v", j)
		}
		return j.Done >= done
	})
}

// ends waits for the benchmark's end.
func (h *house) ends() (j job.Job) {
	h.t.Helper()
	h.eventually("the benchmark ends", func() bool {
		j = h.job()
		return j.State == job.Done || j.State == job.Failed
	})
	return j
}

func (h *house) runs() []admin.BenchmarkRun {
	h.t.Helper()
	var list admin.BenchmarkList
	h.api("GET", "/api/benchmarks", "", &list)
	return list.Runs
}

// kept gives a kept file, which is a valid one. It is compressed in the database, so that a
// search of the disk would not see what it holds.
func (h *house) kept(id int64) (raw []byte, f *results.File) {
	h.t.Helper()
	status, raw := h.ask("GET", fmt.Sprint("/api/benchmarks/", id), "")
	f, err := results.Parse(raw)
	if err != nil || status != http.StatusOK {
		h.t.Fatalf("%d, %v: %s", status, err, raw)
	}
	for _, found := range h.secrets.words.Search(canary.Text("the kept results", string(raw))) {
		h.t.Error(found)
	}
	for _, word := range []string{h.token, "lighthouse"} {
		if strings.Contains(string(raw), word) {
			h.t.Errorf("the kept results hold %q", word)
		}
	}
	return raw, f
}

// listener collects what /api/live tells of benchmarks.
type listener struct {
	mu   sync.Mutex
	jobs []job.Job
}

func (l *listener) heard() []job.Job {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.jobs)
}

func (h *house) listen() *listener {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", h.url+"/api/live?activity=false", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.token)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	l, ended := &listener{}, make(chan struct{})
	go func() {
		defer close(ended)
		lines, event := bufio.NewScanner(resp.Body), ""
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = name
			}
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok || event != "benchmark" {
				continue
			}
			var j job.Job
			if err := json.Unmarshal([]byte(data), &j); err != nil {
				h.t.Error(err)
			}
			l.mu.Lock()
			l.jobs = append(l.jobs, j)
			l.mu.Unlock()
		}
	}()
	h.t.Cleanup(func() { cancel(); resp.Body.Close(); <-ended })
	return l
}

func TestABenchmarkOfTheRealEngineIsStartedWatchedAndKept(t *testing.T) {
	h := newHouse(t)
	live := h.listen()
	var started job.Job
	body := fmt.Sprintf(`{"kind": "run", "model": %q, "runs": 2, "max_tokens": 4, "concurrency": [2], "label": "the first"}`, local)
	h.api("POST", "/api/benchmarks/job", body, &started)
	if status, raw := h.ask("POST", "/api/benchmarks/job", body); status != http.StatusConflict || !strings.Contains(string(raw), "running already") {
		t.Errorf("a second one: %d %s", status, raw)
	}
	j := h.ends()
	if j.State != job.Done || j.ID != started.ID || j.RunID == nil || j.Detail != "" || j.Done != 3 || j.Total != 3 { // two, and a warm-up
		t.Fatalf("it ended as %+v", j)
	}
	h.eventually("its end is heard of", func() bool { heard := live.heard(); return len(heard) > 0 && heard[len(heard)-1].State == job.Done })
	for i, heard := range live.heard() {
		if i > 0 && heard.Done < live.heard()[i-1].Done || heard.ID != started.ID {
			t.Errorf("heard %+v", live.heard())
		}
	}
	raw, f := h.kept(*j.RunID)
	for _, c := range f.Cases {
		if c.Route != "local-llamacpp" || c.Answered != 2 || c.Tokens.Completion != 8 || len(c.Samples) != 2 || c.Writing == nil {
			t.Errorf("%+v", c.CaseSummary)
		}
	}
	if runs := h.runs(); len(runs) != 1 || runs[0].ID != *j.RunID || runs[0].Label != "the first" || len(runs[0].Cases) != 1 || runs[0].Cases[0].Tokens.Completion != 8 {
		t.Errorf("listed are %+v", runs)
	}
	for _, r := range h.records() {
		if r.Client != "mlx-benchmark/"+f.Tool || r.Model != local {
			t.Errorf("the audit has %+v", r)
		}
	}
	if n := len(h.records()); n != 3 {
		t.Errorf("%d requests in the audit", n)
	}

	h.stop()
	h.noPromptOnDisk()
	h.start()
	if again, _ := h.kept(*j.RunID); string(again) != string(raw) {
		t.Error("after a restart it is another file")
	}
	if status, _ := h.ask("GET", "/api/benchmarks/job", ""); status != http.StatusNotFound {
		t.Errorf("the job of an earlier run: %d", status)
	}
	file := filepath.Join(t.TempDir(), "kept.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(filepath.Join(filepath.Dir(program), "mlx-benchmark"), "compare", file, file).CombinedOutput(); err != nil || !strings.Contains(string(said), "Nothing is worse") {
		t.Errorf("%v: %s", err, said)
	}
}

// noPromptOnDisk looks for words of the benchmark's prompts in the database and the log.
func (h *house) noPromptOnDisk() {
	h.t.Helper()
	var text string
	for _, path := range []string{h.paths.Database, h.paths.Database + "-wal", h.paths.Log} {
		raw, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			h.t.Fatal(err)
		}
		text += string(raw)
	}
	for _, word := range []string{"lighthouse", "keeper"} {
		if strings.Contains(text, word) {
			h.t.Errorf("a word of the prompt, %q, is in the database or the log", word)
		}
	}
}

// endlessly is a benchmark of the scripted upstream that takes minutes.
const endlessly = `{"kind": "run", "model": "ok-3=5ms", "runs": 1000, "max_tokens": 3}`

func TestAStoppedBenchmarkKeepsWhatItMeasured(t *testing.T) {
	h := newHouse(t)
	h.measures(endlessly, 4)
	var j job.Job
	h.api("DELETE", "/api/benchmarks/job", "", &j)
	if j.State != job.Stopping {
		t.Errorf("%+v", j)
	}
	if j = h.ends(); j.State != job.Done || j.RunID == nil || !strings.Contains(j.Detail, "stopped") {
		t.Fatalf("it ended as %+v", j)
	}
	if _, f := h.kept(*j.RunID); f.Complete || f.BrokenOff == "" || f.Cases[0].Status != results.BrokenOff || f.Cases[0].Answered < 3 || f.Cases[0].Failed != 0 {
		t.Errorf("%+v", f.Cases[0].CaseSummary)
	}
	if n := len(h.children()); n != 0 {
		t.Errorf("%d processes are left", n)
	}
}

func TestABenchmarkEndsWithItsServer(t *testing.T) {
	h := newHouse(t)
	h.measures(endlessly, 4)
	h.stop() // and waits until nothing of it is left
	h.start()
	runs := h.runs()
	if len(runs) != 1 || runs[0].Complete || runs[0].Cases[0].Answered < 3 {
		t.Fatalf("after a drain there are %+v", runs)
	}
	h.kept(runs[0].ID)

	h.measures(endlessly, 4)
	if err := h.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.wait(-1)
	h.start()
	if after := h.runs(); len(after) != 1 || after[0].ID != runs[0].ID {
		t.Errorf("after a crash there are %+v", after)
	}
}

func TestABenchmarkWhoseProgramDiesIsAFailureAndTheNextOneWorks(t *testing.T) {
	h := newHouse(t)
	h.measures(endlessly, 1)
	if err := h.benchmark().Kill(); err != nil {
		t.Fatal(err)
	}
	if j := h.ends(); j.State != job.Failed || j.RunID != nil || !strings.Contains(j.Detail, "ended before its time (signal: killed)") {
		t.Errorf("it ended as %+v", j)
	}
	h.api("POST", "/api/benchmarks/job", `{"kind": "run", "model": "no-such-model"}`, nil)
	if j := h.ends(); j.State != job.Failed || !strings.Contains(j.Detail, "no such model") || !strings.Contains(j.Detail, local) {
		t.Errorf("of an unknown model: %+v", j)
	}
	h.api("POST", "/api/benchmarks/job", `{"kind": "run", "model": "cut=1ms", "runs": 2, "warmup": 0}`, nil)
	if j := h.ends(); j.State != job.Done || !strings.Contains(j.Detail, "2 of 2 requests failed") { // failures are results too
		t.Errorf("of a model that never answers: %+v", j)
	}
	h.api("POST", "/api/benchmarks/job", `{"kind": "run", "model": "ok-3=1ms", "runs": 2}`, nil)
	if j := h.ends(); j.State != job.Done || j.RunID == nil {
		t.Errorf("the next one: %+v", j)
	}
}
