package admin_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mlxbar/backend/gateway/problem"
)

// from is a request as it comes in at 192.168.1.5.
func from(remote, method, path, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr, r.Host = remote, "192.168.1.5:10242"
	r.Header.Set("Content-Type", "application/json")
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(192, 168, 1, 5), Port: 10242}))
}

const (
	neighbour = "192.168.1.9:50000"
	itself    = "192.168.1.5:50000" // this machine, by its address in the network
)

// The token must not cross the network: from another machine a browser logs in by a link.
func TestFromAnotherMachineABrowserLogsInByALinkOnly(t *testing.T) {
	h := newHouse(t)
	ask := func(r *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, r)
		return w
	}
	login := `{"token": "` + token + `"}`
	if w := ask(from(neighbour, "POST", "/api/session", login)); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "mlxbar link") || len(w.Result().Cookies()) != 0 {
		t.Errorf("the token is answered with %d %s", w.Code, w.Body)
	}
	if w := ask(from(itself, "POST", "/api/session", login)); w.Code != http.StatusNoContent {
		t.Errorf("on this machine the token is answered with %d %s", w.Code, w.Body)
	}
	_, code, _ := strings.Cut(h.api.LoginLink(), "/login")
	w := ask(from(neighbour, "GET", "/login"+code, ""))
	cookies := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || len(cookies) != 1 {
		t.Fatalf("a link is answered with %d, %v", w.Code, cookies)
	}
	r := from(neighbour, "GET", "/api/status", "")
	if w := ask(r); w.Code != http.StatusUnauthorized {
		t.Errorf("without a session the state is answered with %d", w.Code)
	}
	r.AddCookie(cookies[0])
	if w := ask(r); w.Code != http.StatusOK {
		t.Errorf("with a session the state is answered with %d %s", w.Code, w.Body)
	}
}

func TestWhatIsForThisMachineIsForItsOwnerElsewhere(t *testing.T) {
	h := newHouse(t)
	guarded := h.api.FromHere(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for name, c := range map[string]struct {
		remote, authorization string
		status                int
	}{
		"this machine":           {itself, "", http.StatusTeapot},
		"loopback":               {"127.0.0.1:50000", "", http.StatusTeapot},
		"another":                {neighbour, "", problem.Unauthorized.Status()},
		"another, a wrong token": {neighbour, "Bearer x", problem.Unauthorized.Status()},
		"its owner on another":   {neighbour, "Bearer " + token, http.StatusTeapot},
	} {
		r, w := from(c.remote, "GET", "/metrics", ""), httptest.NewRecorder()
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		if guarded(w, r); w.Code != c.status {
			t.Errorf("%s is answered with %d", name, w.Code)
		}
	}
}
