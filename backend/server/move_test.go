package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"mlxbar/backend/datadir"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/testkit"
)

// newMovable is a house whose server listens where its settings say: on a free port.
func newMovable(t *testing.T, upstream string) *house {
	h := newHouse(t, upstream)
	h.opts.Addr = ""
	h.writeSettings(settingsFor(upstream, `"server": {"addr": "127.0.0.1:0"},`))
	return h
}

// at has the next requests go to another address.
func (h *house) at(url string) *house {
	return &house{t: h.t, paths: h.paths, url: url, token: h.token, client: h.client}
}

// recordedURL is where run/server.json says that the server is.
func (h *house) recordedURL() string { return h.recordedURLOf("") }

// recordedURLOf is recordedURL of a server at addr, "" for where its URL leads.
func (h *house) recordedURLOf(addr string) string {
	h.t.Helper()
	raw, err := os.ReadFile(h.paths.ServerFile)
	if err != nil {
		h.t.Fatal(err)
	}
	var info datadir.ServerInfo
	if err := json.Unmarshal(raw, &info); err != nil || addr == "" && info.URL != "http://"+info.Addr || addr != "" && info.Addr != addr || info.PID != os.Getpid() || info.StartedAt.IsZero() {
		h.t.Fatalf("server.json holds %s, %v", raw, err)
	}
	return info.URL
}

func TestTheServerMovesToANewAddress(t *testing.T) {
	for name, move := range map[string]func(h *house, upstream, addr string){
		"by the API": func(h *house, _, addr string) {
			h.text(h.request("PATCH", "/api/settings", fmt.Sprintf(`{"server": {"addr": %q}}`, addr)), 200)
		},
		"by hand": func(h *house, upstream, addr string) {
			h.writeSettings(settingsFor(upstream, fmt.Sprintf(`"server": {"addr": %q},`, addr)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t)
			h := newMovable(t, g.url)
			h.start()
			if s := h.status(); s.AddrFixed || s.URL != h.url {
				t.Errorf("at first the status is %+v", s)
			}
			live := h.listen("")
			running := h.chat("any", true)
			rest := firstEvent(t, running)
			move(h, g.url, "localhost:0") // another address, and a free port

			e := live.until("state", func(data string) bool { return !strings.Contains(data, `"url":"`+h.url) })
			var told struct{ Addr, URL string }
			if err := json.Unmarshal([]byte(e.data), &told); err != nil || told.URL != "http://"+told.Addr {
				t.Fatalf("listeners hear %s, %v", e.data, err)
			}
			if got := h.recordedURL(); got != told.URL {
				t.Errorf("server.json says %s, listeners hear %s", got, told.URL)
			}
			eventually(t, "the old address takes no connections", h.refusesConnections)
			there := h.at(told.URL)
			if s := there.status(); s.URL != told.URL || s.Addr != told.Addr || !s.Settings.OK || s.InFlight != 1 {
				t.Errorf("there the status is %+v", s)
			}
			g.open() // what runs at the old address ends as if nothing had been
			if raw, err := io.ReadAll(rest); err != nil || !strings.HasSuffix(string(raw), "data: [DONE]\n\n") {
				t.Errorf("the running answer ended with %q, %v", raw, err)
			}
			if id := there.chat("any", false).Header.Get("X-Request-ID"); !strings.Contains(live.until("request.start", nil).data, id) {
				t.Error("a listener at the old address does not hear of requests at the new one")
			}
			h.stop()
			if err := h.wait(); err != nil {
				t.Errorf("Run = %v", err)
			}
			if _, err := os.Stat(h.paths.ServerFile); !os.IsNotExist(err) {
				t.Errorf("server.json after the end: %v", err)
			}
		})
	}
}

