// Package socket reads and writes a connection's short messages with as little of Go's scheduler as that takes.
//
// A call of the system tells the scheduler that it may block. Where nothing else ran, as in a gateway that waits
// for a token, the first such call wakes the thread that looks after calls that do (the runtime's sysmon), which
// costs more than to read what has come. Go's sockets never block. On Linux they are therefore read and written here
// without telling, in pieces that are soon copied. Elsewhere, and under the race detector, which follows data through the
// ordinary calls, those are made.
//
// The same thread interrupts goroutines that compute for long, and looks for what has come when nobody else does. While it
// sleeps it does neither, until an ordinary call or the timer that was next wakes it: Wake is for before such a computation. And it
// takes the processor's place from a thread that the system has put aside in the middle of a call. Where many goroutines wait for
// a place, that shortens the longest waits, so there the ordinary calls are made: see Traffic.
package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// atOnce is how many bytes one such call reads or writes at most: collecting garbage waits for its end, which is a matter of microseconds.
const atOnce = 32 << 10

// ErrNothing tells that nothing has come.
var ErrNothing = errors.New("socket: nothing has come")

// Socket reads and writes one connection. One goroutine may read while another one writes.
type Socket struct {
	nc      net.Conn
	traffic *Traffic
	raw     syscall.RawConn // nil where there is none
	in, out transfer
}

// New makes the reader and writer of a connection, which its owner closes and never makes blocking.
func New(nc net.Conn, t *Traffic) *Socket {
	s := &Socket{nc: nc, traffic: t}
	if c, ok := nc.(syscall.Conn); ok {
		s.raw, _ = c.SyscallConn() // an error is one of a connection that never was
	}
	s.in.try, s.out.try = s.in.read, s.out.write
	return s
}

// Polls says whether it can be told that nothing has come: not of a connection without a socket.
func (s *Socket) Polls() bool { return s.raw != nil }

// Read implements io.Reader.
func (s *Socket) Read(p []byte) (int, error) { return s.ReadIdle(p, nil) }

// ReadIdle is Read that calls idle before it waits: once, and only if it has to wait, where that can be told. An error of
// idle ends it. Of this connection idle may only write and set deadlines. To look first and then read would be one more call of the system for each event of a stream.
func (s *Socket) ReadIdle(p []byte, idle func() error) (int, error) {
	if s.raw != nil && len(p) > 0 {
		return s.take(p, idle)
	}
	if idle != nil {
		if err := idle(); err != nil {
			return 0, err
		}
	}
	return s.nc.Read(p)
}

// Poll is Read that does not wait but fails with ErrNothing. Where it cannot be told, io.EOF is all there is.
func (s *Socket) Poll(p []byte) (int, error) {
	if s.raw == nil || len(p) == 0 {
		return 0, io.EOF
	}
	return s.take(p, func() error { return ErrNothing })
}

func (s *Socket) take(p []byte, idle func() error) (int, error) {
	t := &s.in
	t.start(p)
	t.idle, t.own = idle, nil
	err := s.raw.Read(t.try)
	t.bytes, t.idle = nil, nil
	switch {
	case t.own != nil:
		return 0, t.own
	case err != nil || t.err != nil:
		return 0, s.failed("read", err, t.err)
	case t.done == 0:
		return 0, io.EOF
	}
	return t.done, nil
}

// Write implements io.Writer.
func (s *Socket) Write(p []byte) (int, error) {
	if s.raw == nil || len(p) == 0 || len(p) > atOnce || s.traffic.dense() {
		return s.nc.Write(p)
	}
	t := &s.out
	t.start(p)
	err := s.raw.Write(t.try)
	t.bytes = nil
	if err != nil || t.err != nil {
		return t.done, s.failed("write", err, t.err)
	}
	return t.done, nil
}

// failed is the error that the connection's own Read or Write would give: waited is of the wait, called of the call.
func (s *Socket) failed(op string, waited, called error) error {
	out := &net.OpError{Op: op, Net: s.nc.LocalAddr().Network(), Source: s.nc.LocalAddr(), Addr: s.nc.RemoteAddr()}
	var whole *net.OpError
	switch {
	case waited == nil:
		out.Err = os.NewSyscallError(op, called)
	case errors.As(waited, &whole):
		out.Err = whole.Err
	default:
		out.Err = waited
	}
	return out
}

// transfer is a read or a write under way, kept so that it costs no memory.
type transfer struct {
	bytes []byte
	done  int
	err   error
	idle  func() error          // nil when it has been called
	own   error                 // of idle
	try   func(fd uintptr) bool // made once; false to be called again when the socket is ready
}

func (t *transfer) start(p []byte) { t.bytes, t.done, t.err = p, 0, nil }

func (t *transfer) read(fd uintptr) bool {
	if t.done, t.err = again(read, fd, t.bytes); t.err != syscall.EAGAIN {
		return true
	}
	t.err = nil
	if idle := t.idle; idle != nil {
		t.idle = nil
		t.own = idle()
	}
	return t.own != nil
}

func (t *transfer) write(fd uintptr) bool {
	for t.done < len(t.bytes) {
		n, err := again(write, fd, t.bytes[t.done:])
		switch {
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			t.err = err
			return true
		case n == 0:
			t.err = io.ErrUnexpectedEOF
			return true
		}
		t.done += n
	}
	return true
}

// again calls until no signal comes between.
func again(call func(int, []byte) (int, error), fd uintptr, p []byte) (n int, err error) {
	for err = syscall.EINTR; err == syscall.EINTR; {
		n, err = call(int(fd), p)
	}
	return max(n, 0), err
}
