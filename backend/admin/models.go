package admin

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/models"
)

// Model is a model on this machine. What its files do not tell is "" or 0.
type Model struct {
	Name          string        `json:"name"`
	SizeBytes     int64         `json:"size_bytes" doc:"Of all its files."`
	Format        models.Format `json:"format" enum:"gguf,mlx"`
	Architecture  string        `json:"architecture" example:"llama"`
	Parameters    int64         `json:"parameters"`
	Quantization  string        `json:"quantization" example:"Q4_K_M"`
	ContextLength int           `json:"context_length" doc:"Tokens that it was made for."`
	License       string        `json:"license" example:"apache-2.0"`
	Folder        string        `json:"folder" doc:"The folder that it was found in: the models folder, or one of models.folders. Empty while it is not on disk."`
	Path          string        `json:"path" doc:"Its file, of a model in parts the first, or the folder that it is. Empty while it is not on disk."`
	ReadOnly      bool          `json:"read_only" doc:"It lies in a folder that is never written to."`
	Copies        int           `json:"copies" doc:"How many more of the same were found."`
	Projector     string        `json:"projector" doc:"The file beside it (mmproj) with which it takes pictures or sound; empty when there is none, and it reads text alone." example:"mmproj-F16.gguf"`
	MemoryBytes   int64         `json:"memory_bytes" doc:"What it is expected to take once it is loaded: its weights, and keys and values for memory_tokens, those of its draft model included."`
	MemoryTokens  int64         `json:"memory_tokens" doc:"Tokens of context that memory_bytes counts, those of all requests at once; 0 where its files do not tell what a token takes, and memory_bytes is the weights alone."`
	MemoryShare   float64       `json:"memory_share" doc:"memory_bytes as a share of what the machine can give to models; 0 where that is not known."`
	Fits          bool          `json:"fits" doc:"It is not more than models may take together (engines.memory_percent), or that is not known."`
	Engine        string        `json:"engine" doc:"Which engine runs its format, or would."`
	Available     bool          `json:"available" doc:"That engine is part of this server; a model without one is not offered to requests."`
	State         engine.State  `json:"state" enum:"idle,installing,loading,ready,failed"`
}

// BrokenModel is a file or folder that looks like a model and cannot be loaded.
type BrokenModel struct {
	Name     string `json:"name" doc:"The name that it would have."`
	File     string `json:"file"`
	Folder   string `json:"folder"`
	Problem  string `json:"problem" doc:"The end of a sentence that begins with the file." example:"it is cut off"`
	Arriving bool   `json:"arriving" doc:"It was written to a moment ago, and may become whole by itself."`
}

// ModelFolder is one in which models are looked for.
type ModelFolder struct {
	Path     string `json:"path"`
	ReadOnly bool   `json:"read_only" doc:"One of models.folders, which is never written to."`
	Problem  string `json:"problem" doc:"Why not all of it is seen, as the end of a sentence; empty when all is."`
}

// ModelList is all that is known of the models of this machine.
type ModelList struct {
	Models  []Model       `json:"models" nullable:"false"`
	Broken  []BrokenModel `json:"broken" nullable:"false"`
	Folders []ModelFolder `json:"folders" nullable:"false"`
}

type modelsOutput struct{ Body ModelList }

type enginesOutput struct {
	Body struct {
		Engines []engine.Status `json:"engines" nullable:"false"`
		Memory  engine.Memory   `json:"memory"`
	}
}

type modelInput struct {
	Name string `path:"name" doc:"A model's name." example:"smollm2-135m-instruct"`
}

type removeModelInput struct {
	Name   string `path:"name" doc:"A model's name." example:"smollm2-135m-instruct"`
	Broken bool   `query:"broken" doc:"What is broken under that name is meant, and no whole model."`
}

// RemovedModel is what DELETE /api/models/{name} did.
type RemovedModel struct {
	UndoUntil time.Time `json:"undo_until" doc:"Until then it can be had back, unless the server ends."`
}

type removedModelOutput struct{ Body RemovedModel }

