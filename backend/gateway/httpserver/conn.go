package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"mlxbar/backend/gateway/httphead"
	"mlxbar/backend/gateway/socket"
)

const (
	// bufferSize is how large a head may be to be read here.
	bufferSize = 4 << 10
	// lingerTime is how long a client that still sends has to read the answer.
	lingerTime = 500 * time.Millisecond
)

// state is what a connection does.
type state uint8

const (
	arriving state = iota // a head is on its way
	waiting               // nothing has come since the last answer
	active                // a request runs
	closed
)

// conn is a connection that serves one request after the other.
type conn struct {
	server *Server
	ctx    context.Context
	nc     net.Conn
	socket *socket.Socket
	remote string
	in     *bufio.Reader
	out    []byte // of responses, used again
	held   []byte

	mu     sync.Mutex
	state  state
	since  time.Time // of the state
	cancel context.CancelFunc
	served bool          // a request has begun since the last tick
	ticked bool          // a tick has come since the request began
	whole  bool          // its body has been read, so that nobody reads from the connection
	watch  chan struct{} // closed when the watcher has ended; nil without one
}

func newConn(s *Server, ctx context.Context, nc net.Conn) *conn {
	c := &conn{server: s, nc: nc, socket: socket.New(nc, &s.traffic), since: time.Now()}
	c.in = bufio.NewReaderSize(c.socket, bufferSize)
	if at := nc.RemoteAddr(); at != nil {
		c.remote = at.String()
	}
	c.ctx = context.WithValue(ctx, http.LocalAddrContextKey, nc.LocalAddr())
	return c
}

// serve answers requests until one is not for this server, or the connection ends.
func (c *conn) serve() {
	defer c.server.untrack(c)
	for {
		size, err := c.head()
		if err != nil && !errors.Is(err, errNotOurs) {
			c.nc.Close()
			return
		}
		if err == nil {
			text, _ := c.in.Peek(size)
			var h head
			if h, err = parseHead(text); err == nil && c.server.Takes(h.url.Path) {
				c.in.Discard(size)
				if !c.answer(h) {
					c.nc.Close()
					return
				}
				continue
			}
		}
		first, _ := c.in.Peek(c.in.Buffered())
		c.server.rest.pass(&replayed{Conn: c.nc, first: bytes.Clone(first), refusal: c.server.Refusal})
		return
	}
}

// head waits for a head and tells how long it is.
func (c *conn) head() (int, error) {
	for scanned := 0; ; {
		have, _ := c.in.Peek(c.in.Buffered())
		if !couldBeOurs(have) {
			return 0, errNotOurs
		}
		if n := httphead.End(have, scanned); n > 0 {
			return n, nil
		}
		if scanned = len(have); scanned == bufferSize {
			return 0, errNotOurs
		}
		if scanned > 0 {
			c.enter(arriving)
		}
		if _, err := c.in.Peek(scanned + 1); err != nil {
			return 0, err
		}
	}
}

// enter goes over to another state; false if the connection was closed meanwhile.
func (c *conn) enter(next state) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == closed {
		return false
	}
	if c.state != next {
		c.state, c.since = next, time.Now()
	}
	return true
}

// answer has a request answered; false if the connection ends with it.
func (c *conn) answer(h head) (again bool) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	if !c.begin(cancel, h.length == 0) {
		return false
	}
	c.server.traffic.Begin()
	defer c.server.traffic.End()
	body := &body{conn: c, left: h.length}
	w := &response{conn: c, body: body, header: make(http.Header, 8), length: -1, close: h.last}
	defer func() {
		c.unwatch()
		if v := recover(); v != nil {
			if again = false; v != http.ErrAbortHandler { // its value could hold part of a request
				c.server.logf("panic of a %T serving %s", v, c.remote)
			}
		}
	}()
	c.server.HTTP.Handler.ServeHTTP(w, h.request(ctx, c.remote, body))
	cancel()
	again = w.finish() && !c.server.closing.Load()
	if body.left > 0 {
		c.linger()
	}
	return c.enter(waiting) && again
}

// begin makes a request the running one.
func (c *conn) begin(cancel context.CancelFunc, whole bool) bool {
	if !c.enter(active) {
		return false
	}
	c.mu.Lock()
	c.cancel, c.whole, c.served, c.ticked = cancel, whole, true, false
	c.mu.Unlock()
	c.server.hasten()
	return true
}

// tick looks after the connection; true if it is to be looked at again in a moment.
func (c *conn) tick(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	busy := c.served
	c.served = false
	switch c.state {
	case active:
		if c.ticked && c.whole && c.watch == nil {
			c.watch = make(chan struct{})
			go c.watchClient(c.watch, c.cancel)
		}
		c.ticked = true
		return c.watch == nil
	case arriving:
		c.expire(now, c.server.HTTP.ReadHeaderTimeout)
	case waiting:
		c.expire(now, c.server.HTTP.IdleTimeout)
	}
	return busy
}

// expire has the lock held.
func (c *conn) expire(now time.Time, limit time.Duration) {
	if limit > 0 && now.Sub(c.since) >= limit {
		c.state = closed
		c.nc.Close()
	}
}

// leave closes a connection that has no request.
func (c *conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != active {
		c.state = closed
		c.nc.Close()
	}
}

// watchClient waits for the client to leave and ends its request then. What it sends meanwhile, which
// is its next request, stays in the buffer, and ends the watch.
func (c *conn) watchClient(ended chan<- struct{}, cancel context.CancelFunc) {
	defer close(ended)
	if _, err := c.in.Peek(1); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		cancel()
	}
}

// unwatch ends the watch, so that the next request can be read.
func (c *conn) unwatch() {
	c.mu.Lock()
	watch := c.watch
	c.watch, c.whole = nil, false
	c.mu.Unlock()
	if watch != nil {
		c.nc.SetReadDeadline(time.Unix(1, 0))
		<-watch
		c.nc.SetReadDeadline(time.Time{})
	}
}

// linger lets a client that has not sent all of its body read the answer: to hang up at once would
// take that from it.
func (c *conn) linger() {
	if closeWrite(c.nc) == nil {
		c.nc.SetReadDeadline(time.Now().Add(lingerTime))
		io.Copy(io.Discard, c.in)
	}
}

// body is what a request brings.
type body struct {
	conn   *conn
	left   int64
	closed bool
}

func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case b.left == 0:
		return 0, io.EOF
	}
	n, err := b.conn.in.Read(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); b.left == 0 {
		b.conn.mu.Lock()
		b.conn.whole = true
		b.conn.mu.Unlock()
		return n, io.EOF
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *body) Close() error {
	b.closed = true
	return nil
}

// forget leaves out what has come and was not read; true if that is the rest.
func (b *body) forget() bool {
	if b.left == 0 { // the connection is the watcher's now
		return true
	}
	n, _ := b.conn.in.Discard(int(min(b.left, int64(b.conn.in.Buffered()))))
	b.left -= int64(n)
	return b.left == 0
}
