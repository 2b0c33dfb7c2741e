package admin

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/requestid"
	"mlxbar/backend/settings"
)

// useProblems makes huma answer with our problem documents. Its hook is global,
// so it is set once and takes what it needs from the request.
var useProblems = sync.OnceFunc(func() {
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		e := translate(status, msg, errs)
		logProblem(ctx.Context(), e)
		if e.Kind == problem.Unauthorized {
			ctx.SetHeader("WWW-Authenticate", `Bearer realm="mlxbar"`)
		}
		if e.RetryAfter > 0 {
			ctx.SetHeader("Retry-After", e.RetrySeconds())
		}
		asked := ctx.URL()
		return &problemDocument{Document: e.DocumentAt(&asked, requestid.From(ctx.Context()))}
	}
	// Without a context it is only asked for the shape that the OpenAPI shows.
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return &problemDocument{Document: translate(status, msg, errs).Document("", "")}
	}
})

// problemDocument is a problem document as huma writes it.
type problemDocument struct{ problem.Document }

// GetStatus and Error make it huma's error.
func (a *problemDocument) GetStatus() int { return a.Status }
func (a *problemDocument) Error() string  { return a.Detail }

// ContentType is that of every error answer.
func (a *problemDocument) ContentType(string) string { return problem.ContentType }

// translate finds the problem in what a handler returned, or makes one of what
// huma found wrong with a request.
func translate(status int, msg string, errs []error) *problem.Error {
	for _, err := range errs {
		var p *problem.Error
		if errors.As(err, &p) {
			return p
		}
		var invalid *settings.Invalid
		if errors.As(err, &invalid) {
			return invalidSettings(invalid)
		}
		if errors.Is(err, settings.ErrNewer) {
			return problem.Invalid(problem.Field{Detail: "is of a newer mlxbar than this one", Location: "version"})
		}
	}
	switch {
	case status >= 500:
		return problem.From(errors.Join(errs...))
	case status == http.StatusRequestEntityTooLarge:
		return problem.New(problem.BodyTooLarge, "The body is larger than this operation takes.")
	case status == http.StatusUnsupportedMediaType:
		return problem.New(problem.UnsupportedMedia, "Send the body as application/json.")
	}
	fields := make([]problem.Field, 0, len(errs))
	for _, err := range errs {
		fields = append(fields, field(err))
	}
	e := problem.Invalid(fields...)
	if e.Detail == "" && msg != "" {
		e.Detail = strings.ToUpper(msg[:1]) + msg[1:] + "."
	}
	return e
}

// field is one fault that huma found. Strings are not echoed: one of them could
// be a token.
func field(err error) problem.Field {
	var detailer huma.ErrorDetailer
	if !errors.As(err, &detailer) {
		return problem.Field{Detail: "cannot be read", Location: "body"}
	}
	d := detailer.ErrorDetail()
	f := problem.Field{Detail: d.Message, Location: d.Location}
	switch d.Value.(type) {
	case bool, float64, int:
		if d.Location != "body.key" { // of digits alone it would be one all the same
			f.Value = d.Value
		}
	}
	return f
}

func invalidSettings(invalid *settings.Invalid) *problem.Error {
	fields := make([]problem.Field, len(invalid.Fields))
	for i, f := range invalid.Fields {
		fields[i] = problem.Field{Detail: f.Detail, Location: f.Location, Value: f.Value}
		if f.Location == "" { // the document as a whole
			fields[i].Location = "body"
		}
	}
	return problem.Invalid(fields...)
}

type loggerKey struct{}

// bind gives the request its logger, and its answer what every answer has: it is
// for whoever has the token, so nothing on its way may keep it.
func (a *API) bind(ctx huma.Context, next func(huma.Context)) {
	ctx.SetHeader("Cache-Control", "no-store")
	ctx.SetHeader("X-Content-Type-Options", "nosniff")
	next(huma.WithValue(ctx, loggerKey{}, a.Logger))
}

// once refuses a query of which a part would go unheard: one that cannot be read, or a parameter that stands twice.
func (a *API) once(ctx huma.Context, next func(huma.Context)) {
	asked := ctx.URL()
	given, err := url.ParseQuery(asked.RawQuery)
	if err != nil {
		huma.WriteErr(a.huma, ctx, http.StatusBadRequest, "invalid query", problem.Invalid(problem.Field{Detail: "cannot be read: an escape in it is wrong, or it holds a semicolon", Location: "query"}))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if len(given[name]) > 1 {
			huma.WriteErr(a.huma, ctx, http.StatusBadRequest, "invalid query", problem.Invalid(problem.Field{Detail: "stands twice; send it once", Location: "query." + name}))
			return
		}
	}
	next(ctx)
}

// logProblem logs what is ours to mend, once.
func logProblem(ctx context.Context, e *problem.Error) {
	log, ok := ctx.Value(loggerKey{}).(*slog.Logger)
	if !ok || e.Status() < 500 {
		return
	}
	log.ErrorContext(ctx, "admin request failed", "request_id", requestid.From(ctx), "kind", string(e.Kind), "cause", e.Error())
}
