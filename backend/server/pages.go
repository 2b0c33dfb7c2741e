package server

import (
	"io/fs"
	"net/http"
	"strings"

	"mlxbar/backend/gateway/problem"
	"mlxbar/frontend"
)

// contentPolicy lets a page load and ask nothing but this server.
const contentPolicy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// registerPages adds the interface's files, each under its own path, so that any
// other path stays unknown. The files are no secret; what they ask for is guarded.
func registerPages(mux problem.Mux) {
	dist := frontend.Dist()
	if !frontend.Built() {
		mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
			problem.Write(w, r, problem.New(problem.NotFound, "This program was built without its pages; `make build` builds both."))
		})
		return
	}
	files := http.FileServerFS(dist)
	mux.Handle("GET /{$}", page(files))
	entries, _ := fs.ReadDir(dist, ".") // embedded: cannot fail
	for _, e := range entries {
		switch name := e.Name(); {
		case e.IsDir():
			mux.HandleFunc("GET /"+name+"/{file...}", func(w http.ResponseWriter, r *http.Request) {
				if info, err := fs.Stat(dist, strings.TrimPrefix(r.URL.Path, "/")); err != nil || info.IsDir() {
					problem.Write(w, r, problem.Newf(problem.NotFound, "Nothing is served at %s.", r.URL.Path))
					return
				}
				w.Header().Set("Cache-Control", "public, max-age=31536000, immutable") // names carry a hash
				page(files).ServeHTTP(w, r)
			})
		case name != "index.html" && !strings.HasPrefix(name, "."):
			mux.Handle("GET /"+name, page(files))
		}
	}
}

func page(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if h.Get("Cache-Control") == "" {
			h.Set("Cache-Control", "no-cache")
		}
		next.ServeHTTP(w, r)
	})
}