func (a *API) registerModels() {
	huma.Register(a.huma, get("/api/models", "Models on this machine"), a.listModels)
	huma.Register(a.huma, get("/api/engines", "Engines and the models that they run"), func(context.Context, *struct{}) (*enginesOutput, error) {
		out := &enginesOutput{}
		out.Body.Engines, out.Body.Memory = a.Engines.States(), a.Engines.Memory()
		return out, nil
	})
	huma.Register(a.huma, post("/api/models/{name}/load", "Load a model ahead of its first request", http.StatusAccepted), func(_ context.Context, in *modelInput) (*struct{}, error) {
		return nil, engineProblem(a.Engines.Load(in.Name), in.Name)
	})
	remove := change(http.MethodDelete, "/api/models/{name}", "Remove a model's files, after it is unloaded")
	remove.DefaultStatus = http.StatusOK
	remove.Description = "Only what lies in the models folder. For ten seconds POST /api/models/{name}/undelete brings it back, unless the server ends."
	huma.Register(a.huma, remove, a.removeModel)
	huma.Register(a.huma, post("/api/models/{name}/undelete", "Have a removed model back", http.StatusNoContent), func(_ context.Context, in *modelInput) (*struct{}, error) {
		return nil, trashProblem(a.Trash.Restore(in.Name, time.Now()), in.Name)
	})
	huma.Register(a.huma, post("/api/models/{name}/unload", "Unload a model after the requests that it answers", http.StatusNoContent), func(ctx context.Context, in *modelInput) (*struct{}, error) {
		return nil, engineProblem(a.Engines.Unload(ctx, in.Name), in.Name)
	})
}

func (a *API) removeModel(ctx context.Context, in *removeModelInput) (*removedModelOutput, error) {
	if !in.Broken {
		// One that is only offered, or that no engine runs, is not loaded either: what is wrong the trash says.
		if err := a.Engines.Unload(ctx, in.Name); err != nil && !errors.Is(err, engine.ErrUnknownModel) {
			return nil, engineProblem(err, in.Name)
		}
	}
	until, err := a.Trash.Remove(in.Name, in.Broken, time.Now())
	return &removedModelOutput{RemovedModel{until}}, trashProblem(err, in.Name)
}

func trashProblem(err error, name string) error {
	switch {
	case errors.Is(err, models.ErrUnknown):
		return problem.Newf(problem.ModelNotFound, "There is no model %q on this machine's disk.", name).Because(err)
	case errors.Is(err, models.ErrNothingToRestore), errors.Is(err, models.ErrElsewhere), errors.Is(err, models.ErrAmbiguous), errors.Is(err, models.ErrTaken):
		return problem.New(problem.Conflict, upper(err.Error())).Because(err)
	}
	return err
}

func (a *API) listModels(context.Context, *struct{}) (*modelsOutput, error) {
	list, err := a.Models()
	return &modelsOutput{list}, err
}

// Models is what GET /api/models answers.
func (a *API) Models() (ModelList, error) {
	out := ModelList{Models: []Model{}, Broken: []BrokenModel{}, Folders: []ModelFolder{}}
	all, err := a.Library.Contents()
	if err != nil {
		return out, problem.New(problem.Internal, "The models folder cannot be read.").Because(err)
	}
	states := map[string]engine.Status{}
	for _, s := range a.Engines.States() {
		states[s.Model] = s
	}
	added := map[string]bool{}
	for _, f := range all.Folders {
		added[f.Path] = f.Added
		out.Folders = append(out.Folders, ModelFolder{Path: f.Path, ReadOnly: f.Added, Problem: f.Problem})
	}
	memory := a.Engines.Memory()
	for _, m := range all.Models {
		entry := a.describeModel(m, memory)
		entry.ReadOnly = added[m.Folder]
		if s, ok := states[m.Name]; ok {
			entry.State = s.State
		}
		out.Models = append(out.Models, entry)
	}
	for _, b := range all.Broken {
		out.Broken = append(out.Broken, BrokenModel{Name: b.Name, File: b.File, Folder: b.Folder, Problem: b.Problem, Arriving: b.Arriving})
	}
	return out, nil
}

func (a *API) describeModel(m models.Model, memory engine.Memory) Model {
	entry := Model{
		Name: m.Name, SizeBytes: m.Size, Format: m.Format, Architecture: m.Facts.Architecture, Parameters: m.Facts.Parameters,
		Quantization: m.Facts.Quantization, ContextLength: m.Facts.ContextLength, License: m.Facts.License,
		Folder: m.Folder, Path: m.Path, Copies: m.Copies, Projector: base(m.Projector), Engine: a.Engines.EngineOf(m.Format), State: engine.Idle, Fits: true,
	}
	if entry.Available = entry.Engine != ""; !entry.Available {
		entry.Engine = m.Format.Engine()
	}
	need := a.Engines.Need(m)
	entry.MemoryBytes, entry.MemoryTokens = need.Bytes, need.Tokens
	if memory.LimitBytes > 0 {
		entry.MemoryShare = float64(need.Bytes) / float64(memory.MachineBytes)
		entry.Fits = need.Bytes <= memory.LimitBytes
	}
	return entry
}

// base is the last part of a path; "" of none.
func base(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Base(path)
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
		kind := problem.EngineUnavailable
		if errors.Is(err, engine.ErrTooLarge) {
			kind = problem.ModelTooLarge
		}
		return problem.Newf(kind, "The model %s cannot be loaded: %s", name, load.Reason).Because(err)
	}
	return err
}
