package admin

import (
	"context"
	"net/http"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/connect"
	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/models"
)

// Checker asks this server as a tool does.
type Checker interface {
	Check(ctx context.Context, tool connect.Tool, model, key string) (connect.Result, error)
}

// Connect is how tools are pointed at this server.
type Connect struct {
	URL         string        `json:"url"`
	Model       string        `json:"model" doc:"What the snippets name: the model that was asked for, else one that is there."`
	KeyRequired bool          `json:"key_required"`
	KeyVariable string        `json:"key_variable" doc:"The variable of the environment that the snippets take an API key from."`
	Read        string        `json:"read" format:"date" doc:"The day when the tools' own documents were read for this."`
	Tools       []ConnectTool `json:"tools" nullable:"false"`
}

// ConnectTool is one tool and what there is to do for it.
type ConnectTool struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Group    connect.Group     `json:"group" enum:"coding,library"`
	Docs     string            `json:"docs" format:"uri"`
	Version  string            `json:"version" doc:"What the snippets were held against."`
	Notes    []string          `json:"notes" nullable:"false"`
	Snippets []connect.Snippet `json:"snippets" nullable:"false"`
}

type connectInput struct {
	Model string `query:"model" maxLength:"256" doc:"The model to name in the snippets."`
}

type connectOutput struct{ Body Connect }

// CheckRequest is what is to be checked.
type CheckRequest struct {
	Tool  string `json:"tool" doc:"The id of a tool that GET /api/connect lists."`
	Model string `json:"model" minLength:"1" maxLength:"256"`
	Key   string `json:"key,omitempty" maxLength:"512" doc:"An API key to ask with, as the tool will. It is used this once and not kept. Without one the check is let in as the server's own."`
}

type checkInput struct{ Body CheckRequest }

type checkOutput struct{ Body connect.Result }

func (a *API) registerConnect() {
	huma.Register(a.huma, get("/api/connect", "How tools are pointed at this server"), a.connectTools)
	op := post("/api/connect/check", "Ask as a tool does, and say how that goes", http.StatusOK)
	op.Description = "Sends one short request of the tool's kind through the server's own address, and reads its answer to the end. A check that fails is an answer, not an error."
	huma.Register(a.huma, op, a.checkTool)
}

func (a *API) connectTools(_ context.Context, in *connectInput) (*connectOutput, error) {
	list, err := a.Library.List()
	if err != nil {
		return nil, problem.New(problem.Internal, "The models folder cannot be read.").Because(err)
	}
	current := a.Settings.Current()
	to := connect.Target{URL: a.Status().URL, Model: in.Model, Key: a.keyRequired()}
	if to.Model == "" {
		to.Model = a.proposed(list)
	}
	for _, m := range list {
		if m.Name == models.CleanName(to.Model) {
			to.Context = contextOf(m, current.Engines.LlamaCPP.ContextSize)
		}
	}
	out := Connect{URL: to.URL, Model: to.Model, KeyRequired: to.Key, KeyVariable: connect.KeyVariable, Read: connect.Read, Tools: []ConnectTool{}}
	for _, t := range connect.Tools() {
		snippets, err := t.Snippets(to)
		if err != nil {
			return nil, err
		}
		out.Tools = append(out.Tools, ConnectTool{
			ID: t.ID, Name: t.Name, Group: t.Group, Docs: t.Docs, Version: t.Version, Notes: append([]string{}, t.Notes...), Snippets: snippets,
		})
	}
	return &connectOutput{out}, nil
}

// keyRequired says whether requests need an API key: by the settings, or because other machines can reach the server.
func (a *API) keyRequired() bool {
	return a.Settings.Current().Server.RequireAPIKey || a.Status().Exposed
}

// proposed is a model to begin with: one that is loaded, else the first that can be; "" when there is none.
func (a *API) proposed(list []models.Model) string {
	for _, s := range a.Engines.States() {
		if s.State == engine.Ready {
			return s.Model
		}
	}
	for _, m := range list {
		if a.Engines.EngineOf(m.Format) != "" {
			return m.Name
		}
	}
	return ""
}

// contextOf is how many tokens a model takes in here; 0 when its file does not tell.
func contextOf(m models.Model, set int) int {
	if set > 0 && (m.Facts.ContextLength == 0 || set < m.Facts.ContextLength) {
		return set
	}
	return m.Facts.ContextLength
}

func (a *API) checkTool(ctx context.Context, in *checkInput) (*checkOutput, error) {
	tool, ok := connect.Find(in.Body.Tool)
	if !ok {
		return nil, problem.Invalid(problem.Field{Location: "body.tool", Detail: "must be one of " + strings.Join(connect.IDs(), ", ")})
	}
	if strings.ContainsFunc(in.Body.Key, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' ' }) {
		return nil, problem.Invalid(problem.Field{Location: "body.key", Detail: "holds characters that no API key has"})
	}
	if strings.ContainsFunc(in.Body.Model, unicode.IsControl) {
		return nil, problem.Invalid(problem.Field{Location: "body.model", Detail: "must not hold control characters"})
	}
	result, err := a.Checker.Check(ctx, tool, in.Body.Model, in.Body.Key)
	if err != nil {
		return nil, err
	}
	if a.keyRequired() && in.Body.Key == "" && result.OK {
		result.Notes = append(result.Notes, "This server requires an API key. The check was let in without one; the tool will need its own.")
	}
	return &checkOutput{result}, nil
}
