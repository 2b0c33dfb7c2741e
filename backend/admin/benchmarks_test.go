package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"mlxbar/backend/admin"
	"mlxbar/backend/bench/job"
	"mlxbar/backend/bench/results"
	"mlxbar/backend/bench/workload"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/live"
)

// jobs are made up: one at a time.
type jobs struct {
	asked   []job.Request
	now     *job.Job
	refuses error
}

func (j *jobs) Start(r job.Request) (job.Job, error) {
	if j.refuses != nil {
		return job.Job{}, j.refuses
	}
	if j.now != nil {
		return job.Job{}, job.ErrBusy
	}
	j.asked = append(j.asked, r)
	j.now = &job.Job{ID: "bench_1", State: job.Running, Kind: r.Kind}
	return *j.now, nil
}

func (j *jobs) Current() (job.Job, bool) {
	if j.now == nil {
		return job.Job{}, false
	}
	return *j.now, true
}

func (j *jobs) Stop() (job.Job, error) {
	if j.now == nil {
		return job.Job{}, job.ErrNone
	}
	j.now.State = job.Stopping
	return *j.now, nil
}

// measured is a results file of the minute.
func measured(t *testing.T, minute int) string {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC)
	c := results.Case{CaseSummary: results.CaseSummary{Route: "local", Model: "m", Prompt: results.Prompt{Name: "short", Characters: 45}, Concurrency: 1, Status: results.Measured,
		Errors: []results.Error{}, Seconds: 1}, Samples: []results.Sample{{TotalMS: 100, FirstMS: 20, LastMS: 90, GapsMS: []float64{70}, Counted: true, PromptTokens: 9, Tokens: 2, Events: 2}}}
	c.Sum(1)
	f := results.File{Format: results.Format, Version: results.Version, Tool: "1.2.3", Command: "run", StartedAt: at, EndedAt: at, Complete: true,
		Server: results.Server{URL: "http://127.0.0.1:1"}, Settings: results.Settings{Runs: 1, MaxTokens: 2, TimeoutS: 1}, Warnings: []string{}, Cases: []results.Case{c}}
	f.Machine.CPUs = 2
	raw, err := f.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func (h *house) keep(file, label string, status int) (id int64) {
	h.t.Helper()
	var out struct{ ID int64 }
	if err := json.Unmarshal([]byte(h.text(h.request("POST", "/api/benchmarks?label="+label, file), status)), &out); err != nil {
		h.t.Fatal(err)
	}
	return out.ID
}

func TestResultsAreKeptListedAndReadBack(t *testing.T) {
	h := newHouse(t)
	file := measured(t, 1)
	first, second := h.keep(file, "first", 201), h.keep(measured(t, 2), "", 201)
	if again := h.keep(file, "again", 200); again != first {
		t.Errorf("the same file is %d and %d", first, again)
	}
	resp := h.request("GET", fmt.Sprint("/api/benchmarks/", first), "")
	if got := h.text(resp, 200); got != file || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: %s", resp.Header.Get("Content-Type"), cmp.Diff(file, got))
	}
	list := get[admin.BenchmarkList](h, "/api/benchmarks")
	if len(list.Runs) != 2 || list.Runs[0].ID != second || list.Runs[1].ID != first || list.Runs[1].Label != "first" || list.Runs[1].Cases[0].Total.P50.Value != 100 {
		t.Errorf("%+v", list.Runs)
	}
	page := get[admin.BenchmarkList](h, fmt.Sprint("/api/benchmarks?limit=1&before=", second))
	if len(page.Runs) != 1 || page.Runs[0].ID != first {
		t.Errorf("%+v", page.Runs)
	}
	h.text(h.request("PATCH", fmt.Sprint("/api/benchmarks/", first), `{"label": "before the change"}`), http.StatusNoContent)
	if got := get[admin.BenchmarkList](h, "/api/benchmarks").Runs[1].Label; got != "before the change" {
		t.Errorf("%q", got)
	}
}

