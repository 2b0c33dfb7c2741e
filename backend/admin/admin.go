// Package admin is the API of mlxbar's own interfaces, the window, the tray and
// the command line: state, settings, models, the audit and what happens live. It
// is guarded by the admin token and described by /api/openapi.json.
package admin

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"mlxbar/backend/activity"
	"mlxbar/backend/audit"
	"mlxbar/backend/bench/archive"
	"mlxbar/backend/bench/results"
	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/live"
	"mlxbar/backend/models"
	"mlxbar/backend/nearby"
	"mlxbar/backend/settings"
)

// Engines are the engines of this machine.
type Engines interface {
	States() []engine.Status
	Memory() engine.Memory
	// Need is what a model is expected to take.
	Need(models.Model) engine.Need
	// EngineOf names the engine that runs models of a format.
	EngineOf(models.Format) string
	Load(model string) error
	Unload(ctx context.Context, model string) error
}

// Library is the models of this machine.
type Library interface {
	List() ([]models.Model, error)
	Contents() (models.Contents, error)
}

// Trash takes models out of the models folder.
type Trash interface {
	Remove(name string, broken bool, now time.Time) (until time.Time, err error)
	Restore(name string, now time.Time) error
}

// Settings holds the settings and takes changes to them.
type Settings interface {
	Current() settings.Settings
	Replace(raw []byte) (settings.Settings, error)
	Patch(raw []byte) (settings.Settings, error)
}

// Recorder has the records that are on their way to the database.
type Recorder interface {
	Flush(ctx context.Context) error
	// Err tells why they cannot be written at present.
	Err() error
}

// Config is what the admin API needs.
type Config struct {
	Token    string
	Version  string
	Settings Settings
	Recorder Recorder
	Records  *audit.Store
	Prices   Prices
	Engines  Engines
	Library  Library
	Trash    Trash
	Router   Router
	Keys     Keys
	// Credentials has the keys that providers are asked with; Providers asks them.
	Credentials Credentials
	Providers   Providers
	// Neighbours are other programs of this machine that are looked for when somebody asks.
	Neighbours []nearby.Program
	Requests   *activity.Requests
	Live       *live.Hub
	// Benchmarks are kept results; Jobs measures anew.
	Benchmarks *archive.Archive
	Jobs       Jobs
	Checker    Checker
	// Hub has models to download; Downloads fetches them. HubToken is where the token for it is kept.
	Hub       Hub
	HubToken  HubToken
	Downloads Downloads
	// Status is the server's state at this moment.
	Status func() Status
	// Shutdown begins to drain the server and does not wait for it.
	Shutdown func()
	Logger   *slog.Logger
}

// API serves /api.
type API struct {
	Config
	huma     huma.API
	sessions *secrets
	links    *secrets
	meter    activity.Meter
}

// Register adds the admin API to mux and returns it.
func Register(mux problem.Mux, c Config) *API {
	useProblems()
	a := &API{Config: c, sessions: newSecrets(sessionLife), links: newSecrets(linkLife)}
	a.huma = humago.New(mux.ServeMux, a.describe())
	a.huma.UseMiddleware(a.bind, a.guard, a.once)
	a.registerSession()
	mux.HandleFunc("GET "+loginPath, a.enter) // HEAD as well
	a.registerStatus()
	a.registerSettings()
	a.registerModels()
	a.registerProviders()
	a.registerNearby()
	a.registerRoutes()
	a.registerKeys()
	a.registerAudit()
	a.registerLedger()
	a.registerActivity()
	a.registerBenchmarks()
	a.registerConnect()
	a.registerDownloads()
	a.registerHubToken()
	a.registerLive()
	return a
}

// The names of the admin token, and of the cookie that a browser gets for it, in the
// OpenAPI document.
const (
	tokenScheme  = "adminToken"
	cookieScheme = "session"
)

func (a *API) describe() huma.Config {
	c := huma.DefaultConfig("mlxbar admin API", a.Version)
	c.Info.Description = "State, settings, models and audit of one mlxbar server. Errors are application/problem+json (RFC 9457)."
	c.Info.License = &huma.License{Name: "MIT"}
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil // no $schema members in answers
	c.RejectUnknownQueryParameters = true
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		tokenScheme:  {Type: "http", Scheme: "bearer", Description: "The token in run/admin.token of the data folder."},
		cookieScheme: {Type: "apiKey", In: "cookie", Name: cookieName, Description: "What POST /api/session gives a browser."},
	}
	c.Security = []map[string][]string{{tokenScheme: {}}, {cookieScheme: {}}}
	return c
}

// OpenAPI is the API's description as JSON.
func (a *API) OpenAPI() ([]byte, error) {
	raw, err := a.huma.OpenAPI().MarshalJSON()
	if err != nil {
		return nil, err
	}
	if raw, err = addSchema(raw, settingsSchema, settings.Schema()); err != nil {
		return nil, err
	}
	return addSchema(raw, benchmarkSchema, results.Schema)
}

// schemaName is a type's name in the OpenAPI document. One of another package
// carries that package's name, for several packages have a Status.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	pkg := path.Base(t.PkgPath())
	if t.Name() == "" || pkg == "admin" || strings.EqualFold(pkg, name) {
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

// get describes an operation that reads.
func get(at, summary string) huma.Operation {
	return huma.Operation{OperationID: operationID("get", at), Method: http.MethodGet, Path: at, Summary: summary}
}

// post describes an operation that does something and answers with status.
func post(at, summary string, status int) huma.Operation {
	return huma.Operation{OperationID: operationID("post", at), Method: http.MethodPost, Path: at, Summary: summary, DefaultStatus: status}
}

// operationID is the method and the path's words: getApiAuditStats.
func operationID(method, at string) string {
	id := []byte(method)
	upper := true
	for _, c := range []byte(at) {
		switch {
		case c >= 'a' && c <= 'z' && upper:
			id, upper = append(id, c-'a'+'A'), false
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			id, upper = append(id, c), false
		default:
			upper = true
		}
	}
	return string(id)
}
