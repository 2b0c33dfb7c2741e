package gateway

import (
	"net/http"
	"sync"
	"time"
)

// pace keeps a client that does not send or does not read from holding its request when that should
// end. The connection's deadlines are set only then: to set and lift them for each request is
// noticeable beside a short one.
type pace struct {
	control *http.ResponseController

	mu      sync.Mutex
	reading bool // the body is being read
	hurried bool // a deadline was set
	ended   bool // the connection may serve another request
}

// hurry ends the reading of the body, and gives the client so long to take what it is sent.
func (p *pace) hurry(grace time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.hurried = true
	now := time.Now()
	p.control.SetWriteDeadline(now.Add(grace)) // a test's recorder has none
	if p.reading {
		p.control.SetReadDeadline(now)
	}
}

// read says that the body is being read, or no longer. A request that was hurried before has no
// more time for it.
func (p *pace) read(reading bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reading = reading; reading && p.hurried {
		p.control.SetReadDeadline(time.Now())
	}
}

// end leaves the connection to the next request.
func (p *pace) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended = true; p.hurried {
		p.control.SetWriteDeadline(time.Time{})
		p.control.SetReadDeadline(time.Time{})
	}
}
