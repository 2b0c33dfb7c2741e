// Package httpserver answers requests on the goroutine of their connection. net/http starts another one for
// each request, which waits for the client to leave, and ends it with the answer: next to an upstream on the
// same machine, waking and ending it is a fifth of what a gateway costs. Here a request has run for a moment before
// anybody waits for that. What this server does not take it leaves to net/http, connection and all: other paths and
// methods, bodies in chunks or without a length, upgrades, and whatever is not plain HTTP/1.1 to the letter.
package httpserver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"mlxbar/backend/gateway/socket"
)

const (
	// moment is how often running requests are looked at: one that was there before has its client watched.
	moment = 25 * time.Millisecond
	// while is how often connections without a request are.
	while = 5 * time.Second
)

// Server stands before an http.Server and takes the requests that Takes says from it.
type Server struct {
	// HTTP answers the rest. Its Handler answers all, its BaseContext, ReadHeaderTimeout and IdleTimeout hold for all.
	HTTP *http.Server
	// Takes says whether POST requests for a path are answered here. Their handler reads the body before it answers.
	Takes func(path string) bool
	// Refusal makes the answer to a request that cannot be read, so that no handler comes to see it. nil leaves it
	// to net/http, which answers in plain text.
	Refusal func(status int) *http.Response

	rest    *handover     // nil before the first Serve
	served  chan struct{} // closed when HTTP has left rest
	date    atomic.Pointer[date]
	brisk   atomic.Bool // the timer comes in a moment
	closing atomic.Bool // set with the lock held
	traffic socket.Traffic

	mu        sync.Mutex
	timer     *time.Timer   // looks at conns while there are any
	gone      chan struct{} // of Shutdown: closed when no connection is left
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
}

// start has the lock held.
func (s *Server) start() {
	s.rest, s.served = newHandover(), make(chan struct{})
	s.conns, s.listeners = map[*conn]struct{}{}, map[net.Listener]struct{}{}
	go func() {
		defer close(s.served)
		s.HTTP.Serve(s.rest) // ends with Shutdown or Close, and with nothing else
	}()
}

// Serve answers what comes in at l until that is closed; after Shutdown or Close it returns http.ErrServerClosed.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		return http.ErrServerClosed
	}
	if s.rest == nil {
		s.start()
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()

	ctx := context.Background()
	if s.HTTP.BaseContext != nil {
		ctx = s.HTTP.BaseContext(l)
	}
	err := s.accept(context.WithValue(ctx, http.ServerContextKey, s.HTTP), l)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
	if s.closing.Load() {
		return http.ErrServerClosed
	}
	return err
}

// accept takes connections. When there are too many files, for one, it waits, as net/http does.
func (s *Server) accept(ctx context.Context, l net.Listener) error {
	pause := time.Duration(0)
	for {
		nc, err := l.Accept()
		var fault net.Error
		if errors.As(err, &fault) && fault.Temporary() {
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.logf("accept a connection: %v; again in %v", err, pause)
			time.Sleep(pause)
			continue
		}
		if err != nil {
			return err
		}
		pause = 0
		c := newConn(s, ctx, nc)
		if !s.track(c) {
			nc.Close()
			continue
		}
		go c.serve()
	}
}

func (s *Server) track(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.conns[c] = struct{}{}
	if len(s.conns) == 1 && !s.brisk.Load() {
		s.arm(while)
	}
	return true
}

func (s *Server) untrack(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.gone != nil && len(s.conns) == 0 {
		close(s.gone)
	}
}

// arm has the lock held.
func (s *Server) arm(d time.Duration) {
	if s.timer == nil {
		s.timer = time.AfterFunc(d, s.look)
		return
	}
	s.timer.Reset(d)
}

// hasten has connections looked at in a moment, for a request has begun.
func (s *Server) hasten() {
	if s.brisk.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.brisk.Swap(true) {
		s.arm(moment)
	}
}

// look has each connection do what it is time for.
func (s *Server) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.brisk.Store(false) // before they are asked: a request that begins after that hastens
	now, busy := time.Now(), false
	for c := range s.conns {
		busy = c.tick(now) || busy
	}
	switch {
	case busy:
		s.brisk.Store(true)
		s.arm(moment)
	case len(s.conns) > 0 && !s.brisk.Load():
		s.arm(while)
	}
}

// Shutdown takes no more connections, ends those that wait for a request, and the others with the answers that
// they carry, until ctx ends. It can be called again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.close()
	for c := range s.conns {
		c.leave()
	}
	if s.gone == nil {
		if s.gone = make(chan struct{}); len(s.conns) == 0 {
			close(s.gone)
		}
	}
	s.mu.Unlock()
	err := s.HTTP.Shutdown(ctx)
	select {
	case <-s.gone:
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
	s.left()
	return err
}

// Close ends everything at once.
func (s *Server) Close() error {
	s.mu.Lock()
	s.close()
	for c := range s.conns {
		c.nc.Close()
	}
	s.mu.Unlock()
	err := s.HTTP.Close()
	s.left()
	return err
}

// close has the lock held.
func (s *Server) close() {
	s.closing.Store(true)
	for l := range s.listeners {
		l.Close() // one that is closed has been left
	}
}

// left waits until HTTP has left its listener. Nobody starts once the server is closing, so rest stays what it is.
func (s *Server) left() {
	if s.rest == nil {
		return
	}
	s.rest.Close() // HTTP.Shutdown has closed it, if it had come to know it
	<-s.served
}

func (s *Server) logf(format string, args ...any) {
	if s.HTTP.ErrorLog != nil {
		s.HTTP.ErrorLog.Printf("http: "+format, args...)
	}
}

// date is what a second looks like in a header.
type date struct {
	second int64
	text   []byte
}

func (s *Server) appendDate(b []byte) []byte {
	now := time.Now()
	d := s.date.Load()
	if d == nil || d.second != now.Unix() {
		d = &date{now.Unix(), now.UTC().AppendFormat(nil, http.TimeFormat)}
		s.date.Store(d)
	}
	return append(b, d.text...)
}
