package server

import (
	"net/http"
	"time"

	"mlxbar/backend/connect"
)

// checker asks this server as tools do. Its requests come in by the listener, as everybody's, and bring the
// admin token where no key is given. Never by a proxy of the environment: they stay on this machine.
func (s *Server) checker() *connect.Checker {
	transport := &http.Transport{Proxy: nil, MaxIdleConns: 4, IdleConnTimeout: 30 * time.Second}
	s.onClose(func() error { transport.CloseIdleConnections(); return nil })
	return &connect.Checker{
		URL: s.url, Pass: s.token, Version: Version,
		Client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}
