package admin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"mlxbar/backend/audit/export"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/requestid"
	"mlxbar/backend/live"
)

// ExportEvent is the data of the event export.
type ExportEvent struct {
	Watch    string `json:"watch" doc:"As the download had it."`
	Records  int64  `json:"records" doc:"How many were sent."`
	Complete bool   `json:"complete" doc:"false: the client has gone before the end, or the records could not be read to it."`
}

var watchWord = regexp.MustCompile(`^[A-Za-z0-9-]{0,64}$`)

// getFile is get for a download.
func getFile(path, summary string) huma.Operation {
	op := get(path, summary)
	file := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	op.Responses = map[string]*huma.Response{"200": {Description: "CSV (RFC 4180), or one JSON object a line.", Content: map[string]*huma.MediaType{
		"text/csv": file, "application/jsonl": file,
	}}}
	return op
}

// parseDownload reads what all downloads are asked with.
func parseDownload(formatName, watch string) (export.Format, error) {
	format, err := export.ParseFormat(formatName)
	if err != nil {
		return "", problem.Invalid(problem.Field{Detail: "is csv or jsonl", Location: "query.format", Value: formatName})
	}
	if !watchWord.MatchString(watch) {
		return "", problem.Invalid(problem.Field{Detail: "is up to 64 letters, digits and hyphens", Location: "query.watch", Value: watch})
	}
	return format, nil
}

// download streams a file. A failure before the first byte is an answer like any other;
// a later one cuts the connection, so that nobody takes half a file for a whole one.
func (a *API) download(name string, format export.Format, watch string, write func(context.Context, *startedWriter) (int64, error)) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", format.ContentType())
		ctx.SetHeader("Content-Disposition", fmt.Sprintf(`attachment; filename="%s%s"`, name, format.Extension()))
		r, w := humago.Unwrap(ctx)
		body := &startedWriter{Writer: w}
		n, err := write(ctx.Context(), body)
		a.tellOfExport(ExportEvent{watch, n, err == nil})
		if err != nil {
			a.Logger.WarnContext(ctx.Context(), "an export broke off", "request_id", requestid.From(ctx.Context()), "cause", err)
			if body.started {
				panic(http.ErrAbortHandler)
			}
			w.Header().Del("Content-Disposition")
			problem.Write(w, r, err)
		}
	}}
}

func (a *API) tellOfExport(e ExportEvent) {
	if e.Watch == "" {
		return
	}
	if err := a.Live.Publish(live.Export, e); err != nil {
		a.Logger.Error("a live event was lost", "cause", err)
	}
}

// startedWriter knows whether anything was written to it.
type startedWriter struct {
	io.Writer
	started bool
}

func (w *startedWriter) Write(b []byte) (int, error) {
	w.started = true
	return w.Writer.Write(b)
}
