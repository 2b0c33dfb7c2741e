// Package job has the server measured from outside: it runs the program mlx-benchmark as a
// child, one at a time, and tells how far that is. The child sends its results to the
// server's admin API itself.
package job

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Kinds of jobs, as mlx-benchmark's commands are called.
const (
	Run   = "run"
	Suite = "suite"
)

// State is how far a job is.
type State string

// The states. Done is one that kept results, of a job that was stopped as well.
const (
	Running  State = "running"
	Stopping State = "stopping"
	Done     State = "done"
	Failed   State = "failed"
)

// Job is one benchmark that was started.
type Job struct {
	ID        string    `json:"id"`
	State     State     `json:"state" enum:"running,stopping,done,failed"`
	Kind      string    `json:"kind" enum:"run,suite"`
	What      string    `json:"what" doc:"The case at hand, in words; empty before the first one."`
	Done      int       `json:"done" doc:"Requests that have ended."`
	Total     int       `json:"total" doc:"Of how many; 0 as long as that is not known."`
	StartedAt time.Time `json:"started_at"`
	RunID     *int64    `json:"run_id" doc:"The id of its results, once they are kept."`
	Detail    string    `json:"detail" doc:"Why it failed or is not complete; empty if all is well."`
}

// Request is what to measure.
type Request struct {
	Kind        string
	Model       string   // of a suite: all when empty
	Prompt      string   // of a suite: all when empty
	Routes      []string // of a suite: all when empty
	Runs        int
	MaxTokens   int
	Concurrency []int
	Warmup      int
	Stream      bool
	SamePrompt  bool
	Label       string
}

// What may stand in the way of a job.
var (
	ErrBusy   = errors.New("a benchmark is running already")
	ErrNone   = errors.New("no benchmark is running")
	ErrClosed = errors.New("the server is stopping")
)

// args is mlx-benchmark's command line. Each value stands in one word with its flag, so that
// none is taken for a flag.
func (r Request) args(dataDir string) []string {
	var concurrency []string
	for _, n := range r.Concurrency {
		concurrency = append(concurrency, strconv.Itoa(n))
	}
	args := []string{r.Kind, "--save", "--progress=json", "--until-stdin", "--data-dir=" + dataDir, "--label=" + r.Label,
		"--runs=" + strconv.Itoa(r.Runs), "--max-tokens=" + strconv.Itoa(r.MaxTokens), "--warmup=" + strconv.Itoa(r.Warmup),
		"--concurrency=" + strings.Join(concurrency, ","), "--stream=" + strconv.FormatBool(r.Stream), "--same-prompt=" + strconv.FormatBool(r.SamePrompt)}
	if r.Model != "" {
		args = append(args, "--model="+r.Model)
	}
	if r.Prompt != "" {
		args = append(args, "--prompt="+r.Prompt)
	}
	if len(r.Routes) > 0 {
		args = append(args, "--routes="+strings.Join(r.Routes, ","))
	}
	return args
}

// MissingError says that the program is not there.
type MissingError struct {
	Program string
	cause   error
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("job: the program %s: %v", e.Program, e.cause)
}

// Unwrap gives the cause.
func (e *MissingError) Unwrap() error { return e.cause }

// StartError says that the program is there and cannot be run.
type StartError struct {
	Program string
	cause   error
}

func (e *StartError) Error() string {
	return fmt.Sprintf("job: start %s: %v", e.Program, e.cause)
}

// Unwrap gives the cause.
func (e *StartError) Unwrap() error { return e.cause }
