package workload

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"mlxbar/backend/bench"
	"mlxbar/backend/bench/results"
)

// Plan is how every case is asked.
type Plan struct {
	Runs       int // requests of a case
	Warmup     int
	MaxTokens  int
	Stream     bool
	SamePrompt bool
	Timeout    time.Duration
	Seed       uint64
}

// Direct is the way past the gateway, for pairs.
type Direct struct {
	Server
	Model string // its name there
}

// Runner measures cases, one after another.
type Runner struct {
	Plan
	Server Server
	Direct *Direct // nil without pairs
	Client *http.Client
	// Done is told of each request that has ended, warm-up included.
	Done func()
	// Tracer makes a span of each case and request; nil makes none.
	Tracer trace.Tracer

	run   string // tells the prompts of this run from those of others
	asked atomic.Int64
}

// NewRunner makes a runner whose prompts no cache has seen.
func NewRunner(p Plan, s Server, d *Direct, done func()) *Runner {
	return &Runner{Plan: p, Server: s, Direct: d, Done: done, run: strings.ToLower(rand.Text()[:8])}
}

// Requests is how often Done is told of a case.
func (r *Runner) Requests() int {
	n := r.Runs + r.Warmup
	if r.Direct != nil {
		n *= 2
	}
	return n
}

var (
	errStop = errors.New("stop")
	errGone = fmt.Errorf("%w: nobody answers any more", errStop)
)

