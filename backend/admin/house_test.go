package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/access"
	"mlxbar/backend/activity"
	"mlxbar/backend/admin"
	"mlxbar/backend/audit"
	"mlxbar/backend/bench/archive"
	"mlxbar/backend/connect"
	"mlxbar/backend/credentials"
	"mlxbar/backend/download"
	"mlxbar/backend/engine"
	"mlxbar/backend/gateway"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/routing"
	"mlxbar/backend/hub"
	"mlxbar/backend/live"
	"mlxbar/backend/models"
	"mlxbar/backend/prices"
	"mlxbar/backend/settings"
	"mlxbar/backend/storage"
	"mlxbar/backend/testkit"
	fakehub "mlxbar/backend/testkit/hub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "a-token-of-the-tests-that-is-long-enough"

// house is the admin API with a real audit and real settings, behind the guard that
// the whole server stands behind. Engines and library are made up.
type house struct {
	t         *testing.T
	url       string
	client    *http.Client
	handler   http.Handler
	db        *storage.DB
	recorder  *audit.Recorder
	live      *live.Hub
	running   *activity.Requests
	hub       *fakehub.Server
	withToken bool // the Hub is sent the token that a keychain of the test's own has
	api       *admin.API
	log       *testkit.Output
	jobs      *jobs
	shutdowns atomic.Int64
	dir       string
}

func (h *house) hubToken(ctx context.Context) (string, error) {
	if !h.withToken {
		return "", nil
	}
	return hub.Token(ctx)
}

// checker finds every tool well, but for one model.
type checker struct{}

func (checker) Check(_ context.Context, tool connect.Tool, model, _ string) (connect.Result, error) {
	if model == "inside" {
		return connect.Result{}, errInside
	}
	return connect.Result{Tool: tool.ID, Model: model, OK: true, Summary: tool.ID + " asked " + model, Notes: []string{}, Dropped: []string{}}, nil
}

type engines struct{}

// errInside is what no client may read.
var errInside = errors.New("secret of the inside")

func (engines) States() []engine.Status {
	return []engine.Status{{Model: "loaded", Engine: "llamacpp", State: engine.Ready, PID: 7, MemoryBytes: 5 << 20, InFlight: 1}}
}

func (engines) Memory() engine.Memory {
	return engine.Memory{LimitBytes: 3 << 20, UsedBytes: 2 << 20, MachineBytes: 4 << 20}
}

func (engines) Need(m models.Model) engine.Need { return engine.Need{Bytes: 2 * m.Size, Tokens: 7} }

func (engines) EngineOf(models.Format) string { return "llamacpp" }

func (engines) Load(model string) error { return fate(model) }

func (engines) Unload(_ context.Context, model string) error { return fate(model) }

func fate(model string) error {
	switch model {
	case "loaded", "idle":
		return nil
	case "broken":
		return &engine.LoadError{Model: model, Reason: "The model's file cannot be used: it is cut off.", Cause: errInside}
	case "large":
		return &engine.LoadError{Model: model, Reason: "It is expected to take 9 GB.", Cause: engine.ErrTooLarge}
	case "closed":
		return engine.ErrClosed
	case "defect":
		return errInside
	}
	return engine.ErrUnknownModel
}

type library struct{ err error }

func (l library) List() ([]models.Model, error) {
	return []models.Model{{Name: "idle", Size: 1 << 20, Format: models.GGUF}, {Name: "loaded", Size: 2 << 20, Format: models.GGUF}}, l.err
}

func (l library) Contents() (models.Contents, error) {
	list, err := l.List()
	return models.Contents{
		Models: list, Broken: []*models.BrokenError{{File: "broken.gguf", Problem: "it is cut off"}}, Folders: []models.Folder{{Path: "/models"}},
	}, err
}

// trash has one model of its own, and one that is broken.
type trash struct{}

func (trash) Remove(name string, broken bool, now time.Time) (time.Time, error) {
	switch {
	case name == "loaded" && !broken, name == "cut" && broken:
		return now.Add(models.UndoTime), nil
	case name == "idle":
		return time.Time{}, models.ErrElsewhere
	}
	return time.Time{}, models.ErrUnknown
}

func (trash) Restore(name string, _ time.Time) error {
	if name != "loaded" {
		return models.ErrNothingToRestore
	}
	return nil
}

