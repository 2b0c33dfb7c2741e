package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	gopsnet "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
)

// listen takes the port before anything else is opened: that it is taken is the
// commonest reason why a server cannot start.
func (s *Server) listen(ctx context.Context) error {
	addr := s.settings.Current().Server.Addr
	if s.opts.Addr != "" {
		addr = s.opts.Addr
	}
	if err := checkAddr(addr); err != nil {
		return err
	}
	l, err := bind(ctx, addr)
	if in := new(takenError); errors.As(err, &in) {
		return fmt.Errorf("%w; end that program, or choose another port with --addr 127.0.0.1:PORT or server.addr in settings.json", err)
	}
	if err != nil {
		return err
	}
	s.place.set(l)
	s.warnExposed()
	s.onClose(func() error {
		if err := s.place.now().Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

// bind takes an address. 0.0.0.0 is every one of IPv4 and no other, [::] every one of both.
func bind(ctx context.Context, addr string) (net.Listener, error) {
	network := "tcp"
	if at, err := netip.ParseAddrPort(addr); err == nil && at.Addr().Is4() {
		network = "tcp4"
	}
	l, err := new(net.ListenConfig).Listen(ctx, network, addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, taken(ctx, addr)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
	}
	return l, nil
}

// checkAddr holds an address to be an IP address, or localhost: what a name leads to can change. The settings
// hold theirs to the same, so what is wrong here came with --addr.
func checkAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("--addr %s is not HOST:PORT, such as 127.0.0.1:10242", addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("--addr %s has no port from 0 to 65535", addr)
	}
	if host != "localhost" && net.ParseIP(host) == nil {
		return fmt.Errorf("--addr %s has no IP address for a host; use 127.0.0.1, [::1] or localhost for this machine alone, or 0.0.0.0 for every address of it, where API keys are required", addr)
	}
	return nil
}

// takenError is a port that somebody else holds.
type takenError struct{ port, holder string }

func (e *takenError) Error() string { return fmt.Sprintf("port %s is taken by %s", e.port, e.holder) }

func taken(ctx context.Context, addr string) error {
	_, port, _ := net.SplitHostPort(addr)
	e := &takenError{port, "another program"}
	if holder := portHolder(ctx, port); holder != "" {
		e.holder = holder
	}
	return e
}

// portHolder names the process that listens on port, "" where the system does
// not tell (another user's process, for one).
func portHolder(ctx context.Context, port string) string {
	number, err := strconv.ParseUint(port, 10, 32)
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	connections, err := gopsnet.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return ""
	}
	for _, c := range connections {
		if c.Status != "LISTEN" || uint64(c.Laddr.Port) != number || c.Pid == 0 {
			continue
		}
		p, err := process.NewProcessWithContext(ctx, c.Pid)
		if err != nil {
			return fmt.Sprintf("process %d", c.Pid)
		}
		name, err := p.NameWithContext(ctx)
		if err != nil {
			return fmt.Sprintf("process %d", c.Pid)
		}
		return fmt.Sprintf("%s (process %d)", name, c.Pid)
	}
	return ""
}
