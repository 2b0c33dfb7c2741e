package desktop

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"

	"mlxbar/backend/gateway/problem"
)

// Proxy hands the window's requests to the server, whichever runs at the time, and adds the
// admin token, which thus never enters the page. While no server runs it answers with the
// problem server-stopped.
func (h *Host) Proxy() http.Handler {
	p := &proxy{host: h}
	p.forward = &httputil.ReverseProxy{
		Rewrite:       p.rewrite,
		Transport:     h.client.Transport,
		FlushInterval: -1, // an answer streams token by token
		ModifyResponse: func(resp *http.Response) error {
			if resp.StatusCode == http.StatusUnauthorized { // a new server may have a new token
				p.forget(resp.Request.Context().Value(targetKey{}).(*target))
			}
			return nil
		},
		ErrorHandler: p.failed,
		ErrorLog:     slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	return p
}

type proxy struct {
	host    *Host
	forward *httputil.ReverseProxy

	mu     sync.Mutex
	target *target // nil until found, and again when it no longer answers
}

type target struct {
	url     *url.URL
	token   string
	version string
	written os.FileInfo // run/server.json, as it was when this was found
}

type targetKey struct{}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, err := p.find(r.Context())
	if err != nil {
		problem.Write(w, r, problem.New(problem.ServerStopped, "The server is not running.").Because(err))
		return
	}
	p.forward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), targetKey{}, t)))
}

func (p *proxy) find(ctx context.Context) (*target, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Looked at before it is read: a change in between is seen the next time.
	written, err := os.Stat(p.host.Paths.ServerFile)
	if p.target != nil && err == nil && os.SameFile(written, p.target.written) && written.ModTime().Equal(p.target.written.ModTime()) {
		return p.target, nil
	}
	s, err := p.host.Find(ctx)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	token, err := p.host.token()
	if err != nil {
		return nil, err
	}
	p.target = &target{url: u, token: token, version: s.Version, written: written}
	return p.target, nil
}

func (p *proxy) forget(t *target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.target == t {
		p.target = nil
	}
}

func (p *proxy) rewrite(pr *httputil.ProxyRequest) {
	t := pr.In.Context().Value(targetKey{}).(*target)
	pr.SetURL(t.url) // sets Host as well: the server answers to its own name only
	out := pr.Out.Header
	// The page's origin is wails://, which the server would have to refuse as foreign.
	for _, name := range []string{"Origin", "Referer", "Cookie"} {
		out.Del(name)
	}
	for name := range out {
		if strings.HasPrefix(name, "Sec-Fetch-") {
			out.Del(name)
		}
	}
	out.Set("User-Agent", "mlxbar-app/"+t.version) // so that the audit names the window as the client
	out.Set("Authorization", "Bearer "+t.token)
}

func (p *proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	t := r.Context().Value(targetKey{}).(*target)
	p.forget(t)
	if r.Context().Err() != nil {
		problem.Write(w, r, r.Context().Err())
		return
	}
	slog.Info("the server does not answer the window", "path", r.URL.Path, "cause", err)
	problem.Write(w, r, problem.New(problem.ServerStopped, "The server does not answer.").Because(err))
}
