package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/download"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/hub"
)

// Hub has models to download.
type Hub interface {
	Search(ctx context.Context, query, format string, limit int) ([]hub.Found, error)
	Repo(ctx context.Context, name, revision string) (*hub.Repo, error)
	// Account is whose token the Hub is sent.
	Account(ctx context.Context) (string, error)
}

// Downloads brings models from the Hub into the models folder.
type Downloads interface {
	List() []download.Job
	Add(ctx context.Context, r download.Request) (download.Job, error)
	Pause(id string) (download.Job, error)
	Resume(id string) (download.Job, error)
	Cancel(id string) error
}

// DownloadRequest is what is to be downloaded.
type DownloadRequest struct {
	Repo     string `json:"repo" maxLength:"200" doc:"A repository of the Hub, such as bartowski/Llama-3.2-3B-Instruct-GGUF."`
	File     string `json:"file,omitempty" maxLength:"500" doc:"The path of a file in it, a file's name, or a quantisation such as Q4_K_M; of a split model any part means all. Left out it is the only model there is, or the one in Q4_K_M."`
	Revision string `json:"revision,omitempty" maxLength:"200" doc:"A branch, tag or commit; left out it is main."`
}

// HubFiles is what there is to download of a repository.
type HubFiles struct {
	Repo    string      `json:"repo"`
	Commit  string      `json:"commit"`
	License string      `json:"license" doc:"As the model's card says; empty when it does not."`
	Gated   bool        `json:"gated" doc:"Its makers let in who has accepted their terms."`
	Offers  []hub.Offer `json:"offers" nullable:"false"`
}

type downloadInput struct {
	ID string `path:"id"`
}

type downloadOutput struct{ Body download.Job }

type downloadsOutput struct {
	Body struct {
		Downloads []download.Job `json:"downloads" nullable:"false"`
	}
}

type hubSearchInput struct {
	Q      string `query:"q" maxLength:"200" doc:"Words of the repository's name; empty finds the most downloaded of all."`
	Format string `query:"format" enum:"gguf,mlx" default:"gguf"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"30"`
}

type hubSearchOutput struct {
	Body struct {
		Models []hub.Found `json:"models" nullable:"false"`
	}
}

type hubFilesInput struct {
	Repo     string `query:"repo" required:"true" maxLength:"200"`
	Revision string `query:"revision" maxLength:"200"`
}

type hubFilesOutput struct{ Body HubFiles }

func (a *API) registerDownloads() {
	huma.Register(a.huma, get("/api/downloads", "Downloads of models, those of this run that are done included"), func(context.Context, *struct{}) (*downloadsOutput, error) {
		out := &downloadsOutput{}
		out.Body.Downloads = a.Downloads.List()
		return out, nil
	})
	op := post("/api/downloads", "Download a model from the Hugging Face Hub", http.StatusAccepted)
	op.Description = "One of the same files that is unfinished goes on where it stood."
	huma.Register(a.huma, op, a.addDownload)
	huma.Register(a.huma, post("/api/downloads/{id}/pause", "Pause a download", http.StatusOK), func(_ context.Context, in *downloadInput) (*downloadOutput, error) {
		j, err := a.Downloads.Pause(in.ID)
		return &downloadOutput{j}, downloadProblem(err)
	})
	huma.Register(a.huma, post("/api/downloads/{id}/resume", "Have a download go on that was paused, failed or waits", http.StatusOK), func(_ context.Context, in *downloadInput) (*downloadOutput, error) {
		j, err := a.Downloads.Resume(in.ID)
		return &downloadOutput{j}, downloadProblem(err)
	})
	huma.Register(a.huma, change(http.MethodDelete, "/api/downloads/{id}", "Cancel a download and remove what there is of it, or take a finished one off the list"), func(_ context.Context, in *downloadInput) (*struct{}, error) {
		return nil, downloadProblem(a.Downloads.Cancel(in.ID))
	})
	huma.Register(a.huma, get("/api/hub/search", "Search the Hugging Face Hub for models"), a.searchHub)
	huma.Register(a.huma, get("/api/hub/files", "What there is to download of a repository of the Hub"), a.listHub)
}

func (a *API) addDownload(ctx context.Context, in *struct{ Body DownloadRequest }) (*downloadOutput, error) {
	j, err := a.Downloads.Add(ctx, download.Request{Repo: in.Body.Repo, File: in.Body.File, Revision: in.Body.Revision})
	return &downloadOutput{j}, downloadProblem(err)
}

// local refuses what would ask the Hub while nothing may leave this machine.
func (a *API) local() error {
	if a.Settings.Current().LocalOnly {
		return downloadProblem(hub.ErrLocalOnly)
	}
	return nil
}

func (a *API) searchHub(ctx context.Context, in *hubSearchInput) (*hubSearchOutput, error) {
	if err := a.local(); err != nil {
		return nil, err
	}
	found, err := a.Hub.Search(ctx, strings.TrimSpace(in.Q), in.Format, in.Limit)
	out := &hubSearchOutput{}
	out.Body.Models = found
	return out, downloadProblem(err)
}

func (a *API) listHub(ctx context.Context, in *hubFilesInput) (*hubFilesOutput, error) {
	if err := a.local(); err != nil {
		return nil, err
	}
	repo, err := a.Hub.Repo(ctx, in.Repo, in.Revision)
	if err != nil {
		var name *hub.NameError
		if errors.As(err, &name) {
			return nil, problem.Invalid(problem.Field{Location: "query." + name.Field, Detail: name.Detail})
		}
		return nil, downloadProblem(err)
	}
	return &hubFilesOutput{HubFiles{Repo: repo.Name, Commit: repo.Commit, License: repo.License, Gated: repo.Gated, Offers: repo.Offers()}}, nil
}

func downloadProblem(err error) error {
	var name *hub.NameError
	var choice *hub.ChoiceError
	var exists *download.ExistsError
	var space *download.SpaceError
	var fromHub *hub.Error
	switch {
	case errors.As(err, &name):
		return problem.Invalid(problem.Field{Location: "body." + name.Field, Detail: name.Detail})
	case errors.As(err, &choice):
		return problem.Invalid(problem.Field{Location: "body.file", Detail: choice.Error()})
	case errors.As(err, &exists):
		return problem.New(problem.Conflict, upper(exists.Error())).Because(err)
	case errors.As(err, &space):
		return problem.New(problem.DiskFull, upper(space.Error())).Because(err)
	case errors.Is(err, hub.ErrLocalOnly):
		return problem.New(problem.LocalOnly, upper(hub.ErrLocalOnly.Error()))
	case errors.Is(err, download.ErrNotFound):
		return problem.New(problem.NotFound, "There is no download of this id.")
	case errors.Is(err, download.ErrState):
		return problem.New(problem.Conflict, "The download cannot do that in its present state: "+strings.TrimPrefix(err.Error(), download.ErrState.Error()+": ")+".").Because(err)
	case errors.Is(err, download.ErrClosed):
		return problem.New(problem.ShuttingDown, "The server is shutting down.").Because(err)
	case errors.As(err, &fromHub):
		return hubProblem(fromHub)
	}
	return err
}

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

func hubProblem(e *hub.Error) error {
	kind := problem.HubFailed
	switch e.Kind {
	case hub.NotFound:
		kind = problem.HubNotFound
	case hub.Unauthorized, hub.Gated, hub.Forbidden, hub.Unencrypted:
		kind = problem.HubRefused
	case hub.RateLimited:
		kind = problem.RateLimited
	}
	p := problem.New(kind, e.Error()).Because(e)
	p.RetryAfter = e.RetryAfter
	return p
}