// newHouse serves the API; change may replace a part of it.
func newHouse(t *testing.T, change ...func(*admin.Config)) *house {
	t.Helper()
	h := &house{t: t, live: live.NewHub(), running: activity.NewRequests(), log: &testkit.Output{}, jobs: &jobs{}}
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	dir := t.TempDir()
	h.dir = dir
	set, err := settings.Open(filepath.Join(dir, "settings.json"))
	if err != nil {
		t.Fatal(err)
	}
	if h.db, err = storage.Open(t.Context(), filepath.Join(dir, "mlxbar.db"), storage.Options{}); err != nil {
		t.Fatal(err)
	}
	if h.recorder, err = audit.NewRecorder(t.Context(), h.db, audit.Options{Log: log}); err != nil {
		t.Fatal(err)
	}
	keys, err := access.NewGuard(t.Context(), access.NewStore(h.db))
	if err != nil {
		t.Fatal(err)
	}
	kept := credentials.New(set, os.Getenv)
	h.hub = fakehub.New(t)
	h.hub.Add("maker/Small-GGUF", "small-Q4_K_M.gguf", make([]byte, 5000))
	h.hub.Add("maker/Gated-GGUF", "gated.gguf", make([]byte, 5000))
	h.hub.Gate("maker/Gated-GGUF", "hf_secret")
	client, err := hub.New(hub.Options{Endpoint: h.hub.URL, Token: h.hubToken})
	if err != nil {
		t.Fatal(err)
	}
	downloads, err := download.Open(download.Config{Dir: filepath.Join(dir, "models"), Hub: client, Log: log, Limits: download.Limits{Parallel: 1},
		OnChange: func(j download.Job) {
			if err := h.live.Publish(live.Download, j); err != nil {
				t.Error(err)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	way := gateway.New(gateway.Config{Settings: set.Current, Credentials: kept, Version: "test"})
	config := admin.Config{
		Token: token, Version: "test", Settings: set, Recorder: h.recorder, Records: audit.NewStore(h.db), Engines: engines{}, Library: library{}, Trash: trash{},
		Benchmarks: archive.New(h.db), Jobs: h.jobs, Checker: checker{}, Hub: client, HubToken: hub.Tokens{}, Downloads: downloads, Prices: prices.Open(filepath.Join(dir, "prices.json"), nil),
		Router: routing.NewRouter(), Keys: keys, Credentials: kept, Providers: way, Requests: h.running, Live: h.live, Logger: log, Shutdown: func() { h.shutdowns.Add(1) },
		Status: func() admin.Status {
			return admin.Status{Version: "test", State: admin.StateRunning, URL: h.url, Audit: admin.HealthOf(h.recorder.Err()), Engines: engines{}.States()}
		},
	}
	for _, c := range change {
		c(&config)
	}
	mux := problem.NewMux()
	h.api = admin.Register(mux, config)
	h.handler = gateway.Guard(mux, set.Current, log)
	server := httptest.NewUnstartedServer(h.handler)
	server.Config.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	server.Start()
	h.url, h.client = server.URL, server.Client()
	h.client.Timeout = testkit.Patience
	t.Cleanup(func() {
		server.Close()
		way.Close()
		kept.Close()
		client.Close()
		if err := errors.Join(downloads.Close(), h.recorder.Close(context.Background()), h.db.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// request sends body, as JSON if there is one, with the token.
func (h *house) request(method, path, body string, change ...func(*http.Request)) *http.Response {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for _, c := range change {
		c(req)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func (h *house) text(resp *http.Response, status int) string {
	h.t.Helper()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	if resp.StatusCode != status {
		h.t.Fatalf("%s %s: %s, want %d: %s", resp.Request.Method, resp.Request.URL, resp.Status, status, raw)
	}
	return string(raw)
}

func get[T any](h *house, path string) (v T) {
	h.t.Helper()
	raw := h.text(h.request("GET", path, ""), 200)
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		h.t.Fatalf("%s: %v in %s", path, err, raw)
	}
	return v
}

// problem reads an answer that must be a whole problem document of the kind.
func (h *house) problem(resp *http.Response, kind problem.Kind) problem.Document {
	h.t.Helper()
	raw := h.text(resp, kind.Status())
	var d problem.Document
	if err := json.Unmarshal([]byte(raw), &d); err != nil {
		h.t.Fatalf("no problem document: %v in %q", err, raw)
	}
	if got := resp.Header.Get("Content-Type"); got != problem.ContentType {
		h.t.Errorf("Content-Type %q, want %q", got, problem.ContentType)
	}
	if d.Type != "/problems/"+string(kind) || d.Status != resp.StatusCode || d.Title == "" || d.Detail == "" || d.Instance != resp.Request.URL.Path {
		h.t.Errorf("the document %s, want one of %s that is whole", raw, kind)
	}
	if id := resp.Header.Get("X-Request-ID"); id == "" || d.RequestID != id {
		h.t.Errorf("request_id %q, X-Request-ID %q", d.RequestID, id)
	}
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		h.t.Errorf("headers %v", resp.Header)
	}
	return d
}

// record puts one finished request into the audit.
func (h *house) record(change func(*audit.Record)) audit.Record {
	h.t.Helper()
	r := audit.Record{RequestID: "req_1", Model: "idle", Backend: audit.Local, Endpoint: "/v1/chat/completions", Attempts: 1}
	status, duration := int64(200), 12.5
	end := audit.Success
	if change != nil {
		change(&r)
		if r.Status != "" {
			end = r.Status
		}
	}
	if err := h.recorder.Begin(h.t.Context(), &r); err != nil {
		h.t.Fatal(err)
	}
	r.Status, r.HTTPStatus, r.DurationMS = end, &status, &duration
	if err := h.recorder.End(&r); err != nil {
		h.t.Fatal(err)
	}
	return r
}
