// Package httpconn asks servers over plain HTTP/1.1 on the goroutine that wants the
// answer. net/http's Transport has two goroutines for each connection, and hands every
// request and every piece of an answer from one to the other: next to an engine on the
// same machine, these switches are a good part of what a gateway costs. This client has
// none of its own. What it does not do it leaves to the Transport: TLS, proxies,
// redirects, compression, upgrades, and bodies that are large or of unknown length.
package httpconn

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"mlxbar/backend/gateway/socket"
)

// MaxBody is the largest body of a request. What is larger may not fit into the buffers of
// the system; then one goroutine cannot both send it and hear that it was refused.
const MaxBody = 64 << 10

// Client is an http.RoundTripper. Like http.Transport it returns any answer as it is, asks
// a second time on a new connection when a kept one turns out to be dead – if the request
// may be repeated, or nothing of it was sent –, and regards a request as repeatable that has an entry
// Idempotency-Key in its header, be it an empty one, which is not sent.
type Client struct {
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// IdleTime is how long a connection is kept without a use.
	IdleTime time.Duration
	// MaxIdle is how many connections to one address are kept.
	MaxIdle int

	traffic socket.Traffic

	mu    sync.Mutex
	idle  map[string][]*conn // the last one used at the end
	sweep *time.Timer        // runs while a connection is kept
}

// DialError is a connection that could not be made.
type DialError struct{ Err error }

func (e *DialError) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *DialError) Unwrap() error { return e.Err }

// Takes says whether requests with a body of size bytes to u are for this client.
func Takes(u *url.URL, size int64) bool {
	return u.Scheme == "http" && size >= 0 && size <= MaxBody && plain(u.Host)
}

// RoundTrip asks once, or twice. The body of the answer must be closed; then its
// connection is kept for others if the body was read to its end, or is Whole.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	if !Takes(req.URL, req.ContentLength) || req.Method == http.MethodHead || req.Method == http.MethodConnect {
		return nil, errors.New("httpconn: not a request for this client")
	}
	message, err := compose(req)
	if err != nil {
		return nil, err
	}
	defer message.free()
	ctx, addr := req.Context(), address(req.URL)
	if cn := c.take(addr); cn != nil {
		resp, err := cn.exchange(req, message.b)
		if err == nil || !c.repeats(req, err) {
			return resp, err
		}
	}
	cn, err := c.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return cn.exchange(req, message.b)
}

// repeats says whether a request may be sent on a new connection after err.
func (c *Client) repeats(req *http.Request, err error) bool {
	var dead *deadError
	if !errors.As(err, &dead) || req.Context().Err() != nil {
		return false
	}
	_, repeatable := req.Header["Idempotency-Key"]
	return dead.unsent || repeatable
}

func (c *Client) dial(ctx context.Context, addr string) (*conn, error) {
	nc, err := c.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, &DialError{err}
	}
	return newConn(c, addr, nc), nil
}

// take gives a kept connection that is still good, or nil.
func (c *Client) take(addr string) *conn {
	for {
		c.mu.Lock()
		kept := c.idle[addr]
		if len(kept) == 0 {
			c.mu.Unlock()
			return nil
		}
		cn := kept[len(kept)-1]
		kept[len(kept)-1] = nil
		c.idle[addr] = kept[:len(kept)-1]
		c.mu.Unlock()
		if cn.ready() {
			return cn
		}
		cn.nc.Close()
	}
}

// keep takes a connection back.
func (c *Client) keep(cn *conn) {
	cn.idleSince = time.Now()
	c.mu.Lock()
	kept := c.idle[cn.addr]
	if len(kept) >= c.MaxIdle {
		c.mu.Unlock()
		cn.nc.Close()
		return
	}
	if c.idle == nil {
		c.idle = map[string][]*conn{}
	}
	c.idle[cn.addr] = append(kept, cn)
	if c.sweep == nil {
		c.sweep = time.AfterFunc(c.IdleTime, c.closeOld)
	}
	c.mu.Unlock()
}

// closeOld closes what has been idle for long, and comes back while anything is kept.
func (c *Client) closeOld() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, next := time.Now(), time.Duration(0)
	for addr, kept := range c.idle {
		old := 0
		for old < len(kept) && now.Sub(kept[old].idleSince) >= c.IdleTime {
			kept[old].nc.Close()
			old++
		}
		if old == len(kept) {
			delete(c.idle, addr)
			continue
		}
		n := copy(kept, kept[old:])
		clear(kept[n:])
		c.idle[addr] = kept[:n]
		if left := c.IdleTime - now.Sub(kept[0].idleSince); next == 0 || left < next {
			next = left
		}
	}
	if c.sweep = nil; next > 0 {
		c.sweep = time.AfterFunc(next, c.closeOld)
	}
}

// CloseIdleConnections closes what is kept. What is in use is kept again after it.
func (c *Client) CloseIdleConnections() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, kept := range c.idle {
		for _, cn := range kept {
			cn.nc.Close()
		}
	}
	clear(c.idle)
	if c.sweep != nil {
		c.sweep.Stop()
		c.sweep = nil
	}
}

// address is host and port of u.
func address(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), "80")
}
