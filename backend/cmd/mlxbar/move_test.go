package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"mlxbar/backend/desktop"
	"mlxbar/backend/testkit"
)

// Tray and window find the server where it has moved to: the first by watching it, the second
// with its next request.
func TestTrayAndWindowFollowTheServerToANewAddress(t *testing.T) {
	h := newHouse(t)
	if err := h.paths.EnsureDirs(); err != nil {
		t.Fatal(err)
	}
	h.write(h.paths.Settings, `{"server": {"addr": "127.0.0.1:0"}}`)
	p := h.serve("--addr", "") // the later one counts: as the settings say
	host := desktop.NewHost(h.paths.Root)
	defer host.Close()
	ctx, cancel := context.WithCancel(t.Context())
	states, watched := make(chan desktop.State, 16), make(chan error, 1)
	go func() { watched <- host.Watch(ctx, func(s desktop.State) { states <- s }) }()
	if s := testkit.Receive(t, states); s.Phase != desktop.Running || s.Server.URL != p.url {
		t.Fatalf("the tray sees %+v", s)
	}
	window := httptest.NewServer(host.Proxy())
	defer window.Close()
	ask := func(method, path, body string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, window.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := window.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	old := p.url
	for _, addr := range []string{"localhost:0", "127.0.0.1:0", "localhost:0"} { // there, and on
		if status := ask("PATCH", "/api/settings", `{"server": {"addr": "`+addr+`"}}`); status != 200 {
			t.Fatalf("PATCH: %d", status)
		}
		if status := ask("GET", "/api/status", ""); status != 200 {
			t.Errorf("right after the move the window gets %d", status)
		}
		s := testkit.Receive(t, states)
		for s.Phase == desktop.Stopping { // a look that came in the midst of it
			s = testkit.Receive(t, states)
		}
		if s.Phase != desktop.Running || s.Server.URL == old {
			t.Fatalf("the tray sees %+v, the server was at %s", s, old)
		}
		old = s.Server.URL
	}
	cancel()
	if err := testkit.Receive(t, watched); err != nil {
		t.Error(err)
	}
	p.signal(syscall.SIGTERM)
	p.ends()
}
