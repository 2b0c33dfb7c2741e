package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/access"
	"mlxbar/backend/gateway/problem"
)

// Keys keep the API keys that are given out.
type Keys interface {
	List(ctx context.Context) ([]access.Key, error)
	Create(ctx context.Context, name string, l access.Limits, now time.Time) (access.Key, string, error)
	Update(ctx context.Context, id, name string, l access.Limits) error
	Delete(ctx context.Context, id string) error
	Restore(ctx context.Context, id string) error
}

// KeyRequest is what a key is to be.
type KeyRequest struct {
	Name   string        `json:"name" doc:"Who uses it."`
	Limits access.Limits `json:"limits" required:"false"`
}

// NewKey is a key with its secret, which is told this once.
type NewKey struct {
	Key    access.Key `json:"key"`
	Secret string     `json:"secret" doc:"The key itself: what clients send. It is not kept and cannot be told again."`
}

type keysOutput struct {
	Body struct {
		Keys []access.Key `json:"keys" nullable:"false"`
	}
}

type keyInput struct{ Body KeyRequest }

type keyChangeInput struct {
	ID   string `path:"id"`
	Body KeyRequest
}

type keyIDInput struct {
	ID string `path:"id"`
}

type newKeyOutput struct{ Body NewKey }

func (a *API) registerKeys() {
	huma.Register(a.huma, get("/api/keys", "API keys that were given out"), a.listKeys)
	huma.Register(a.huma, post("/api/keys", "Make an API key", http.StatusCreated), a.createKey)
	huma.Register(a.huma, change(http.MethodPut, "/api/keys/{id}", "Change an API key's name and limits"), a.changeKey)
	remove := change(http.MethodDelete, "/api/keys/{id}", "Take an API key back")
	remove.Description = "It is refused at once. For ten seconds POST /api/keys/{id}/undelete makes it good again."
	huma.Register(a.huma, remove, a.deleteKey)
	huma.Register(a.huma, post("/api/keys/{id}/undelete", "Make an API key good again that was taken back", http.StatusNoContent), a.undeleteKey)
}

func (a *API) listKeys(ctx context.Context, _ *struct{}) (*keysOutput, error) {
	list, err := a.Keys.List(ctx)
	out := &keysOutput{}
	out.Body.Keys = append([]access.Key{}, list...)
	return out, keyProblem(err)
}

func (a *API) createKey(ctx context.Context, in *keyInput) (*newKeyOutput, error) {
	key, secret, err := a.Keys.Create(ctx, in.Body.Name, in.Body.Limits, time.Now())
	return &newKeyOutput{NewKey{key, secret}}, keyProblem(err)
}

func (a *API) changeKey(ctx context.Context, in *keyChangeInput) (*struct{}, error) {
	return nil, keyProblem(a.Keys.Update(ctx, in.ID, in.Body.Name, in.Body.Limits))
}

func (a *API) deleteKey(ctx context.Context, in *keyIDInput) (*struct{}, error) {
	return nil, keyProblem(a.Keys.Delete(ctx, in.ID))
}

func (a *API) undeleteKey(ctx context.Context, in *keyIDInput) (*struct{}, error) {
	return nil, keyProblem(a.Keys.Restore(ctx, in.ID))
}

func keyProblem(err error) error {
	var field *access.FieldError
	switch {
	case errors.As(err, &field):
		return problem.Invalid(problem.Field{Location: "body." + field.Field, Detail: field.Detail})
	case errors.Is(err, access.ErrNotFound):
		return problem.New(problem.NotFound, "There is no API key of this id.")
	}
	return err
}
