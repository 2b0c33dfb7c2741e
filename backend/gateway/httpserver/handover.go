package httpserver

import (
	"net"
	"net/http"
	"sync"
)

// handover is the listener from which net/http has the connections that are left to it.
type handover struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// pass gives a connection away.
func (h *handover) pass(nc net.Conn) {
	select {
	case h.conns <- nc:
	case <-h.closed:
		nc.Close()
	}
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case nc := <-h.conns:
		return nc, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr is nobody's: connections know their own.
func (h *handover) Addr() net.Addr { return &net.TCPAddr{} }

// replayed is a connection of which something has been read already.
type replayed struct {
	net.Conn
	first   []byte
	refusal func(status int) *http.Response // of the server
}

func (r *replayed) Read(p []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(p, r.first)
		if r.first = r.first[n:]; len(r.first) == 0 {
			r.first = nil
		}
		return n, nil
	}
	return r.Conn.Read(p)
}

// CloseWrite is for net/http, which has clients read an answer to the end before it hangs up on what they send.
func (r *replayed) CloseWrite() error { return closeWrite(r.Conn) }

func closeWrite(nc net.Conn) error {
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nc.Close()
}
