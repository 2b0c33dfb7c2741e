package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/access"
	"mlxbar/backend/activity"
	"mlxbar/backend/audit"
	"mlxbar/backend/credentials"
	"mlxbar/backend/engine"
	"mlxbar/backend/gateway"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/models"
	"mlxbar/backend/prices"
	"mlxbar/backend/settings"
	"mlxbar/backend/storage"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

// TestMain has it noon where the tests are: tokens are counted from one local midnight to the next.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("noon", (12-time.Now().UTC().Hour())*60*60)
	goleak.VerifyTestMain(m)
}

const localModel = "ok"

// house is a gateway with a real audit in front of a scripted upstream, which
// serves as its provider "far" and as its local engine.
type house struct {
	t        *testing.T
	url      string
	handler  http.Handler
	gateway  *gateway.Gateway
	upstream *upstream.Server
	plain    *upstream.Server // see bilingual
	expected expectations
	settings atomic.Pointer[settings.Settings]
	engines  *leases
	recorder *audit.Recorder
	requests *activity.Requests
	records  *audit.Store
	db       *storage.DB
	log      *testkit.Output
	env      map[string]string
	keys     *access.Guard
	prices   atomic.Pointer[prices.Table]
	base     context.CancelCauseFunc
}

// leases stands in for the pool: it hands out the scripted upstream, or fails.
type leases struct {
	url  string
	key  string
	err  error
	gone chan struct{}
	open atomic.Int64 // leases that were not released

	name  string // of the engine
	scope engine.Scope
}

func (l *leases) Acquire(ctx context.Context, model string) (*engine.Lease, error) {
	if l.err != nil {
		return nil, l.err
	}
	if strings.HasPrefix(model, "unknown") {
		return nil, engine.ErrUnknownModel
	}
	l.open.Add(1)
	return engine.NewLease(l.name, l.url, l.key, l.gone, func() { l.open.Add(-1) }), nil
}

// RunnerOf knows unknown models too, as the pool does one whose file has gone.
func (l *leases) RunnerOf(model string) string {
	if strings.HasPrefix(model, "broken") { // its file has no engine
		return ""
	}
	return l.name
}

func (l *leases) Runner(model string) (string, engine.Scope) { return l.name, l.scope }

type shelf []string

func (s shelf) List() (list []models.Model, err error) {
	for _, name := range s {
		list = append(list, models.Model{Name: name, Format: models.GGUF})
	}
	return list, nil
}

