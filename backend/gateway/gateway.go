// Package gateway is the address that tools speak to: it checks a request, finds
// where it goes, passes it on, brings the answer back as it comes, and has the
// audit record how it went.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"mlxbar/backend/activity"
	"mlxbar/backend/audit"
	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/listing"
	"mlxbar/backend/gateway/prefix"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/routing"
	"mlxbar/backend/models"
	"mlxbar/backend/prices"
	"mlxbar/backend/settings"
)

// Engines runs models on this machine.
type Engines interface {
	Acquire(ctx context.Context, model string) (*engine.Lease, error)
	// RunnerOf names the engine that runs model, or that failed to; "" if there is none.
	RunnerOf(model string) string
	// Runner names the engine that runs model, or would, and tells what it does.
	Runner(model string) (string, engine.Scope)
}

// Library knows the models on this machine.
type Library interface {
	List() ([]models.Model, error)
}

// Recorder keeps the audit.
type Recorder interface {
	Begin(ctx context.Context, r *audit.Record) error
	End(r *audit.Record) error
	Err() error
}

// Credentials are the keys that providers are asked with.
type Credentials interface {
	// Key is that of p, "" for a provider without one. When one that should be there is not, the error has a Detail
	// for people.
	Key(ctx context.Context, p *settings.Provider) (string, error)
	// Refused hears that p did not take its key.
	Refused(p *settings.Provider)
}

// Config is what a gateway needs.
type Config struct {
	Settings func() settings.Settings
	Engines  Engines
	Library  Library
	Audit    Recorder
	Requests *activity.Requests // those that run
	// Router chooses targets and knows how they fare; nil makes one.
	Router *routing.Router
	// Credentials are the keys that providers are asked with.
	Credentials Credentials
	// Keys are the API keys that were given out; nil for none.
	Keys Keys
	// Exposed says whether other machines can reach the server, so that every request needs a key; nil says no.
	Exposed func() bool
	// Owner says whether a request comes from the server's own pages; nil says no.
	Owner func(*http.Request) bool
	// Instruments hear of every request; may be nil.
	Instruments Instruments
	Logger      *slog.Logger
	Version     string
	// ProbeTime is for tests; 0 is the usual 10 s.
	ProbeTime time.Duration
	// Prices says what providers charge; nil knows of none.
	Prices func() *prices.Table
}

// Gateway serves the inference API.
type Gateway struct {
	Config
	upstream *upstreamClient
	inFlight atomic.Int64
	waiting  atomic.Int64
	lists    *listing.Book
	// convertible is how much of a stream that is converted is taken: of one that is passed on nothing is kept but the
	// arguments of tool calls, which may be as large, while some protocols end with the whole answer.
	convertible int64
	lacking     sync.Map // addresses of endpoints that providers do not have
	prefixes    *prefix.Watch
}

// New makes a gateway. Close it when its last request has ended.
func New(c Config) *Gateway {
	if c.Router == nil {
		c.Router = routing.NewRouter()
	}
	g := &Gateway{Config: c, prefixes: prefix.New(), convertible: maxAnswer, upstream: newUpstreamClient(c.Version, func() settings.Timeouts { return c.Settings().Timeouts })}
	g.lists = listing.New(listing.Config{
		May:  func(p settings.Provider) bool { s := c.Settings(); return mayAsk(&s, p) },
		Key:  func(ctx context.Context, p settings.Provider) (string, error) { return g.keyOf(ctx, &p) },
		Send: g.upstream.get, Log: c.Logger,
	})
	return g
}

// Register adds the gateway's routes to mux: with endpoints, the index of what it serves.
func (g *Gateway) Register(mux problem.Mux) {
	for _, e := range endpoints {
		mux.HandleFunc("POST "+e.path, g.inference(e))
	}
	mux.HandleFunc("GET /v1/models", g.handle(g.keyed(g.listModels)))
	mux.HandleFunc("GET /v1/models/{id...}", g.handle(g.keyed(g.getModel)))
	mux.HandleFunc("GET /healthz", g.handle(g.health))
	mux.HandleFunc("GET /readyz", g.handle(g.ready))
	mux.HandleFunc("GET /problems/{kind}", g.handle(g.explain))
}

// InFlight counts the inference requests that are being served.
func (g *Gateway) InFlight() int64 { return g.inFlight.Load() }

// Waiting counts those among them that wait for an engine.
func (g *Gateway) Waiting() int64 { return g.waiting.Load() }

// ForgetLists has providers asked anew for their models: their keys have changed.
func (g *Gateway) ForgetLists() { g.lists.Forget() }

// Lacks says whether a provider was heard to list its models, and this is none of them. It asks nobody.
func (g *Gateway) Lacks(p settings.Provider, model string) bool { return g.lists.Lacks(p, model) }

// Close ends what is asked for no request, and lets go of idle connections to upstreams.
func (g *Gateway) Close() {
	g.lists.Close()
	g.upstream.close()
}

// handle turns a handler that may fail into one that answers with the problem.
func (g *Gateway) handle(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			g.fail(w, r, err)
		}
	}
}

// fail logs what is ours to mend and answers with the problem.
func (g *Gateway) fail(w http.ResponseWriter, r *http.Request, err error) {
	logFailure(g.Logger, r, problem.From(err))
	problem.Write(w, r, err)
}

func (g *Gateway) health(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (g *Gateway) ready(w http.ResponseWriter, _ *http.Request) error {
	if err := g.Audit.Err(); err != nil {
		return auditUnavailable(err)
	}
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

// explain is where the type of a problem document leads.
func (g *Gateway) explain(w http.ResponseWriter, r *http.Request) error {
	title, help, ok := problem.Help(problem.Kind(r.PathValue("kind")))
	if !ok {
		return problem.Newf(problem.NotFound, "Nothing is served at %s.", r.URL.Path)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "%s\n\n%s\n", title, help) // a client that has left needs no error
	return nil
}

func auditUnavailable(cause error) error {
	return problem.New(problem.AuditUnavailable, "The audit cannot be written at the moment, and no request is served unrecorded.").Because(cause)
}

// unknownModel lists what there is, so that the next request can be right.
func (g *Gateway) unknownModel(model string) error {
	names, err := g.modelNames()
	if err != nil {
		return err
	}
	return problem.Newf(problem.ModelNotFound, "There is no model %q. Available: %s.", model, names)
}

func isLoadError(err error) (*engine.LoadError, bool) {
	var load *engine.LoadError
	return load, errors.As(err, &load)
}
