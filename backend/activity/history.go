package activity

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// step is the length of one point, kept is how many there are: ten minutes.
	step = 5 * time.Second
	kept = 120
)

// Point counts what began and what was generated in five seconds.
type Point struct {
	At       time.Time `json:"at" doc:"The beginning of the five seconds."`
	Requests int64     `json:"requests" doc:"Requests that began."`
	Tokens   int64     `json:"tokens" doc:"Tokens that were generated, counted as they came."`
}

// history counts into a ring. Whoever counts moves it on, so that it needs no clock of
// its own; points in which nothing happened are made up when they are asked for.
type history struct {
	mu   sync.Mutex // held to give a bucket to other seconds
	ring [kept]bucket
}

type bucket struct{ epoch, requests, tokens atomic.Int64 }

func epoch(at time.Time) int64 { return at.Unix() / int64(step/time.Second) }

func (h *history) add(at time.Time, requests, tokens int64) {
	e := epoch(at)
	b := &h.ring[e%kept]
	if b.epoch.Load() != e {
		h.mu.Lock()
		if b.epoch.Load() != e {
			b.requests.Store(0)
			b.tokens.Store(0)
			b.epoch.Store(e)
		}
		h.mu.Unlock()
	}
	b.requests.Add(requests)
	b.tokens.Add(tokens)
}

func (h *history) point(e int64) Point {
	p := Point{At: time.Unix(e*int64(step/time.Second), 0).UTC()}
	if b := &h.ring[e%kept]; b.epoch.Load() == e {
		p.Requests, p.Tokens = b.requests.Load(), b.tokens.Load()
	}
	return p
}

func (h *history) points(now time.Time) []Point {
	all := make([]Point, 0, kept)
	last := epoch(now)
	for e := last - kept + 1; e <= last; e++ {
		all = append(all, h.point(e))
	}
	return all
}
