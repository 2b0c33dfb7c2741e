package workload

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mlxbar/backend/bench"
	"mlxbar/backend/bench/results"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

// runner asks an upstream, whose scripts the models name.
func runner(t *testing.T, up *upstream.Server, p Plan) *Runner {
	t.Helper()
	p.MaxTokens, p.Timeout, p.Seed = 64, testkit.Patience, 1
	r := NewRunner(p, Server{URL: strings.TrimSuffix(up.URL, "/v1")}, nil, nil)
	r.Client = testClient(t)
	return r
}

func spec(model string, concurrency int) Spec {
	return Spec{Route: Remote, Model: model, Prompt: Prompt{Name: "short", text: question}, Concurrency: concurrency}
}

func TestDelaysOfTheServerAreFoundInTheFigures(t *testing.T) {
	up := testkit.NewUpstream(t)
	r := runner(t, up, Plan{Runs: 4, Warmup: 1, Stream: true})

	c := r.Case(t.Context(), spec("slow-content-6=80ms", 1))
	if c.Status != results.Measured || c.Answered != 4 || c.Failed != 0 || c.FirstToken.Min < 80 || c.Total.Min < c.FirstToken.Min {
		t.Errorf("a wait before the first token: %+v, first %+v", c, c.FirstToken)
	}
	if c.InterToken.N != 4*5 || c.Tokens != (results.Tokens{Prompt: 4 * upstream.PromptTokens, Cached: 4 * upstream.CachedTokens, Completion: 24}) {
		t.Errorf("%d gaps, %+v", c.InterToken.N, c.Tokens)
	}
	if c.Throughput.AnswersPerSecond > 1000/80.0 || c.Seconds < 4*0.08 {
		t.Errorf("throughput %+v in %v s", c.Throughput, c.Seconds)
	}
	if c.Writing == nil || c.Writing.Source != results.ByUsage || c.Reading == nil || c.Reading.Max > 1000*(upstream.PromptTokens-upstream.CachedTokens)/80.0 {
		t.Errorf("rates %+v, %+v", c.Reading, c.Writing)
	}

	c = r.Case(t.Context(), spec("ok-6=20ms", 1)) // a pause before each event but the first, the role's
	if c.FirstToken.Min < 20 || c.Total.Min < 8*20 || c.InterToken.N != 4*5 {
		t.Errorf("pauses between tokens: %+v, first %+v, total %+v", c.InterToken, c.FirstToken, c.Total)
	}
	for _, s := range c.Samples { // the sixth token comes after six pauses; how they look to a client that is kept waiting, nobody can say
		if s.LastMS < 6*20 {
			t.Errorf("%+v", s)
		}
	}

	c = r.Case(t.Context(), spec("timings-6", 1))
	if c.Writing.Source != results.ByEngine || c.Writing.Min != 1000*6/upstream.GenerationMS || c.Reading.P99.Value != 1000*(upstream.PromptTokens-upstream.CachedTokens)/upstream.PromptMS {
		t.Errorf("the engine's own times: %+v, %+v", c.Reading, c.Writing)
	}

	r.Stream = false
	c = r.Case(t.Context(), spec("ok-6=50ms", 1))
	if c.Total.Min < 50 || c.FirstToken != nil || c.InterToken != nil || c.Writing != nil || c.Tokens.Completion != 24 {
		t.Errorf("in one piece: %+v", c)
	}
}

func TestRequestsRunAtATimeAndAskSomethingNewEach(t *testing.T) {
	var running, most atomic.Int64
	var mu sync.Mutex
	full := sync.NewCond(&mu)
	seen := 0
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		now := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		mu.Lock() // the first three are let on together
		seen++
		full.Broadcast()
		for seen < 3 {
			full.Wait()
		}
		mu.Unlock()
		w.WriteHeader(http.StatusTeapot)
	}))
	defer front.Close()
	r := NewRunner(Plan{Runs: 9, Stream: true, Timeout: testkit.Patience}, Server{URL: front.URL}, nil, nil)
	r.Client = testClient(t)
	if c := r.Case(t.Context(), spec("ok", 3)); c.Failed != 9 || c.Status != results.Failed || c.Errors[0].Count != 9 || most.Load() != 3 {
		t.Errorf("%+v, %d at a time", c, most.Load())
	}

	for same, want := range map[bool]int{false: 6, true: 1} {
		up := testkit.NewUpstream(t)
		var ended atomic.Int64
		r := runner(t, up, Plan{Runs: 5, Warmup: 1, SamePrompt: same})
		r.Done = func() { ended.Add(1) }
		if c := r.Case(t.Context(), spec("ok", 2)); c.Answered != 5 {
			t.Fatalf("%+v", c)
		}
		bodies := map[string]bool{}
		for _, q := range up.Requests() {
			bodies[string(q.Body)] = true
		}
		if len(bodies) != want || ended.Load() != int64(r.Requests()) {
			t.Errorf("same prompt %v: %d different bodies, want %d; told of %d requests of %d", same, len(bodies), want, ended.Load(), r.Requests())
		}
	}
}

