package problem

import (
	"net/http"
	"path"
	"strings"
)

// Mux is an http.ServeMux whose own answers, for an unknown path or a wrong
// method, are problem documents too.
type Mux struct{ *http.ServeMux }

// NewMux returns an empty Mux.
func NewMux() Mux { return Mux{http.NewServeMux()} }

// ServeHTTP serves r by the pattern that matches it.
func (m Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !clean(r.URL.Path) { // ServeMux would redirect, which turns a POST into a GET
		Write(w, r, notFound(r))
		return
	}
	handler, pattern := m.Handler(r)
	switch {
	case pattern == "":
	case strings.Contains(pattern, "{"): // the values of its wildcards are found there only
		m.ServeMux.ServeHTTP(w, r)
		return
	default: // which would look for it once more
		r.Pattern = pattern
		handler.ServeHTTP(w, r)
		return
	}
	probe := &probe{header: http.Header{}}
	handler.ServeHTTP(probe, r)
	if probe.status != http.StatusMethodNotAllowed {
		Write(w, r, notFound(r))
		return
	}
	allow := probe.header.Get("Allow")
	e := Newf(MethodNotAllowed, "%s does not take %s, only %s.", r.URL.Path, r.Method, allow)
	e.Allow = strings.Split(allow, ", ")
	Write(w, r, e)
}

func notFound(r *http.Request) *Error {
	return Newf(NotFound, "Nothing is served at %s.", instance(r.URL))
}

func clean(p string) bool {
	c := path.Clean(p)
	return c == p || c+"/" == p
}

// probe hears what ServeMux would have answered.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) WriteHeader(status int)      { p.status = status }
