package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/bench/job"
	"mlxbar/backend/gateway/problem"
)

// Jobs are the benchmarks that the server has run on itself.
type Jobs interface {
	Start(job.Request) (job.Job, error)
	Current() (job.Job, bool)
	Stop() (job.Job, error)
}

// BenchmarkJob is a benchmark that was started here.
type BenchmarkJob struct{ job.Job }

// BenchmarkRequest is what to measure.
type BenchmarkRequest struct {
	Kind        string   `json:"kind" enum:"run,suite" doc:"run: one model. suite: all that is set up, providers too, or the one model on all its routes."`
	Model       string   `json:"model,omitempty" doc:"The model to ask; a suite without one asks all."`
	Prompt      string   `json:"prompt,omitempty" enum:"short,medium,long" doc:"What to ask. Left out: short in a run, each of them in a suite."`
	Routes      []string `json:"routes,omitempty" nullable:"false" minItems:"1" maxItems:"5" enum:"local-llamacpp,local-mlx,openai,anthropic,failover" doc:"Of a suite: the routes to take; providers whose routes are not among them are not asked. Left out: all."`
	Runs        int      `json:"runs,omitempty" minimum:"1" maximum:"1000" default:"10" doc:"Requests of each case."`
	MaxTokens   int      `json:"max_tokens,omitempty" minimum:"1" maximum:"4096" default:"128" doc:"Tokens of an answer at most."`
	Concurrency []int    `json:"concurrency,omitempty" nullable:"false" minItems:"1" maxItems:"8" doc:"Requests at a time, 1 to 64 and no more than runs; each number is a case. Left out: 1."`
	Warmup      *int     `json:"warmup,omitempty" nullable:"false" minimum:"0" maximum:"100" default:"1" doc:"Requests before them that do not count."`
	Stream      *bool    `json:"stream,omitempty" nullable:"false" default:"true" doc:"Ask for streams; without, there is no time to the first token."`
	SamePrompt  bool     `json:"same_prompt,omitempty" doc:"Ask the very same each time, so that a prompt cache helps."`
	Label       string   `json:"label,omitempty" doc:"What to call the results: 80 characters at most."`
}

type benchmarkJobInput struct{ Body BenchmarkRequest }
type benchmarkJobOutput struct{ Body BenchmarkJob }

func (a *API) registerBenchmarkJob() {
	start := post("/api/benchmarks/job", "Start a benchmark of this server", http.StatusAccepted)
	start.Description = "The program mlx-benchmark runs it, one at a time, and keeps its results here. How far it is stands in GET /api/benchmarks/job and comes as the live event benchmark."
	huma.Register(a.huma, start, a.startBenchmark)
	huma.Register(a.huma, get("/api/benchmarks/job", "The benchmark that runs, or was the last one"), func(context.Context, *struct{}) (*benchmarkJobOutput, error) {
		j, ok := a.Jobs.Current()
		if !ok {
			return nil, problem.New(problem.NotFound, "No benchmark has been started since the server was.")
		}
		return &benchmarkJobOutput{BenchmarkJob{j}}, nil
	})
	stop := change(http.MethodDelete, "/api/benchmarks/job", "Stop the benchmark that runs")
	stop.Description, stop.DefaultStatus = "What was measured until then is kept.", http.StatusAccepted
	huma.Register(a.huma, stop, func(context.Context, *struct{}) (*benchmarkJobOutput, error) {
		j, err := a.Jobs.Stop()
		if err != nil {
			return nil, jobProblem(err)
		}
		return &benchmarkJobOutput{BenchmarkJob{j}}, nil
	})
}

func (a *API) startBenchmark(_ context.Context, in *benchmarkJobInput) (*benchmarkJobOutput, error) {
	r := in.Body
	if faults := r.faults(); len(faults) > 0 {
		return nil, problem.Invalid(faults...)
	}
	j, err := a.Jobs.Start(job.Request{
		Kind: r.Kind, Model: r.Model, Prompt: r.Prompt, Routes: r.Routes, Runs: r.Runs, MaxTokens: r.MaxTokens, Concurrency: r.concurrency(),
		Warmup: *r.Warmup, Stream: *r.Stream, SamePrompt: r.SamePrompt, Label: r.Label,
	})
	if err != nil {
		return nil, jobProblem(err)
	}
	return &benchmarkJobOutput{BenchmarkJob{j}}, nil
}

func jobProblem(err error) error {
	var missing *job.MissingError
	var broken *job.StartError
	switch {
	case errors.Is(err, job.ErrBusy):
		return problem.New(problem.Conflict, "A benchmark is running already. Wait for its end, or stop it.")
	case errors.Is(err, job.ErrNone):
		return problem.New(problem.Conflict, "No benchmark is running.")
	case errors.Is(err, job.ErrClosed):
		return problem.New(problem.ShuttingDown, "The server is stopping and starts no benchmark.")
	case errors.As(err, &missing):
		return problem.Newf(problem.Conflict, "No benchmark can be run: the program %s is not there. It belongs beside mlxbar; install both together.", missing.Program).Because(err)
	case errors.As(err, &broken):
		return problem.Newf(problem.Conflict, "No benchmark can be run: the program %s cannot be started. It may be damaged, or made for another kind of machine; install mlxbar and it together.", broken.Program).Because(err)
	}
	return err
}

const (
	maxConcurrency = 64
	maxModelName   = 256
)

// maxJobTokens keeps results small enough to be kept. A suite may have several prompts and models.
var maxJobTokens = map[string]int{job.Run: 1_000_000, job.Suite: 200_000}

func (r *BenchmarkRequest) concurrency() []int {
	if len(r.Concurrency) == 0 {
		return []int{1}
	}
	return r.Concurrency
}

// faults finds what huma has no words for.
func (r *BenchmarkRequest) faults() (faults []problem.Field) {
	add := func(location, format string, args ...any) {
		faults = append(faults, problem.Field{Location: "body." + location, Detail: fmt.Sprintf(format, args...)})
	}
	switch {
	case r.Kind == job.Run && r.Model == "":
		add("model", "names the model to ask; only a suite goes without")
	case len(r.Model) > maxModelName:
		add("model", "is longer than %d bytes", maxModelName)
	case strings.ContainsFunc(r.Model, unicode.IsControl):
		add("model", "holds a control character")
	case r.Kind == job.Suite && strings.ContainsAny(r.Model, `,"`):
		add("model", "names one model; one with a comma or a quotation mark cannot be in a suite")
	}
	if r.Kind == job.Run && len(r.Routes) > 0 {
		add("routes", "are a suite's; a run goes the way that its model goes")
	}
	for i, n := range r.concurrency() {
		switch at := fmt.Sprintf("concurrency[%d]", i); {
		case n < 1 || n > maxConcurrency:
			add(at, "must be 1 to %d requests at a time", maxConcurrency)
		case n > r.Runs:
			add(at, "needs as many requests at least, and runs is %d", r.Runs)
		case slices.Contains(r.Concurrency[:i], n):
			add(at, "stands there twice")
		}
	}
	if all, most := r.Runs*r.MaxTokens*len(r.concurrency()), maxJobTokens[r.Kind]; all > most {
		add("runs", "these are up to %d tokens of each model and prompt; runs, max_tokens and the number of concurrency together may come to %d at most", all, most)
	}
	if err := checkLabel("body.label", r.Label); err != nil {
		faults = append(faults, problem.From(err).Fields...)
	}
	return faults
}