func newHouse(t *testing.T, change func(*settings.Settings), opts ...upstream.Option) *house {
	t.Helper()
	h := &house{t: t, upstream: testkit.NewUpstream(t, opts...), log: &testkit.Output{}, env: map[string]string{}}
	s := settings.Defaults()
	s.Providers = []settings.Provider{{Name: "far", Kind: settings.KindOpenAI, BaseURL: h.upstream.URL, APIKeyEnv: "FAR_KEY"}}
	s.Routes = []settings.Route{{Model: "far/*", Targets: []settings.Target{{Provider: "far"}}}}
	h.env["FAR_KEY"] = "sk-far"
	h.prices.Store(&prices.Table{})
	if change != nil {
		change(&s)
	}
	h.settings.Store(&s)
	db, err := storage.Open(t.Context(), filepath.Join(t.TempDir(), "mlxbar.db"), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h.db, h.records = db, audit.NewStore(db)
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if h.recorder, err = audit.NewRecorder(t.Context(), db, audit.Options{Log: log}); err != nil {
		t.Fatal(err)
	}
	if h.keys, err = access.NewGuard(t.Context(), access.NewStore(db)); err != nil {
		t.Fatal(err)
	}
	h.engines = &leases{name: "llamacpp", url: strings.TrimSuffix(h.upstream.URL, "/v1"), key: "sk-engine", gone: make(chan struct{})}
	h.serve(log)
	return h
}

func (h *house) serve(log *slog.Logger) {
	current := func() settings.Settings { return *h.settings.Load() }
	h.requests = activity.NewRequests()
	keys := credentials.New(nil, func(name string) string { return h.env[name] })
	g := gateway.New(gateway.Config{
		Settings: current, Engines: h.engines, Library: shelf{localModel}, Audit: h.recorder, Requests: h.requests, Logger: log,
		Prices: h.prices.Load, Keys: h.keys, Owner: func(r *http.Request) bool { return r.Header.Get("Cookie") == "owner=1" },
		Version: "test", Credentials: keys,
	})
	h.gateway = g
	mux := problem.NewMux()
	g.Register(mux)
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("secret of the inside") })
	base, cancel := context.WithCancelCause(context.Background())
	h.base = cancel
	h.handler = gateway.Guard(mux, current, log)
	server := httptest.NewUnstartedServer(h.handler)
	server.Config.BaseContext = func(net.Listener) context.Context { return base }
	server.Config.DisableGeneralOptionsHandler = true
	server.Config.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	server.Start()
	h.url = server.URL
	h.t.Cleanup(func() {
		server.Close()
		if n := h.engines.open.Load(); n != 0 {
			h.t.Errorf("%d leases were not released", n)
		}
		cancel(nil)
		g.Close()
		for _, up := range []*upstream.Server{h.upstream, h.plain} {
			if up != nil {
				waitFor(h.t, "the gateway has closed its connections", func() bool { open, _ := up.Open(); return open == 0 })
			}
		}
		keys.Close()
		if err := h.recorder.Close(context.Background()); err != nil {
			h.t.Error(err)
		}
		if err := h.db.Close(); err != nil {
			h.t.Error(err)
		}
	})
}

func (h *house) request(method, path, body string, change ...func(*http.Request)) *http.Response {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, c := range change {
		c(req)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { resp.Body.Close(); http.DefaultTransport.(*http.Transport).CloseIdleConnections() })
	return resp
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		if name == "Host" {
			r.Host = value
			return
		}
		r.Header.Set(name, value)
	}
}

func chat(model string, stream bool) string {
	raw, _ := json.Marshal(map[string]any{"model": model, "stream": stream, "messages": []any{map[string]any{"role": "user", "content": "canary-prompt"}}})
	return string(raw)
}

// only waits until the audit is written and gives its one record.
func (h *house) only() audit.Record {
	h.t.Helper()
	deadline := time.Now().Add(testkit.Patience)
	for {
		if err := h.recorder.Flush(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
		page, err := h.records.Query(h.t.Context(), audit.Filter{}, audit.View{Limit: 10})
		if err != nil {
			h.t.Fatal(err)
		}
		if len(page.Records) == 1 && page.Records[0].Status != audit.Running {
			return page.Records[0]
		}
		if len(page.Records) > 1 || time.Now().After(deadline) {
			h.t.Fatalf("records: %+v, want one that has ended", page.Records)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func readBody(t *testing.T, resp *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// readEvents gives the data of each event until the connection ends, and how it ended.
func readEvents(resp *http.Response) (data []string, err error) {
	scanner := bufio.NewScanner(resp.Body)
	scanner.Buffer(nil, 32<<20)
	for scanner.Scan() {
		if d, ok := strings.CutPrefix(scanner.Text(), "data: "); ok {
			data = append(data, d)
		}
	}
	return data, scanner.Err()
}

func readProblem(t *testing.T, resp *http.Response) problem.Document {
	t.Helper()
	if got := resp.Header.Get("Content-Type"); got != problem.ContentType {
		t.Errorf("Content-Type %q, want %q", got, problem.ContentType)
	}
	return parseProblem(t, readBody(t, resp))
}

func parseProblem(t *testing.T, raw string) problem.Document {
	t.Helper()
	var d problem.Document
	if err := json.Unmarshal([]byte(raw), &d); err != nil {
		t.Fatalf("no problem document: %v in %q", err, raw)
	}
	return d
}
