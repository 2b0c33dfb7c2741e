package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"mlxbar/backend/settings"
)

// place is where the server listens.
type place struct {
	moved atomic.Bool // it has been elsewhere before

	mu       sync.Mutex
	listener net.Listener
}

func (p *place) set(l net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener = l
}

func (p *place) now() net.Listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listener
}

// move puts l in the place of the listener, and gives that.
func (p *place) move(l net.Listener) (left net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left, p.listener = p.listener, l
	p.moved.Store(true)
	return left
}

// left says whether the server is no longer at addr.
func (p *place) left(addr net.Addr) bool {
	return p.moved.Load() && addr.String() != p.now().Addr().String()
}

// addr is where the server listens, with the port that it got.
func (s *Server) addr() string { return s.place.now().Addr().String() }

// followAddr has the server listen where server.addr says, from its next change on, and returns
// what ends that. The new address is bound before the change is in force: one that cannot be
// had is a fault of that field. Settings call these one at a time.
func (s *Server) followAddr() func() error {
	if s.opts.Addr != "" {
		return func() error { return nil }
	}
	var next net.Listener
	forget := s.settings.Prepare(func(old, now settings.Settings) (func(), error) {
		if old.Server.Addr == now.Server.Addr || s.at(now.Server.Addr) {
			return nil, nil
		}
		l, err := bind(context.Background(), now.Server.Addr)
		if err != nil {
			return nil, addrFault(now.Server.Addr, err)
		}
		next = l
		return func() { next.Close(); next = nil }, nil
	})
	unsubscribe := s.settings.Subscribe(func(_, _ settings.Settings) {
		if next != nil {
			s.moveTo(next)
			next = nil
		}
	})
	return func() error { forget(); unsubscribe(); return nil }
}

// at says whether addr is another name for where the server listens already.
func (s *Server) at(addr string) bool {
	resolved, err := net.ResolveTCPAddr("tcp", addr)
	return err == nil && resolved.String() == s.addr()
}

func addrFault(addr string, err error) error {
	why := "cannot be listened on"
	if in := new(takenError); errors.As(err, &in) {
		why = "cannot be taken: " + in.Error()
	}
	return &settings.Invalid{Fields: []settings.FieldError{{Location: "server.addr", Detail: why, Value: addr}}}
}

// moveTo serves on l and no longer where it was. What runs there goes on; its connections
// end with the answers that they carry.
func (s *Server) moveTo(l net.Listener) {
	left := s.place.move(l)
	s.serveOn(l)
	if err := s.writeServerFile(); err != nil {
		s.log.Error("tray and window cannot find the new address", "addr", s.addr(), "cause", err)
	}
	if err := left.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Error("the old address is still listened on", "addr", left.Addr().String(), "cause", err)
	}
	s.log.Info("moved", "from", left.Addr().String(), "addr", s.addr())
	s.publishState()
}

// serveOn answers on l until the server stops or moves elsewhere.
func (s *Server) serveOn(l net.Listener) {
	s.serves.Go(func() {
		err := s.http.Serve(l)
		if errors.Is(err, http.ErrServerClosed) || s.place.now() != l {
			return
		}
		select {
		case s.failed <- fmt.Errorf("serve on %s: %w", l.Addr(), err):
		default: // it is ending for another such reason
		}
	})
}

// seeOff ends connections to an address that the server has left, each with its next answer.
func (s *Server) seeOff(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && s.place.left(at) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
