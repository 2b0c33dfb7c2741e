package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"mlxbar/backend/loopback"
	"mlxbar/backend/settings"
)

// place is where the server listens.
type place struct {
	moved atomic.Bool // it has been elsewhere before

	// exposed says that other machines can come there.
	exposed atomic.Bool

	mu       sync.Mutex
	listener net.Listener
	closing  net.Listener // one that makes room for the next
}

func (p *place) set(l net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(l)
}

// put has the lock held.
func (p *place) put(l net.Listener) {
	p.listener = l
	p.exposed.Store(!loopback.Addr(l.Addr().String()))
}

// close ends the listener, and has nobody take that for a failure.
func (p *place) close() (closed net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = p.listener
	p.closing.Close() // it may be closed, which is as well
	return p.closing
}

// needs says whether the end of l is a failure.
func (p *place) needs(l net.Listener) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listener == l && p.closing != l
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
	left = p.listener
	p.put(l)
	p.moved.Store(true)
	return left
}

// left says whether the server is no longer at addr.
func (p *place) left(addr net.Addr) bool {
	return p.moved.Load() && !covers(p.now().Addr(), addr)
}

// covers says whether connections that come in at addr come to a listener there.
func covers(listener, addr net.Addr) bool {
	l, ok := listener.(*net.TCPAddr)
	at, tcp := addr.(*net.TCPAddr)
	return ok && tcp && l.Port == at.Port && (l.IP.IsUnspecified() || l.IP.Equal(at.IP))
}

// addr is where the server listens, with the port that it got.
func (s *Server) addr() string { return s.place.now().Addr().String() }

// url is where programs on this machine find the server.
func (s *Server) url() string {
	addr, ok := s.place.now().Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsUnspecified() {
		return "http://" + s.addr()
	}
	host := "127.0.0.1"
	if addr.IP.To4() == nil {
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

// warnExposed logs it when other machines can reach the server.
func (s *Server) warnExposed() {
	if s.place.exposed.Load() {
		s.log.Warn("other machines can reach the server: requests need an API key, which mlxbar keys create NAME makes, and travel in clear text", "addr", s.addr())
	}
}

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
		l, back, err := s.take(now.Server.Addr)
		if err != nil {
			return nil, addrFault(now.Server.Addr, err)
		}
		next = l
		return func() { next = nil; back() }, nil
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

// take binds an address to move to. back undoes that.
func (s *Server) take(addr string) (l net.Listener, back func(), err error) {
	if !s.inTheWayOf(addr) {
		l, err := bind(context.Background(), addr)
		return l, func() { l.Close() }, err
	}
	// A port of every address cannot be had beside the same port of one. What comes meanwhile, for the
	// blink of an eye, finds nobody.
	old := s.place.close()
	again := func() {
		l, err := bind(context.Background(), old.Addr().String())
		if err != nil {
			s.fails(fmt.Errorf("take the old address back: %w", err))
			return
		}
		s.place.set(l)
		s.serveOn(l)
	}
	if l, err = bind(context.Background(), addr); err != nil {
		again()
		return nil, nil, err
	}
	return l, func() { l.Close(); again() }, nil
}

// inTheWayOf says whether the server's own listener keeps addr from being bound.
func (s *Server) inTheWayOf(addr string) bool {
	next, err := net.ResolveTCPAddr("tcp", addr)
	now, ok := s.place.now().Addr().(*net.TCPAddr)
	return err == nil && ok && next.Port == now.Port && (next.IP.IsUnspecified() || now.IP.IsUnspecified())
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
	s.warnExposed()
	s.publishState()
}

// serveOn answers on l until the server stops or moves elsewhere.
func (s *Server) serveOn(l net.Listener) {
	s.serves.Go(func() {
		err := s.front.Serve(l)
		if !errors.Is(err, http.ErrServerClosed) && s.place.needs(l) {
			s.fails(fmt.Errorf("serve on %s: %w", l.Addr(), err))
		}
	})
}

// fails ends the server.
func (s *Server) fails(err error) {
	select {
	case s.failed <- err:
	default: // it is ending for another such reason
	}
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
