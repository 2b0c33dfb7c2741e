package admin

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/bench/archive"
	"mlxbar/backend/bench/results"
	"mlxbar/backend/gateway/problem"
)

// BenchmarkRun is one kept results file of mlx-benchmark, without its samples.
type BenchmarkRun struct{ archive.Run }

// BenchmarkList is the newest of them, and the benchmark that was started last.
type BenchmarkList struct {
	Runs []BenchmarkRun `json:"runs" nullable:"false"`
	Job  *BenchmarkJob  `json:"job"`
}

type benchmarksInput struct {
	Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most."`
	Before int64 `query:"before" minimum:"0" default:"0" doc:"The id of an earlier answer's last run, to read on from there."`
}

type benchmarkInput struct {
	ID int64 `path:"id" doc:"As in the list."`
}

type benchmarksOutput struct{ Body BenchmarkList }

// benchmarkFile is a results file as it was sent.
type benchmarkFile struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

type addBenchmarkInput struct {
	Label   string `query:"label" doc:"What a person calls it: 80 characters at most."`
	RawBody []byte
}

type addBenchmarkOutput struct {
	Status int
	Body   struct {
		ID int64 `json:"id"`
	}
}

type renameBenchmarkInput struct {
	ID   int64 `path:"id" doc:"As in the list."`
	Body struct {
		Label string `json:"label" doc:"What a person calls it: 80 characters at most, none of them a control character; may be empty."`
	}
}

// fileReadTime is how long a results file may take to arrive.
const fileReadTime = 30 * time.Second

func (a *API) registerBenchmarks() {
	huma.Register(a.huma, get("/api/benchmarks", "Kept results of mlx-benchmark, newest first"), a.listBenchmarks)
	download := get("/api/benchmarks/{id}", "One results file as a whole, with its samples")
	download.Responses = map[string]*huma.Response{"200": {Description: "The file, byte for byte as it was kept.", Content: benchmarkContent()}}
	huma.Register(a.huma, download, a.readBenchmark)
	add := post("/api/benchmarks", "Keep a results file of mlx-benchmark", http.StatusCreated)
	add.Description = "The body is a file that `mlx-benchmark schema` describes, of 64 MiB at most. A file that was kept before is not kept twice: its id is answered with 200."
	add.SkipValidateBody = true // results.Parse does it, and knows better
	add.MaxBodyBytes, add.BodyReadTimeout = archive.MaxFile, fileReadTime
	add.RequestBody = &huma.RequestBody{Required: true, Content: benchmarkContent()}
	huma.Register(a.huma, add, a.addBenchmark)
	huma.Register(a.huma, change(http.MethodPatch, "/api/benchmarks/{id}", "Call kept results something else"), a.renameBenchmark)
	remove := change(http.MethodDelete, "/api/benchmarks/{id}", "Delete kept results")
	remove.Description = "They are out of sight at once, and gone for good ten seconds later; until then POST /api/benchmarks/{id}/undelete brings them back."
	huma.Register(a.huma, remove, func(ctx context.Context, in *benchmarkInput) (*struct{}, error) {
		return nil, a.changed(a.Benchmarks.Delete(ctx, in.ID, time.Now()))
	})
	undelete := post("/api/benchmarks/{id}/undelete", "Have deleted results back", http.StatusNoContent)
	huma.Register(a.huma, undelete, func(ctx context.Context, in *benchmarkInput) (*struct{}, error) {
		return nil, a.changed(a.Benchmarks.Undelete(ctx, in.ID, time.Now()))
	})
	a.registerBenchmarkJob()
	for _, t := range []reflect.Type{reflect.TypeFor[results.CaseSummary](), reflect.TypeFor[results.Overhead](), reflect.TypeFor[BenchmarkList]()} {
		a.describeNull(t)
	}
}

// change describes an operation that changes one thing and answers nothing.
func change(method, at, summary string) huma.Operation {
	return huma.Operation{OperationID: operationID(strings.ToLower(method), at), Method: method, Path: at, Summary: summary, DefaultStatus: http.StatusNoContent}
}

// benchmarkSchema is the component that OpenAPI adds out of the results' own schema.
const benchmarkSchema = "BenchmarkFile"

func benchmarkContent() map[string]*huma.MediaType {
	return map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Ref: "#/components/schemas/" + benchmarkSchema}}}
}

