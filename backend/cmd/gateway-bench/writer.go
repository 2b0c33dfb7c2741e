package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mlxbar/backend/audit"
	"mlxbar/backend/datadir"
	"mlxbar/backend/storage"
)

// recordCommand records requests as fast as the audit takes them, in a process of its own, so
// that its processor time and memory are the recorder's.
const recordCommand = "record"

// writerRun is what the audit's writer sustains.
type writerRun struct {
	Requests int            `json:"requests"`
	Cases    []*writerBouts `json:"cases"`
}

// writerBouts are the rounds of one way of recording.
type writerBouts struct {
	Name   string     `json:"name"`
	Rounds []recorded `json:"rounds"`
}

// recorded is one round, as the command prints it.
type recorded struct {
	Requests  int     `json:"requests"`
	Seconds   float64 `json:"seconds"`    // until all were in the file
	CPUMicros float64 `json:"cpu_micros"` // processor time a request, in all threads
	PeakBytes uint64  `json:"peak_bytes"`
}

func (w *writerBouts) perSecond() []float64 {
	var all []float64
	for _, r := range w.Rounds {
		all = append(all, float64(r.Requests)/r.Seconds)
	}
	return all
}

func (w *writerBouts) cpuMicros() []float64 {
	var all []float64
	for _, r := range w.Rounds {
		all = append(all, r.CPUMicros)
	}
	return all
}

// openApart is how many requests are under way when start and end are to be apart: more
// than the queue holds, so that a start is a row of its own before its end comes.
const openApart = 8192

// writerSpeed measures the recorder on a new file and on one that is full, with the starts and
// ends of requests in the same batches and apart.
func (b *benchmark) writerSpeed(ctx context.Context) error {
	run := &writerRun{Requests: b.options.Recorded}
	for _, records := range []int{0, b.options.Records} {
		dir := filepath.Join(b.dir, fmt.Sprintf("writer-%d", records))
		if records > 0 {
			if err := b.fill(ctx, &auditRun{Records: records}, dir, time.Now().UTC()); err != nil {
				return err
			}
		} else if len(run.Cases) > 0 { // the full audit was left out
			break
		}
		for _, open := range []int{1, openApart} {
			c := &writerBouts{Name: writerCase(records, open)}
			b.progress("audit writer: %s", c.Name)
			for range b.options.WriterRounds {
				r, err := b.record(ctx, dir, open)
				if err != nil {
					return err
				}
				c.Rounds = append(c.Rounds, r)
			}
			run.Cases = append(run.Cases, c)
		}
	}
	b.report.Writer = run
	return nil
}

func writerCase(records, open int) string {
	name := "a new file"
	if records > 0 {
		name = "after " + thousands(records) + " records"
	}
	if open > 1 {
		return name + ", start and end apart"
	}
	return name
}

func (b *benchmark) record(ctx context.Context, dir string, open int) (r recorded, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	out := filepath.Join(b.dir, "record.json")
	_, peak, err := timed(ctx, out, self, recordCommand, "--data-dir", dir, "--requests", strconv.Itoa(b.options.Recorded), "--open", strconv.Itoa(open))
	if err != nil {
		return r, err
	}
	raw, err := os.ReadFile(out)
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	r.PeakBytes = peak
	return r, err
}

func runRecord(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var dir string
	var requests, open int
	f := flag.NewFlagSet("gateway-bench record", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&dir, "data-dir", "", "the data `folder`; no server may run on it")
	f.IntVar(&requests, "requests", 100_000, "how many requests to record")
	f.IntVar(&open, "open", 1, "how many requests each recording goroutine has under way at a time")
	if err := f.Parse(args); err != nil {
		return err
	}
	if dir == "" || f.NArg() > 0 || requests < 1 || open < 1 {
		return errors.New("gateway-bench record --data-dir FOLDER [--requests N] [--open N]")
	}
	paths := datadir.At(dir)
	if err := paths.EnsureDirs(); err != nil {
		return err
	}
	r, err := record(ctx, paths.Database, requests, open)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(r)
}

// recorders is how many goroutines record, as requests that come at the same time do.
const recorders = 4

// record puts requests through the recorder, with open of them under way at a time.
func record(ctx context.Context, database string, requests, open int) (r recorded, err error) {
	db, err := storage.Open(ctx, database, storage.Options{})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	recorder, err := audit.NewRecorder(ctx, db, audit.Options{})
	if err != nil {
		return r, err
	}
	start, cpu := time.Now(), cpuTime()
	var next atomic.Int64
	var all sync.WaitGroup
	failures := make([]error, recorders)
	for i := range recorders {
		all.Go(func() {
			failures[i] = recordSome(ctx, recorder, &next, int64(requests), (open+recorders-1)/recorders)
		})
	}
	all.Wait()
	err = errors.Join(append(failures, recorder.Close(ctx))...)
	r = recorded{Requests: requests, Seconds: time.Since(start).Seconds()}
	r.CPUMicros = float64((cpuTime() - cpu).Microseconds()) / float64(requests)
	return r, err
}

func recordSome(ctx context.Context, recorder *audit.Recorder, next *atomic.Int64, requests int64, open int) error {
	under := make([]audit.Record, 0, open) // oldest first, once it is full a ring
	at := 0
	for n := next.Add(1); n <= requests; n = next.Add(1) {
		rec := someRecord(n)
		if err := recorder.Begin(ctx, &rec); err != nil {
			return err
		}
		if len(under) < open {
			under = append(under, rec)
		} else {
			under[at], rec = rec, under[at]
			at = (at + 1) % open
			if err := end(recorder, &rec); err != nil {
				return err
			}
		}
	}
	for i := range under {
		if err := end(recorder, &under[(at+i)%len(under)]); err != nil {
			return err
		}
	}
	return nil
}

// someRecord is the start of the n-th request.
func someRecord(n int64) audit.Record {
	models := [...]string{"qwen2.5-coder-7b-instruct", "llama-3.2-3b-instruct", "gpt-5"}
	backends := [...]audit.Backend{audit.Local, audit.Local, audit.OpenAI}
	i := n % int64(len(models))
	return audit.Record{
		RequestID: fmt.Sprintf("req_%032x", n), Model: models[i], ServedModel: models[i], Backend: backends[i],
		Provider: "llamacpp", Endpoint: "/v1/chat/completions", Stream: n%2 == 0, Client: "OpenAI/Python 2.1.0", Attempts: 1,
	}
}

// end completes a record, with figures that lie anywhere among the others'.
func end(recorder *audit.Recorder, rec *audit.Record) error {
	spread := uint64(rec.ID) * 0x9e3779b97f4a7c15 >> 40 // 0 to 2^24
	duration := 1 + float64(spread)/1000
	first := duration / 10
	prompt, completion, status := int64(spread%8000), int64(spread%500), int64(200)
	total := prompt + completion
	rec.Status, rec.HTTPStatus, rec.DurationMS, rec.TTFTMS = audit.Success, &status, &duration, &first
	rec.PromptTokens, rec.CompletionTokens, rec.TotalTokens = &prompt, &completion, &total
	return recorder.End(rec)
}

// cpuTime is what this process has used, in all its threads.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
