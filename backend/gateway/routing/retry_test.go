package routing

import (
	"testing"
	"time"

	"mlxbar/backend/gateway/problem"
)

func TestWhatAFailureMeans(t *testing.T) {
	for _, c := range []struct {
		kind problem.Kind
		want Verdict
	}{
		{problem.UpstreamUnreachable, Verdict{Blame: true, Elsewhere: true, Again: true}},
		{problem.ConnectTimeout, Verdict{Blame: true, Elsewhere: true, Again: true}},
		{problem.RateLimited, Verdict{Elsewhere: true, Again: true}},
		{problem.UpstreamFailed, Verdict{Blame: true, Elsewhere: true}},
		{problem.UpstreamOverloaded, Verdict{Blame: true, Elsewhere: true}},
		{problem.UpstreamCut, Verdict{Blame: true, Elsewhere: true}},
		{problem.UpstreamMalformed, Verdict{Blame: true, Elsewhere: true}},
		{problem.EngineUnavailable, Verdict{Blame: true, Elsewhere: true}},
		{problem.EngineStopped, Verdict{Blame: true, Elsewhere: true}},
		{problem.FirstToken, Verdict{Blame: true, Elsewhere: true}},
		{problem.AnswerTimeout, Verdict{Blame: true, Elsewhere: true}},
		{problem.UpstreamKey, Verdict{Elsewhere: true}},
		{problem.ModelNotFound, Verdict{Elsewhere: true}},
		{problem.NotOffered, Verdict{Elsewhere: true}},
		{problem.Timeout, Verdict{}},
		{problem.Cancelled, Verdict{}},
		{problem.InvalidRequest, Verdict{}},
		{problem.ContextExceeded, Verdict{}},
		{problem.UpstreamRefused, Verdict{}},
		{problem.ShuttingDown, Verdict{}},
	} {
		if got := Judge(problem.New(c.kind, "")); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.kind, got, c.want)
		}
	}
}

func TestPausesEnd(t *testing.T) {
	away, refused := problem.New(problem.UpstreamUnreachable, ""), problem.New(problem.UpstreamRefused, "")
	later := problem.New(problem.RateLimited, "")
	later.RetryAfter = 3 * time.Second
	muchLater := problem.New(problem.RateLimited, "")
	muchLater.RetryAfter = time.Minute

	p, n := NewPauses(), 1
	for {
		wait, ok := p.Next(away, time.Hour)
		if !ok {
			break
		}
		if n++; wait <= 0 || wait > longestPause {
			t.Fatalf("pause %d is %s", n, wait)
		}
	}
	if n != rounds {
		t.Errorf("%d rounds", n)
	}
	for _, c := range []struct {
		name  string
		e     *problem.Error
		left  time.Duration
		least time.Duration
		ok    bool
	}{
		{"a refusal is not asked again", refused, time.Hour, 0, false},
		{"Retry-After is followed", later, time.Hour, 3 * time.Second, true},
		{"a long one is the client's", muchLater, time.Hour, 0, false},
		{"no time is left", later, 2 * time.Second, 0, false},
	} {
		if wait, ok := NewPauses().Next(c.e, c.left); ok != c.ok || ok && wait < c.least {
			t.Errorf("%s: %s, %v", c.name, wait, ok)
		}
	}
}
