package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/models"
)

// Model is a model on this machine.
type Model struct {
	Name      string        `json:"name"`
	SizeBytes int64         `json:"size_bytes"`
	Format    models.Format `json:"format"`
	Engine    string        `json:"engine"`
	State     engine.State  `json:"state" enum:"idle,installing,loading,ready,failed"`
}

// BrokenModel is a file in the models folder that cannot be loaded.
type BrokenModel struct {
	File    string `json:"file"`
	Problem string `json:"problem"`
}

type modelsOutput struct {
	Body struct {
		Models []Model       `json:"models" nullable:"false"`
		Broken []BrokenModel `json:"broken" nullable:"false"`
	}
}

type enginesOutput struct {
	Body struct {
		Engines []engine.Status `json:"engines" nullable:"false"`
	}
}

type modelInput struct {
	Name string `path:"name" doc:"A model's name." example:"smollm2-135m-instruct"`
}

func (a *API) registerModels() {
	huma.Register(a.huma, get("/api/models", "Models on this machine"), a.listModels)
	huma.Register(a.huma, get("/api/engines", "Engines and the models that they run"), func(context.Context, *struct{}) (*enginesOutput, error) {
		out := &enginesOutput{}
		out.Body.Engines = a.Engines.States()
		return out, nil
	})
	huma.Register(a.huma, post("/api/models/{name}/load", "Load a model ahead of its first request", http.StatusAccepted), func(_ context.Context, in *modelInput) (*struct{}, error) {
		return nil, engineProblem(a.Engines.Load(in.Name), in.Name)
	})
	huma.Register(a.huma, post("/api/models/{name}/unload", "Unload a model after the requests that it answers", http.StatusNoContent), func(ctx context.Context, in *modelInput) (*struct{}, error) {
		return nil, engineProblem(a.Engines.Unload(ctx, in.Name), in.Name)
	})
}

func (a *API) listModels(context.Context, *struct{}) (*modelsOutput, error) {
	list, err := a.Library.List()
	if err != nil {
		return nil, problem.New(problem.Internal, "The models folder cannot be read.").Because(err)
	}
	broken, err := a.Library.Broken()
	if err != nil {
		return nil, problem.New(problem.Internal, "The models folder cannot be read.").Because(err)
	}
	states := map[string]engine.Status{}
	for _, s := range a.Engines.States() {
		states[s.Model] = s
	}
	out := &modelsOutput{}
	out.Body.Models, out.Body.Broken = []Model{}, []BrokenModel{}
	for _, m := range list {
		entry := Model{Name: m.Name, SizeBytes: m.Size, Format: m.Format, Engine: a.Engines.EngineOf(m.Format), State: engine.Idle}
		if s, ok := states[m.Name]; ok {
			entry.State = s.State
		}
		out.Body.Models = append(out.Body.Models, entry)
	}
	for _, b := range broken {
		out.Body.Broken = append(out.Body.Broken, BrokenModel{File: b.File, Problem: b.Problem})
	}
	return out, nil
}

func engineProblem(err error, name string) error {
	switch {
	case errors.Is(err, engine.ErrUnknownModel):
		return problem.Newf(problem.ModelNotFound, "There is no model %q on this machine.", name).Because(err)
	case errors.Is(err, engine.ErrClosed):
		return problem.New(problem.ShuttingDown, "The server is shutting down.").Because(err)
	}
	var load *engine.LoadError
	if errors.As(err, &load) {
		return problem.Newf(problem.EngineUnavailable, "The model %s cannot be loaded: %s", name, load.Reason).Because(err)
	}
	return err
}
