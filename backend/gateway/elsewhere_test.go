package gateway_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"mlxbar/backend/gateway"
	"mlxbar/backend/settings"
)

// at is a request from a neighbour that comes in at an address of this machine.
func at(local, host string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = host
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.ParseIP(local), Port: 10242}))
}

// A page can have its name lead to any address, of this machine in the local network too, but it cannot choose
// what its requests name as Host.
func TestOnlyNamesOfThisMachineAreServed(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	short, _, _ := strings.Cut(name, ".")
	h := gateway.Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }), settings.Defaults, slog.New(slog.DiscardHandler))
	for _, c := range []struct {
		local, host string
		served      bool
	}{
		{"127.0.0.1", "127.0.0.1:10242", true},
		{"127.0.0.1", "localhost", true},
		{"::1", "[::1]:10242", true},
		{"127.0.0.1", "evil.example", false},
		{"127.0.0.1", "192.168.1.5", false},
		{"127.0.0.1", "0.0.0.0:10242", false},
		{"127.0.0.1", "", false},
		{"192.168.1.5", "192.168.1.5:10242", true},
		{"192.168.1.5", "192.168.1.5", true},
		{"192.168.1.5", "192.168.1.6", false},
		{"192.168.1.5", "evil.example:10242", false},
		{"192.168.1.5", "0.0.0.0", false},
		{"192.168.1.5", "", false},
		{"192.168.1.5", name + ":10242", true},
		{"192.168.1.5", strings.ToUpper(short) + ".local.", true},
		{"192.168.1.5", short + ".evil.example", short+".evil.example" == name},
		{"fd00::5", "[fd00::5]:10242", true},
		{"fd00::5", "[fd00::6]:10242", false},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, at(c.local, c.host))
		if (w.Code == http.StatusTeapot) != c.served || !c.served && w.Code != http.StatusMisdirectedRequest {
			t.Errorf("at %s with Host %q: %d %s", c.local, c.host, w.Code, w.Body)
		}
	}
}

// Whatever the settings say, nothing that comes in from the network is answered without a key.
func TestAtAnotherAddressAKeyIsRequired(t *testing.T) {
	h := guarded(t, false)
	r := at("192.168.1.5", "192.168.1.5:10242")
	r.URL.Path = "/v1/models"
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "mlxbar keys create NAME") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