// A client keeps its connection open; it must not go on with an address that another
// program may have by then.
func TestConnectionsToAnOldAddressEnd(t *testing.T) {
	h := newMovable(t, testkit.NewUpstream(t).URL)
	h.start()
	if resp := h.request("GET", "/healthz", ""); resp.Close || h.text(resp, 200) == "" {
		t.Error("a connection ended before the server moved")
	}
	h.text(h.request("PATCH", "/api/settings", `{"server": {"addr": "localhost:0"}}`), 200)
	if resp := h.request("GET", "/healthz", ""); !resp.Close || h.text(resp, 200) == "" {
		t.Error("the old connection goes on after the server moved")
	}
	if resp := h.at(h.recordedURL()).request("GET", "/healthz", ""); resp.Close || h.text(resp, 200) == "" {
		t.Error("a connection to the new address ends")
	}
}

func TestAnAddressThatCannotBeHadIsRefused(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := other.Addr().String()
	_, port, _ := net.SplitHostPort(taken)
	up := testkit.NewUpstream(t)
	h := newMovable(t, up.URL)
	h.start()
	for addr, why := range map[string]string{
		taken:             fmt.Sprintf("port %s is taken by ", port),
		"my-mac.local:0":  "an IP address or localhost",
		"198.51.100.7:80": "cannot be listened on",
		"127.0.0.1:99999": "port",
		"[::2]:0":         "cannot be listened on",
	} {
		d := h.problem(h.request("PATCH", "/api/settings", fmt.Sprintf(`{"server": {"addr": %q, "max_body_mb": 7}}`, addr)), problem.InvalidRequest)
		if len(d.Errors) != 1 || d.Errors[0].Location != "server.addr" || !strings.Contains(d.Errors[0].Detail, why) {
			t.Errorf("%s: the faults are %+v", addr, d.Errors)
		}
	}
	if s := h.settings(); s.Server.Addr != "127.0.0.1:0" || s.Server.MaxBodyMB != 64 || h.recordedURL() != h.url || h.status().URL != h.url {
		t.Errorf("after refusals the settings are %+v, the server at %s", s.Server, h.recordedURL())
	}

	// By hand: the status tells of it, and the old address stays.
	live := h.listen("")
	edit := settingsFor(up.URL, fmt.Sprintf(`"server": {"addr": %q},`, taken))
	h.writeSettings(edit)
	live.until("state", func(data string) bool { return strings.Contains(data, `"settings":{"ok":false`) })
	if s := h.status(); !strings.Contains(s.Settings.Problem, "server.addr cannot be taken: port "+port+" is taken by ") || s.URL != h.url {
		t.Errorf("the status is %+v", s)
	}
	// Once the port is free, saving the file again is enough.
	other.Close()
	h.writeSettings(edit)
	live.until("state", func(data string) bool { return strings.Contains(data, `"url":"http://`+taken) })
	if s := h.at("http://" + taken).status(); !s.Settings.OK || s.Addr != taken {
		t.Errorf("there the status is %+v", s)
	}
}

func TestAnotherNameForTheSameAddressChangesNothing(t *testing.T) {
	h := newMovable(t, testkit.NewUpstream(t).URL)
	h.start()
	_, port, _ := strings.Cut(strings.TrimPrefix(h.url, "http://"), ":")
	resolved, err := net.ResolveTCPAddr("tcp", "localhost:0")
	if err != nil || resolved.IP.String() != "127.0.0.1" {
		t.Logf("localhost is %v here, %v", resolved, err)
	}
	for _, addr := range []string{"127.0.0.1:" + port, "localhost:" + port, "127.0.0.1:" + port} {
		h.text(h.request("PATCH", "/api/settings", fmt.Sprintf(`{"server": {"addr": %q}}`, addr)), 200)
		if resp := h.request("GET", "/healthz", ""); resp.Close || h.text(resp, 200) == "" || h.recordedURL() != h.url {
			t.Errorf("at %s the server moved to %s", addr, h.recordedURL())
		}
	}
}

func TestAnAddressOfTheCommandLineStays(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	h.text(h.request("PATCH", "/api/settings", `{"server": {"addr": "localhost:0"}}`), http.StatusOK)
	if s := h.status(); !s.AddrFixed || s.URL != h.url || h.recordedURL() != h.url || h.settings().Server.Addr != "localhost:0" {
		t.Errorf("the status is %+v", s)
	}
}
