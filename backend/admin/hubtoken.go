package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/credentials"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/hub"
	"mlxbar/backend/keychain"
)

// HubToken is where the Hub's token is kept.
type HubToken interface {
	Find(ctx context.Context) (token string, variable bool, err error)
	Set(ctx context.Context, token string) error
	Remove(ctx context.Context) (bool, error)
}

// HubTokenTest is what the Hub said to its token.
type HubTokenTest struct {
	OK         bool         `json:"ok"`
	DurationMS float64      `json:"duration_ms"`
	Account    string       `json:"account" doc:"Whose token it is; empty when it is not ok."`
	Problem    *TestProblem `json:"problem,omitempty" doc:"What is the matter when it is not ok."`
}

// HubTokenRemoval is what became of the Hub's token.
type HubTokenRemoval struct {
	Removed bool `json:"removed" doc:"The keychain had it and has it no longer. It cannot be had back from mlxbar."`
}

type hubTokenOutput struct{ Body SecretState }

type hubTokenTestOutput struct{ Body HubTokenTest }

const hubTokenPath = "/api/hub/token"

func (a *API) registerHubToken() {
	read := get(hubTokenPath, "Where the token is that the Hugging Face Hub is asked with")
	huma.Register(a.huma, read, func(ctx context.Context, _ *struct{}) (*hubTokenOutput, error) {
		return &hubTokenOutput{a.hubToken(ctx)}, nil
	})
	set := change(http.MethodPut, hubTokenPath, "Keep the Hub's token in the keychain")
	set.DefaultStatus = http.StatusOK
	set.Description = "It counts from the next question to the Hub on, as one of `mlxbar models login` does. The system may ask for the keychain's password meanwhile."
	huma.Register(a.huma, set, a.setHubToken)
	remove := change(http.MethodDelete, hubTokenPath, "Remove the Hub's token from the keychain")
	remove.DefaultStatus = http.StatusOK
	remove.Description = "It cannot be had back: a page that offers to undo this waits before it asks."
	huma.Register(a.huma, remove, func(ctx context.Context, _ *struct{}) (*struct{ Body HubTokenRemoval }, error) {
		ctx, cancel := context.WithTimeout(ctx, keychainTime)
		defer cancel()
		removed, err := a.HubToken.Remove(ctx)
		if err != nil {
			return nil, hubTokenProblem(err)
		}
		return &struct{ Body HubTokenRemoval }{HubTokenRemoval{removed}}, nil
	})
	test := post(hubTokenPath+"/test", "Ask the Hub whose token it is sent, to see whether it takes it", http.StatusOK)
	test.Description = "A Hub that does not take it is a test that was made: its answer has ok false."
	huma.Register(a.huma, test, a.testHubToken)
}

const noKeychain = "There is no keychain in the server's session; set the variable " + hub.TokenName + " in the server's environment instead."

// hubToken says where the token is, and never what it is.
func (a *API) hubToken(ctx context.Context) SecretState {
	token, variable, err := a.HubToken.Find(ctx)
	state := SecretState{Source: "keychain", State: string(credentials.Kept)}
	switch {
	case variable && err != nil:
		return SecretState{"variable", string(credentials.VariableUnset), upper(err.Error())}
	case variable && token == "":
		return SecretState{"variable", string(credentials.None), "The variable " + hub.TokenName + " is set to nothing in the server's environment, which keeps the keychain out."}
	case variable:
		return SecretState{Source: "variable", State: string(credentials.VariableSet)}
	case err == nil:
		return state
	case errors.Is(err, keychain.ErrNotFound):
		return SecretState{Source: "none", State: string(credentials.None)}
	case errors.Is(err, keychain.ErrNone):
		return SecretState{"none", string(credentials.NoKeychain), noKeychain}
	case errors.Is(err, keychain.ErrLocked):
		state.State, state.Detail = string(credentials.Locked), "The keychain, which may have a token, is locked; unlock it and try again."
	default:
		state.State, state.Detail = string(credentials.Unread), "The keychain, which may have a token, could not be read; it may wait for an answer of yours on the screen."
	}
	return state
}

func (a *API) setHubToken(ctx context.Context, in *struct{ Body SecretKey }) (*hubTokenOutput, error) {
	limited, cancel := context.WithTimeout(ctx, keychainTime)
	defer cancel()
	_, variable, _ := a.HubToken.Find(limited)
	if variable {
		return nil, problem.New(problem.Conflict, "The variable "+hub.TokenName+" of the server's environment stands over the keychain; start the server without it first.")
	}
	if err := a.HubToken.Set(limited, in.Body.Key); err != nil {
		return nil, hubTokenProblem(err)
	}
	return &hubTokenOutput{a.hubToken(ctx)}, nil
}

func (a *API) testHubToken(ctx context.Context, _ *struct{}) (*hubTokenTestOutput, error) {
	if err := a.local(); err != nil {
		return nil, err
	}
	out := &hubTokenTestOutput{}
	if at := a.hubToken(ctx); at.State != string(credentials.Kept) && at.State != string(credentials.VariableSet) {
		detail := at.Detail
		if detail == "" {
			detail = "There is no token: set one first."
		}
		out.Body.Problem = testProblem(problem.New(problem.HubRefused, detail))
		return out, nil
	}
	start := time.Now()
	account, err := a.Hub.Account(ctx)
	out.Body = HubTokenTest{OK: err == nil, DurationMS: milliseconds(time.Since(start)), Account: account, Problem: testProblem(downloadProblem(err))}
	return out, nil
}

func hubTokenProblem(err error) error {
	var wrong *hub.TokenError
	switch {
	case errors.As(err, &wrong):
		return problem.Invalid(problem.Field{Location: "body.key", Detail: wrong.Detail})
	case errors.Is(err, keychain.ErrNone):
		return problem.New(problem.KeychainUnavailable, noKeychain).Because(err)
	}
	return keychainProblem(err)
}
