package testkit

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Neighbour starts a server of this machine that answers path with body and all else with 404, as Ollama and
// LM Studio do to what they do not know, and gives its address.
func Neighbour(t testing.TB, path, body string) (address string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if _, err := w.Write([]byte(body)); err != nil {
			t.Errorf("the neighbour's answer: %v", err)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}