func (a *API) listBenchmarks(ctx context.Context, in *benchmarksInput) (*benchmarksOutput, error) {
	runs, err := a.Benchmarks.List(ctx, in.Limit, in.Before)
	if errors.Is(err, archive.ErrLostPlace) {
		return nil, problem.Invalid(problem.Field{Detail: "is the id of no run that is kept: read the list from its beginning", Location: "query.before", Value: in.Before})
	}
	if err != nil {
		return nil, err
	}
	out := &benchmarksOutput{BenchmarkList{Runs: make([]BenchmarkRun, 0, len(runs))}}
	for _, r := range runs {
		out.Body.Runs = append(out.Body.Runs, BenchmarkRun{r})
	}
	if j, ok := a.Jobs.Current(); ok {
		out.Body.Job = &BenchmarkJob{j}
	}
	return out, nil
}

func (a *API) readBenchmark(ctx context.Context, in *benchmarkInput) (*benchmarkFile, error) {
	raw, err := a.Benchmarks.Get(ctx, in.ID)
	if err != nil {
		return nil, benchmarkProblem(err)
	}
	return &benchmarkFile{ContentType: "application/json", Body: raw}, nil
}

func (a *API) addBenchmark(ctx context.Context, in *addBenchmarkInput) (*addBenchmarkOutput, error) {
	if err := checkLabel("query.label", in.Label); err != nil {
		return nil, err
	}
	id, added, err := a.Benchmarks.Add(ctx, in.RawBody, in.Label)
	if err != nil {
		return nil, benchmarkProblem(err)
	}
	a.refetch()
	out := &addBenchmarkOutput{Status: http.StatusOK}
	if added {
		out.Status = http.StatusCreated
	}
	out.Body.ID = id
	return out, nil
}

func (a *API) renameBenchmark(ctx context.Context, in *renameBenchmarkInput) (*struct{}, error) {
	if err := checkLabel("body.label", in.Body.Label); err != nil {
		return nil, err
	}
	return nil, a.changed(a.Benchmarks.Rename(ctx, in.ID, in.Body.Label))
}

// changed has every page read anew what was changed.
func (a *API) changed(err error) error {
	if err != nil {
		return benchmarkProblem(err)
	}
	a.refetch()
	return nil
}

func benchmarkProblem(err error) error {
	var fault *results.Fault
	switch {
	case errors.As(err, &fault):
		return problem.Invalid(problem.Field{Detail: fault.Detail, Location: "body" + memberPath(fault.Location)})
	case errors.Is(err, archive.ErrNotFound):
		return problem.New(problem.NotFound, "No benchmark of this id is kept.")
	case errors.Is(err, archive.ErrNothingToRestore):
		return problem.New(problem.Conflict, "This benchmark cannot be had back: it has been more than ten seconds, or it was not deleted.")
	}
	return err
}

var arrayIndex = regexp.MustCompile(`\.(\d+)`)

// memberPath writes a JSON pointer as locations of errors are written: .cases[0].route.
func memberPath(pointer string) string {
	if strings.Trim(pointer, "/") == "" {
		return ""
	}
	return arrayIndex.ReplaceAllString(strings.ReplaceAll(pointer, "/", "."), "[$1]")
}

const maxLabel = 80

func checkLabel(location, label string) error {
	switch {
	case utf8.RuneCountInString(label) > maxLabel:
		return problem.Invalid(problem.Field{Detail: "is longer than 80 characters", Location: location})
	case !utf8.ValidString(label) || strings.ContainsFunc(label, unicode.IsControl):
		return problem.Invalid(problem.Field{Detail: "holds a control character, such as a line's end", Location: location})
	}
	return nil
}

// describeNull says in the description of t that its pointers to structs can be null: huma
// has no word for that.
func (a *API) describeNull(t reflect.Type) {
	schemas := a.huma.OpenAPI().Components.Schemas
	properties := schemas.SchemaFromRef(schemas.Schema(t, true, "").Ref).Properties
	for i := range t.NumField() {
		name, omitted := strings.CutSuffix(t.Field(i).Tag.Get("json"), ",omitempty")
		if p := properties[name]; p != nil && p.Ref != "" && t.Field(i).Type.Kind() == reflect.Pointer && !omitted {
			properties[name] = &huma.Schema{AnyOf: []*huma.Schema{{Ref: p.Ref}, {Type: "null"}}, Description: p.Description}
		}
	}
}