func TestDeletedResultsCanBeHadBack(t *testing.T) {
	h := newHouse(t)
	id := h.keep(measured(t, 1), "", 201)
	at := fmt.Sprint("/api/benchmarks/", id)
	last := h.live.Last()
	h.text(h.request("DELETE", at, ""), http.StatusNoContent)
	h.problem(h.request("GET", at, ""), problem.NotFound)
	if list := get[admin.BenchmarkList](h, "/api/benchmarks"); len(list.Runs) != 0 {
		t.Errorf("%+v", list.Runs)
	}
	h.text(h.request("POST", at+"/undelete", ""), http.StatusNoContent)
	h.text(h.request("GET", at, ""), 200)
	h.problem(h.request("POST", at+"/undelete", ""), problem.Conflict)
	// Other pages hear that there is something to read anew.
	ctx, cancel := context.WithCancel(t.Context())
	var heard []string
	err := h.live.Subscribe(ctx, last, func(e live.Event) error {
		if heard = append(heard, e.Type); len(heard) == 2 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || heard[0] != live.Reset || heard[1] != live.Reset {
		t.Errorf("heard %v: %v", heard, err)
	}
}

func TestAPlaceInAResultsFileIsNamedAsInOtherBodies(t *testing.T) {
	h := newHouse(t)
	file := strings.Replace(measured(t, 1), `"total_ms": 100`, `"total_ms": "slow"`, 1)
	d := h.problem(h.request("POST", "/api/benchmarks", file), problem.InvalidRequest)
	if len(d.Errors) != 1 || d.Errors[0].Location != "body.cases[0].samples[0].total_ms" || d.Errors[0].Detail != "got string, want number" {
		t.Errorf("%+v", d.Errors)
	}
}

func TestABenchmarkIsAskedForAsItIsDescribed(t *testing.T) {
	for body, want := range map[string]job.Request{
		`{"kind": "run", "model": "m"}`: {Kind: "run", Model: "m", Runs: 10, MaxTokens: 128, Concurrency: []int{1}, Warmup: 1, Stream: true},
		`{"kind": "suite", "routes": ["local-llamacpp", "failover"]}`: {
			Kind: "suite", Routes: []string{"local-llamacpp", "failover"}, Runs: 10, MaxTokens: 128, Concurrency: []int{1}, Warmup: 1, Stream: true},
		`{"kind": "suite"}`: {Kind: "suite", Runs: 10, MaxTokens: 128, Concurrency: []int{1}, Warmup: 1, Stream: true},
		`{"kind": "run", "model": "m", "prompt": "long", "runs": 4, "max_tokens": 5, "concurrency": [4, 1], "warmup": 0, "stream": false, "same_prompt": true, "label": "x"}`: {
			Kind: "run", Model: "m", Prompt: "long", Runs: 4, MaxTokens: 5, Concurrency: []int{4, 1}, SamePrompt: true, Label: "x"},
	} {
		h := newHouse(t)
		h.text(h.request("POST", "/api/benchmarks/job", body), http.StatusAccepted)
		if diff := cmp.Diff([]job.Request{want}, h.jobs.asked); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
}

func TestTheRoutesOfABenchmarkAreThoseOfASuite(t *testing.T) {
	h := newHouse(t)
	for body, location := range map[string]string{
		`{"kind": "suite", "routes": ["local-llamacpp", "nearby"]}`:       "body.routes[1]",
		`{"kind": "suite", "routes": []}`:                                 "body.routes",
		`{"kind": "run", "model": "m", "routes": ["openai"]}`:             "body.routes",
		`{"kind": "suite", "routes": ["openai,anthropic"], "model": "m"}`: "body.routes[0]",
	} {
		if d := h.problem(h.request("POST", "/api/benchmarks/job", body), problem.InvalidRequest); len(d.Errors) != 1 || d.Errors[0].Location != location {
			t.Errorf("%s: %+v", body, d.Errors)
		}
	}
	var described []string
	for _, name := range gjson.GetBytes(openAPI(t).raw, "components.schemas.BenchmarkRequest.properties.routes.items.enum").Array() {
		described = append(described, name.String())
	}
	if diff := cmp.Diff(workload.Routes, described); diff != "" {
		t.Errorf("mlx-benchmark's routes, and those that are described: %s", diff)
	}
}

func TestWhyNoBenchmarkCanBeStarted(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct {
		err  error
		kind problem.Kind
		says string
	}{
		{&job.MissingError{Program: "/opt/mlxbar/mlx-benchmark"}, problem.Conflict, "/opt/mlxbar/mlx-benchmark is not there"},
		{&job.StartError{Program: "/opt/mlxbar/mlx-benchmark"}, problem.Conflict, "/opt/mlxbar/mlx-benchmark cannot be started"},
		{job.ErrClosed, problem.ShuttingDown, "starts no benchmark"},
		{errInside, problem.Internal, "its log has the cause"},
	} {
		h.jobs.refuses = c.err
		if d := h.problem(h.request("POST", "/api/benchmarks/job", `{"kind": "suite"}`), c.kind); !strings.Contains(d.Detail, c.says) {
			t.Errorf("%q does not say %q", d.Detail, c.says)
		}
	}
}

// What can be null is described so: the pages' types are made of this.
func TestFiguresThatAreMissingAreDescribed(t *testing.T) {
	d := openAPI(t)
	for _, member := range []string{"ResultsCaseSummary.properties.first_token_ms", "ResultsCaseSummary.properties.overhead", "ResultsOverhead.properties.total_ms", "BenchmarkList.properties.job"} {
		if got := gjson.GetBytes(d.raw, "components.schemas."+member+".anyOf.1.type").String(); got != "null" {
			t.Errorf("%s can be %q", member, got)
		}
	}
	if got := gjson.GetBytes(d.raw, "components.schemas.BenchmarkFile.properties.version.const").Int(); got != results.Version {
		t.Errorf("the file is described as one of version %d", got)
	}
}
