package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/audit"
	"mlxbar/backend/audit/export"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/requestid"
)

// FilterInput are the query parameters that narrow the audit. huma reads embedded
// structs only if they are exported.
type FilterInput struct {
	Model    string `query:"model" doc:"The model asked for."`
	Backend  string `query:"backend" doc:"LOCAL, OPENAI or ANTHROPIC."`
	Status   string `query:"status" doc:"success, error (every end but success), timeout, cancelled, interrupted or running."`
	Endpoint string `query:"endpoint" doc:"A path such as /v1/chat/completions."`
	From     string `query:"from" doc:"Earliest start, RFC 3339."`
	To       string `query:"to" doc:"Starts before this, RFC 3339."`
}

func (in *FilterInput) get(name string) string {
	return map[string]string{
		"model": in.Model, "backend": in.Backend, "status": in.Status,
		"endpoint": in.Endpoint, "from": in.From, "to": in.To,
	}[name]
}

func (in *FilterInput) filter() (audit.Filter, error) {
	f, faults := audit.ParseFilter(in.get)
	return f, parameterFaults(faults)
}

type pageInput struct {
	FilterInput
	Sort   string `query:"sort" doc:"started_at (if left out), model, backend, endpoint, duration_ms or total_tokens."`
	Order  string `query:"order" doc:"desc (if left out) or asc."`
	Offset string `query:"offset" doc:"Records to pass over; 0 if left out."`
	Until  string `query:"until" doc:"The until of an earlier page: only records that had begun by then, so that offsets stay what they are."`
	Cursor string `query:"cursor" doc:"The next of an earlier page, to read on from there, newest first. Not with an offset or another order."`
	Limit  string `query:"limit" doc:"Records a page, 1 to 1000; 100 if left out."`
}

func (in *pageInput) view() (audit.View, []audit.FieldError) {
	return audit.ParseView(func(name string) string {
		return map[string]string{
			"sort": in.Sort, "order": in.Order, "offset": in.Offset, "until": in.Until, "cursor": in.Cursor, "limit": in.Limit,
		}[name]
	})
}

type recordInput struct {
	RequestID string `path:"request_id" doc:"As in X-Request-ID."`
}

type exportInput struct {
	FilterInput
	Format string `query:"format" doc:"csv or jsonl." required:"true"`
	Watch  string `query:"watch" doc:"A word of up to 64 letters, digits and hyphens. With it the event export of /api/live tells how the download ended: a page that has a browser download cannot know."`
}

type recordsOutput struct{ Body audit.Page }
type recordOutput struct{ Body audit.Record }
type deletionOutput struct{ Body audit.Deletion }
type restoredOutput struct {
	Body struct {
		Restored int64 `json:"restored" doc:"How many records are in sight again."`
	}
}
type statsOutput struct{ Body audit.Stats }
type namesOutput struct {
	Body struct {
		Models []string `json:"models" nullable:"false"`
	}
}

// flushTime is how long a reader waits for records on their way to the disk.
const flushTime = 2 * time.Second

// flush lets a reader see what has ended before it asked.
func (a *API) flush(ctx context.Context) error {
	if err := a.Recorder.Err(); err != nil { // it may fail for hours
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	return a.Recorder.Flush(ctx)
}

// catchUp is flush for readers, who take what the disk has if it is failing: the
// status tells of that.
func (a *API) catchUp(ctx context.Context) {
	if err := a.flush(ctx); err != nil {
		a.Logger.WarnContext(ctx, "the audit is read without its latest records", "request_id", requestid.From(ctx), "cause", err)
	}
}

func (a *API) registerAudit() {
	huma.Register(a.huma, get("/api/audit", "Records of requests, newest first or in another order"), a.queryAudit)
	huma.Register(a.huma, get("/api/audit/{request_id}", "The record of one request"), a.findRecord)
	a.registerDeletion()
	huma.Register(a.huma, get("/api/audit/stats", "Sums over the records"), func(ctx context.Context, in *FilterInput) (*statsOutput, error) {
		f, err := in.filter()
		if err != nil {
			return nil, err
		}
		a.catchUp(ctx)
		stats, err := a.Records.Stats(ctx, f)
		return &statsOutput{stats}, err
	})
	huma.Register(a.huma, get("/api/audit/models", "Models that the records name"), func(ctx context.Context, _ *struct{}) (*namesOutput, error) {
		names, err := a.Records.Models(ctx)
		out := &namesOutput{}
		out.Body.Models = append([]string{}, names...)
		return out, err
	})
	huma.Register(a.huma, post("/api/audit/flush", "Have all ended requests in the database before this answers", http.StatusNoContent),
		func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			if err := a.flush(ctx); err != nil {
				return nil, problem.New(problem.AuditUnavailable, "Not all records are in the database yet.").Because(err)
			}
			return nil, nil
		})
	huma.Register(a.huma, getFile("/api/audit/export", "The records as a file"), a.exportAudit)
}

func (a *API) queryAudit(ctx context.Context, in *pageInput) (*recordsOutput, error) {
	f, faults := audit.ParseFilter(in.get)
	view, viewFaults := in.view()
	if err := parameterFaults(append(faults, viewFaults...)); err != nil {
		return nil, err
	}
	a.catchUp(ctx)
	page, err := a.Records.Query(ctx, f, view)
	return &recordsOutput{page}, err
}

func (a *API) findRecord(ctx context.Context, in *recordInput) (*recordOutput, error) {
	a.catchUp(ctx)
	r, err := a.Records.Find(ctx, in.RequestID)
	if errors.Is(err, audit.ErrNotFound) {
		return nil, problem.New(problem.NotFound, "The audit has no record of this request.")
	}
	return &recordOutput{r}, err
}

func (a *API) exportAudit(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	format, err := parseDownload(in.Format, in.Watch)
	if err != nil {
		return nil, err
	}
	a.catchUp(ctx)
	return a.download("mlxbar-audit", format, in.Watch, func(ctx context.Context, w *startedWriter) (int64, error) {
		return export.Write(ctx, w, format, func(each context.Context, emit func(audit.Record) error) error {
			return a.Records.Each(each, f, emit)
		})
	}), nil
}

func parameterFaults(faults []audit.FieldError) error {
	if len(faults) == 0 {
		return nil
	}
	fields := make([]problem.Field, len(faults))
	for i, f := range faults {
		fields[i] = problem.Field{Detail: f.Detail, Location: "query." + f.Location, Value: f.Value}
	}
	return problem.Invalid(fields...)
}
