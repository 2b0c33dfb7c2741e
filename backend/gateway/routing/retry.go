package routing

import (
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"mlxbar/backend/gateway/problem"
)

const (
	// rounds is how often the targets of a plan are gone through. Who asks waits meanwhile, and most
	// clients try again by themselves.
	rounds = 3
	// longestPause is the most that a request is held back; a longer Retry-After is the client's to follow.
	longestPause = 5 * time.Second
)

var (
	errFailed  = errors.New("the target failed")
	errNothing = errors.New("the attempt says nothing of its target")
)

// Verdict is what a failed attempt means for those that may follow. Nothing of an answer has reached
// the client.
type Verdict struct {
	// Blame says that the target failed, and not the request: it counts for its circuit.
	Blame bool
	// Elsewhere says that another target may do better.
	Elsewhere bool
	// Again says that the same target may be asked once more: it cannot have begun to answer.
	Again bool
}

// Judge tells what an attempt's end by e means.
func Judge(e *problem.Error) Verdict {
	switch e.Kind {
	case problem.UpstreamUnreachable, problem.ConnectTimeout, problem.RateLimited:
		return Verdict{Blame: e.Kind != problem.RateLimited, Elsewhere: true, Again: true}
	case problem.UpstreamFailed, problem.UpstreamOverloaded, problem.UpstreamCut, problem.UpstreamMalformed, problem.EngineStopped, problem.EngineUnavailable:
		return Verdict{Blame: true, Elsewhere: true}
	case problem.UpstreamKey, problem.ModelNotFound, problem.NotOffered, problem.ModelTooLarge, problem.QueueFull: // no pause of ours mends these
		return Verdict{Elsewhere: true}
	case problem.FirstToken, problem.AnswerTimeout:
		return Verdict{Blame: true, Elsewhere: true}
	}
	return Verdict{Elsewhere: e.Elsewhere} // the request's own fault, its client's wish or its time's end
}

// Pauses are the waits between the rounds of one request.
type Pauses struct {
	round   int
	backoff backoff.ExponentialBackOff
}

// NewPauses begins with the first round.
func NewPauses() *Pauses {
	p := &Pauses{round: 1, backoff: backoff.ExponentialBackOff{
		InitialInterval: 250 * time.Millisecond, Multiplier: 2, RandomizationFactor: 0.5, MaxInterval: 2 * time.Second,
	}}
	p.backoff.Reset()
	return p
}

// Next is how long to wait before the targets are asked once more, after the last one's end by e; ok is
// false when they are not. What the upstream says of it (Retry-After) is followed, or the wait is left to
// the client. left is what the request has of its time.
func (p *Pauses) Next(e *problem.Error, left time.Duration) (wait time.Duration, ok bool) {
	if p.round >= rounds || !Judge(e).Again {
		return 0, false
	}
	p.round++
	wait = max(p.backoff.NextBackOff(), e.RetryAfter)
	return wait, wait <= longestPause && wait < left
}