// Case measures s. Its samples are those that ended before ctx did.
func (r *Runner) Case(ctx context.Context, s Spec) (c results.Case) {
	c = s.result()
	if s.Skip != "" {
		return c
	}
	if ctx.Err() != nil {
		c.Reason = "the run was broken off before"
		return c
	}
	ctx, span := r.caseSpan(ctx, s)
	defer func() { endCase(span, &c) }()
	if f, err := r.warm(ctx, s); f != nil || err != nil {
		r.notWarm(&c, f, err)
		return c
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m := &measured{started: time.Now(), result: &c, stop: cancel}
	var workers sync.WaitGroup
	turns := make(chan int)
	for range s.Concurrency {
		workers.Go(func() {
			for i := range turns {
				r.turn(ctx, s, i, m)
			}
		})
	}
	for i := 0; i < r.Runs && ctx.Err() == nil; i++ {
		select {
		case turns <- i:
		case <-ctx.Done():
		}
	}
	close(turns)
	workers.Wait()
	c.Seconds = time.Since(m.started).Seconds()
	c.Status = results.Measured
	switch err := context.Cause(ctx); {
	case errors.Is(err, errStop):
		c.Status, c.Reason = results.BrokenOff, strings.TrimPrefix(err.Error(), errStop.Error()+": ")
	case err != nil && len(c.Samples) < r.Runs:
		c.Status, c.Reason = results.BrokenOff, "the run was broken off"
	}
	slices.SortFunc(c.Samples, func(a, b results.Sample) int { return int(1000 * (a.AtMS - b.AtMS)) })
	c.Sum(r.Seed)
	if r.Direct != nil {
		c.Throughput = results.Throughput{} // half of the time went to the other way
	}
	return c
}

// notWarm says in c why the first request was in vain.
func (r *Runner) notWarm(c *results.Case, f *bench.Failure, err error) {
	switch {
	case f == nil:
		c.Reason = "the run was broken off while it warmed up"
		if !errors.Is(err, context.Canceled) {
			c.Reason = err.Error()
		}
		return
	case notSetUp(f):
		c.Status = results.Skipped
	case f.Kind == bench.Unreachable:
		c.Status = results.NotRun
	default:
		c.Status = results.Failed
	}
	c.Reason = f.Detail
	if c.Reason == "" {
		c.Reason = "the first request failed: " + string(f.Kind)
	}
	if f.Kind == bench.Unreachable && f.Detail == "" {
		c.Reason = "nobody answers any more"
	}
	c.Count(f)
	c.Errors[0].Detail = c.Reason
}

// warm sends requests that do not count: the first one may load the model.
func (r *Runner) warm(ctx context.Context, s Spec) (*bench.Failure, error) {
	for range r.Warmup {
		for _, direct := range r.ways() {
			_, err := r.ask(ctx, s, direct)
			if f := bench.FailureOf(err); f != nil {
				if direct {
					f.Detail = strings.TrimSpace(fmt.Sprintf("the address of --direct does not answer as the gateway does (%s). %s", f.Kind, f.Detail))
				}
				return f, nil
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// ways are how each request goes: false through the gateway, true past it.
func (r *Runner) ways() []bool {
	if r.Direct == nil {
		return []bool{false}
	}
	return []bool{false, true}
}

// mark makes a prompt one that no cache knows: it is at its beginning, and no two are the same.
func (r *Runner) mark() string {
	if r.SamePrompt {
		return ""
	}
	return fmt.Sprintf("%d-%s.", r.asked.Add(1), r.run)
}

// ask sends one request through the gateway, or past it.
func (r *Runner) ask(ctx context.Context, s Spec, direct bool) (bench.Answer, error) {
	defer r.done(ctx)
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	at, model := r.Server, s.Model
	if direct {
		at, model = r.Direct.Server, r.Direct.Model
		if model == "" {
			model = s.Model
		}
	}
	call := bench.Whole
	if r.Stream {
		call = bench.Stream
	}
	ctx, span := r.requestSpan(ctx, at, model, direct)
	a, err := call(ctx, r.Client, bench.Ask{BaseURL: at.BaseURL(), Key: at.Key, Agent: at.Agent, Body: s.body(r.Plan, model, r.mark()), Traceparent: traceparent(ctx, at)})
	if err == nil && a.Text == "" && a.Tokens == 0 {
		err = bench.NoText()
	}
	endRequest(span, a, err)
	return a, err
}

func (r *Runner) done(ctx context.Context) {
	if r.Done != nil && ctx.Err() == nil {
		r.Done()
	}
}

// measured collects what the workers of a case see.
type measured struct {
	started time.Time
	stop    context.CancelCauseFunc
	mu      sync.Mutex
	result  *results.Case
}

// turn is one request, or one pair in random order.
func (r *Runner) turn(ctx context.Context, s Spec, i int, m *measured) {
	ways := r.ways()
	if len(ways) > 1 && mathrand.New(mathrand.NewPCG(r.Seed, uint64(i))).IntN(2) == 1 {
		slices.Reverse(ways)
	}
	var sample results.Sample
	var direct *results.Direct
	var failure *bench.Failure
	var fingerprint string
	for _, past := range ways {
		at := time.Since(m.started)
		a, err := r.ask(ctx, s, past)
		f := bench.FailureOf(err)
		if err != nil && (f == nil || ctx.Err() != nil) {
			return // the run was broken off: half an answer is none
		}
		if f != nil && f.Kind == bench.Unreachable {
			m.stop(errGone)
		}
		if past {
			direct = directOf(a, f)
			continue
		}
		sample, failure, fingerprint = sampleOf(at, a, f), f, a.Fingerprint
	}
	sample.Direct = direct
	m.add(sample, failure, fingerprint)
}

func (m *measured) add(s results.Sample, f *bench.Failure, fingerprint string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.result.Samples = append(m.result.Samples, s)
	if f != nil {
		m.result.Count(f)
	}
	if fingerprint != "" {
		m.result.Fingerprint = fingerprint
	}
}

func ms(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

func sampleOf(at time.Duration, a bench.Answer, f *bench.Failure) results.Sample {
	if f != nil {
		return results.Sample{AtMS: ms(at), Error: f.Kind}
	}
	s := results.Sample{AtMS: ms(at), TotalMS: ms(a.Total), FirstMS: ms(a.First), LastMS: ms(a.Last), Counted: a.Counted,
		PromptTokens: a.PromptTokens, CachedTokens: a.CachedTokens, Tokens: a.Tokens, Events: a.Events, Engine: a.Engine}
	for _, gap := range a.Gaps {
		s.GapsMS = append(s.GapsMS, ms(gap))
	}
	return s
}

func directOf(a bench.Answer, f *bench.Failure) *results.Direct {
	if f != nil {
		return &results.Direct{Error: f.Kind}
	}
	return &results.Direct{TotalMS: ms(a.Total), FirstMS: ms(a.First)}
}