func TestFailuresAreCountedByKind(t *testing.T) {
	up := testkit.NewUpstream(t)
	for model, kind := range map[string]bench.FailureKind{"cut": bench.Cut, "status-503": "status_503", "error-event": bench.ErrorInAnswer, "malformed-json": bench.Malformed, "ok-0": bench.Empty} {
		c := runner(t, up, Plan{Runs: 3, Stream: true}).Case(t.Context(), spec(model, 1))
		if c.Status != results.Failed || c.Failed != 3 || c.Answered != 0 || len(c.Errors) != 1 || c.Errors[0] != (results.Error{Kind: kind, Count: 3}) {
			t.Errorf("%s: %+v", model, c)
		}
		warm := runner(t, up, Plan{Runs: 3, Warmup: 1, Stream: true}).Case(t.Context(), spec(model, 1))
		if warm.Status != results.Failed || !strings.Contains(warm.Reason, string(kind)) || len(warm.Samples) != 0 {
			t.Errorf("%s, in the warm-up: %+v", model, warm)
		}
	}
	slow := runner(t, up, Plan{Runs: 1, Stream: true})
	slow.Timeout = time.Millisecond
	if c := slow.Case(t.Context(), spec("hang", 1)); c.Failed != 1 || c.Errors[0].Kind != bench.TimedOut {
		t.Errorf("%+v", c)
	}
}

func TestATargetWithoutItsKeyIsSkipped(t *testing.T) {
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadGateway)
		w.Write([]byte(`{"detail": "Provider far takes its key from FAR_KEY, which is not set.", "error": {"code": "upstream_key"}}`))
	}))
	defer front.Close()
	r := NewRunner(Plan{Runs: 2, Warmup: 1, Stream: true, Timeout: testkit.Patience}, Server{URL: front.URL}, nil, nil)
	r.Client = testClient(t)
	if c := r.Case(t.Context(), spec("gpt", 1)); c.Status != results.Skipped || !strings.Contains(c.Reason, "FAR_KEY") {
		t.Errorf("%+v", c)
	}
}

func TestAServerThatDiesInTheMiddleLeavesWhatWasMeasured(t *testing.T) {
	up := testkit.NewUpstream(t)
	r := runner(t, up, Plan{Runs: 50, Warmup: 1, Stream: true})
	var ended atomic.Int64
	r.Done = func() {
		if ended.Add(1) == 6 { // the warm-up and five more
			if err := up.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	c := r.Case(t.Context(), spec("ok", 1))
	if c.Status != results.BrokenOff || c.Answered != 5 || !strings.Contains(c.Reason, "nobody answers any more") || c.Total == nil {
		t.Errorf("%+v", c)
	}
	if c := r.Case(t.Context(), spec("ok", 1)); c.Status != results.NotRun || len(c.Samples) != 0 || !strings.Contains(c.Reason, "nobody answers") {
		t.Errorf("the next one: %+v", c)
	}
}

func TestABrokenOffCaseHasOnlyWholeAnswers(t *testing.T) {
	up := testkit.NewUpstream(t)
	r := runner(t, up, Plan{Runs: 50, Stream: true})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ended atomic.Int64
	r.Done = func() {
		if ended.Add(1) == 3 {
			cancel()
		}
	}
	c := r.Case(ctx, spec("ok", 1))
	if c.Status != results.BrokenOff || c.Answered < 2 || c.Answered > 3 || c.Failed != 0 || len(c.Errors) != 0 {
		t.Errorf("%+v", c)
	}
	if c := r.Case(ctx, spec("ok", 1)); c.Status != results.NotRun || c.Reason == "" {
		t.Errorf("after the end: %+v", c)
	}
}

func TestPairsTellWhatTheGatewayAdds(t *testing.T) {
	up := testkit.NewUpstream(t)
	for model, added := range map[string]float64{"slow-headers-4=60ms": 60, "slow-content-4=60ms": 60} {
		r := runner(t, up, Plan{Runs: 8, Warmup: 1, Stream: true})
		r.Direct = &Direct{Server: r.Server, Model: "ok-4"}
		c := r.Case(t.Context(), spec(model, 1))
		if c.Overhead == nil || c.Overhead.Pairs != 8 || c.Answered != 8 {
			t.Fatalf("%+v", c)
		}
		// The direct answer takes a moment too, which is not the gateway's.
		slowest := 0.0
		for _, s := range c.Samples {
			slowest = max(slowest, s.Direct.TotalMS)
		}
		if c.Overhead.Total.P50.Value < added-slowest || c.Overhead.FirstToken.P50.Value < added-slowest || c.Throughput != (results.Throughput{}) {
			t.Errorf("%s: added %+v and %+v, want %v at least", model, c.Overhead.FirstToken, c.Overhead.Total, added)
		}
		var order []string
		for _, q := range up.Requests() {
			order = append(order, q.Model)
		}
		firsts := map[string]int{}
		for i := len(order) - 16; i < len(order); i += 2 {
			firsts[order[i]]++
		}
		if len(firsts) != 2 {
			t.Errorf("one way always was the first: %v", order)
		}
	}
	r := runner(t, up, Plan{Runs: 2, Warmup: 1, Stream: true})
	r.Direct = &Direct{Server: r.Server, Model: "status-500"}
	if c := r.Case(t.Context(), spec("ok", 1)); c.Status != results.Failed || !strings.Contains(c.Reason, "--direct") {
		t.Errorf("%+v", c)
	}
}
