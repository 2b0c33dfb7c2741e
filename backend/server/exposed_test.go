package server_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"mlxbar/backend/admin"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/testkit"
)

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

// makeKey has the server give out an API key.
func (h *house) makeKey() string {
	h.t.Helper()
	body := h.text(h.request("POST", "/api/keys", `{"name": "another machine"}`), 201)
	_, rest, _ := strings.Cut(body, `"secret":"`)
	secret, _, ok := strings.Cut(rest, `"`)
	if !ok {
		h.t.Fatalf("no secret in %s", body)
	}
	return secret
}

// keysAreRequired holds that nobody asks without a key, whatever the settings say.
func (h *house) keysAreRequired(secret string) {
	h.t.Helper()
	for name, c := range map[string]struct {
		given string
		says  string // "" for an answer
	}{
		"no key":                {"", "mlxbar keys create NAME makes one"},
		"a key of nobody":       {"Bearer sk-other", "gave out"},
		"a key":                 {"Bearer " + secret, ""},
		"the owner's own pages": {"Bearer " + h.token, ""},
	} {
		for _, path := range []string{"/v1/models", "/v1/chat/completions"} {
			method, body := "GET", ""
			if path != "/v1/models" {
				method, body = "POST", `{"model": "ok", "messages": [{"role": "user", "content": "hello"}]}`
			}
			resp := h.request(method, path, body, header("Authorization", c.given))
			if c.says == "" {
				h.text(resp, 200)
			} else if d := h.problem(resp, problem.InvalidKey); !strings.Contains(d.Detail, c.says) {
				h.t.Errorf("%s at %s is told %q", name, path, d.Detail)
			}
		}
	}
}

// connectAsksForKeys holds that tools are told of the key that they need.
func (h *house) connectAsksForKeys() {
	h.t.Helper()
	var list admin.Connect
	if err := json.Unmarshal([]byte(h.text(h.request("GET", "/api/connect?model=ok", ""), 200)), &list); err != nil {
		h.t.Fatal(err)
	}
	if !list.KeyRequired || list.URL != h.url {
		h.t.Errorf("tools are told of %s, a key required: %v", list.URL, list.KeyRequired)
	}
	for _, tool := range list.Tools {
		if text := fmt.Sprint(tool.Snippets); tool.ID != "cursor" && !strings.Contains(text, list.KeyVariable) {
			h.t.Errorf("%s is told of no key: %s", tool.ID, text)
		}
	}
	if r := h.check("curl", "ok", ""); !r.OK || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "requires an API key") {
		h.t.Errorf("a check without a key: %+v", r)
	}
}

func TestWhereOtherMachinesCanAskKeysAreRequired(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0"} {
		t.Run(addr, func(t *testing.T) {
			h := newHouse(t, testkit.NewUpstream(t).URL)
			h.opts.Addr = addr
			h.start()
			s := h.status()
			if host, _, _ := net.SplitHostPort(addr); !strings.Contains(s.Addr, host) {
				t.Errorf("it listens on %s", s.Addr)
			}
			if !s.Exposed || s.URL != h.url || h.recordedURLOf(s.Addr) != h.url {
				t.Errorf("the status is %+v, server.json says %s", s, h.recordedURLOf(s.Addr))
			}
			if line := testkit.Receive(t, h.said); !strings.Contains(line, "other machines can reach it at "+s.Addr) || !strings.Contains(line, "mlxbar keys create NAME") {
				t.Errorf("after the ready line it says %q", line)
			}
			if !strings.Contains(h.log.String(), "other machines can reach the server") {
				t.Errorf("the log has no word of it: %s", h.log.String())
			}
			h.connectAsksForKeys()
			h.keysAreRequired(h.makeKey())
			for _, path := range []string{"/healthz", "/readyz", "/metrics", "/problems/not-found"} {
				h.text(h.request("GET", path, "", header("Authorization", "")), 200)
			}
			h.problem(h.request("GET", "/api/status", "", header("Authorization", "")), problem.Unauthorized)
			h.problem(h.request("GET", "/healthz", "", host("evil.example")), problem.ForeignHost)
			h.problem(h.request("GET", "/healthz", "", host("0.0.0.0")), problem.ForeignHost)
		})
	}
}

// The port is the same, and every address cannot be had beside the one that the server has.
func TestTheServerMovesToEveryAddressOfItsPortAndBack(t *testing.T) {
	h := newMovable(t, testkit.NewUpstream(t).URL)
	h.start()
	if h.status().Exposed {
		t.Error("on loopback other machines are said to reach it")
	}
	h.text(h.request("GET", "/v1/models", "", header("Authorization", "")), 200)
	secret := h.makeKey()
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(h.url, "http://"))
	for range 2 {
		h.text(h.request("PATCH", "/api/settings", fmt.Sprintf(`{"server": {"addr": "0.0.0.0:%s"}}`, port)), 200)
		if s := h.status(); !s.Exposed || s.Addr != "0.0.0.0:"+port || s.URL != h.url {
			t.Errorf("the status is %+v", s)
		}
		h.keysAreRequired(secret)
		if resp := h.request("GET", "/healthz", ""); resp.Close || h.text(resp, 200) == "" {
			t.Error("connections to every address end with each answer")
		}
		h.text(h.request("PATCH", "/api/settings", fmt.Sprintf(`{"server": {"addr": "127.0.0.1:%s"}}`, port)), 200)
		if s := h.status(); s.Exposed || s.Addr != "127.0.0.1:"+port {
			t.Errorf("the status is %+v", s)
		}
		h.text(h.request("GET", "/v1/models", "", header("Authorization", "")), 200)
	}
}
