package httpconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"mlxbar/backend/gateway/httphead"
	"mlxbar/backend/gateway/socket"
)

const bufferSize = 4 << 10

// conn is a connection that serves one exchange after the other.
type conn struct {
	client    *Client
	addr      string
	nc        net.Conn
	socket    *socket.Socket
	idleSince time.Time

	buf        []byte
	start, end int // buf[start:end] has been read from the connection and is not yet used

	interrupt func()      // made once; ends whatever waits for the connection
	stop      func() bool // takes the interrupt back
	rest      body        // of an answer that was left before its end

	scratch [256]byte // for the rest of an answer

	flush func() error // before the next wait, nil for nothing; called once
	idle  func() error // made once; flushes what is to be flushed
}

func newConn(c *Client, addr string, nc net.Conn) *conn {
	cn := &conn{client: c, addr: addr, nc: nc, socket: socket.New(nc, &c.traffic), buf: make([]byte, bufferSize)}
	cn.interrupt = func() { nc.SetDeadline(time.Unix(1, 0)) }
	cn.idle = func() error {
		flush := cn.flush
		if cn.flush = nil; flush == nil {
			return nil
		}
		return flush()
	}
	return cn
}

// deadError is a connection that ended before anything of an answer came.
type deadError struct {
	err    error
	unsent bool // nothing of the request was sent either
}

func (e *deadError) Error() string { return e.err.Error() }
func (e *deadError) Unwrap() error { return e.err }

// exchange sends a request and reads the head of its answer. After an error the
// connection is closed.
func (cn *conn) exchange(req *http.Request, message []byte) (*http.Response, error) {
	cn.stop = context.AfterFunc(req.Context(), cn.interrupt)
	cn.client.traffic.Begin()
	sent, sendErr := cn.socket.Write(message)
	// A server may refuse a request and close before it has read all of it; its answer may have come.
	h, err := cn.head()
	if err != nil {
		cn.stop()
		cn.client.traffic.End()
		cn.nc.Close()
		if sendErr != nil {
			err = &deadError{sendErr, sent == 0}
		}
		return nil, err
	}
	h.close = h.close || sendErr != nil
	resp := &http.Response{
		Status: h.reason, StatusCode: h.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: h.minor,
		Header: h.header, ContentLength: h.length, Close: h.close, Request: req,
	}
	if h.minor == 0 {
		resp.Proto = "HTTP/1.0"
	}
	if h.chunked {
		resp.TransferEncoding = []string{"chunked"}
	}
	b := &body{cn: cn, reuse: !h.close, chunked: h.chunked, left: h.length}
	if h.length == 0 {
		b.finish()
	}
	resp.Body = b
	return resp, nil
}

// head reads the head of the answer, those of interim ones before it included.
func (cn *conn) head() (h head, err error) {
	for i := range maxInterim + 1 {
		size, err := cn.wholeHead(i == 0)
		if err != nil {
			return h, err
		}
		h, err = parseHead(cn.buf[cn.start : cn.start+size])
		cn.start += size
		switch {
		case err != nil:
			return h, err
		case h.status == http.StatusSwitchingProtocols:
			return h, errUpgrade
		case h.status >= 200:
			return h, nil
		}
	}
	return h, errInterim
}

// wholeHead reads until there is a head, and tells how long it is. With the first one an
// answer begins.
func (cn *conn) wholeHead(first bool) (int, error) {
	for scanned := 0; ; {
		if n := httphead.End(cn.buf[cn.start:cn.end], scanned); n > 0 {
			return n, nil
		}
		scanned = cn.end - cn.start
		if err := cn.fill(maxHead); err != nil {
			if scanned == 0 && first {
				return 0, &deadError{err: fmt.Errorf("read the answer: %w", err)}
			}
			return 0, fmt.Errorf("read the answer's head: %w", unexpected(err))
		}
	}
}

// room makes room for at least a byte behind end; the buffer grows up to limit.
func (cn *conn) room(limit int) error {
	if cn.start == cn.end {
		cn.start, cn.end = 0, 0
	}
	if cn.end < len(cn.buf) {
		return nil
	}
	if cn.start > 0 {
		cn.end = copy(cn.buf, cn.buf[cn.start:cn.end])
		cn.start = 0
		return nil
	}
	if len(cn.buf) >= limit {
		return errHeadSize
	}
	cn.buf = append(cn.buf, make([]byte, len(cn.buf))...)
	return nil
}

// fill waits for more from the connection.
func (cn *conn) fill(limit int) error {
	if err := cn.room(limit); err != nil {
		return err
	}
	n, err := cn.socket.ReadIdle(cn.buf[cn.end:], cn.idle)
	cn.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// poll is fill without waiting.
func (cn *conn) poll() error {
	if err := cn.room(bufferSize); err != nil {
		return err
	}
	n, err := cn.socket.Poll(cn.buf[cn.end:])
	cn.end += n
	return err
}

// ready says whether a kept connection can serve: the rest of its last answer has come,
// nothing else has, and the server has not closed it.
func (cn *conn) ready() bool {
	if !cn.rest.ended() && cn.rest.drain() != io.EOF {
		return false
	}
	return cn.start == cn.end && errors.Is(cn.poll(), socket.ErrNothing)
}

// release is the end of an exchange. The connection is closed if it cannot serve again.
func (cn *conn) release(reuse bool) {
	cn.client.traffic.End()
	if !cn.stop() { // interrupted, or about to be
		reuse = false
	}
	cn.stop, cn.flush = nil, nil
	if !reuse || !cn.socket.Polls() {
		cn.nc.Close()
		return
	}
	if len(cn.buf) > bufferSize && cn.start == cn.end {
		cn.buf, cn.start, cn.end = make([]byte, bufferSize), 0, 0
	}
	cn.client.keep(cn)
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
