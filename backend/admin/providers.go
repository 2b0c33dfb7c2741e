package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/credentials"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/keychain"
	"mlxbar/backend/settings"
)

// Credentials has the keys that providers are asked with.
type Credentials interface {
	State(ctx context.Context, p *settings.Provider) (credentials.State, string)
	Set(ctx context.Context, provider, key string) error
	Remove(ctx context.Context, provider string) (credentials.Removal, error)
}

// Providers are the way to providers.
type Providers interface {
	// Probe asks a provider for its models, to see whether it can be asked, and returns how many it has.
	Probe(ctx context.Context, p *settings.Provider) (models int, err error)
	// ForgetLists has providers asked anew for their models, for another key may have others.
	ForgetLists()
	// Lacks says whether p was heard to list its models, and this is none of them. It asks nobody.
	Lacks(p settings.Provider, model string) bool
}

// Provider is a server elsewhere, as the settings name it. Its key is not shown.
type Provider struct {
	Name           string      `json:"name"`
	Kind           string      `json:"kind" enum:"openai,anthropic"`
	BaseURL        string      `json:"base_url"`
	APIKeyEnv      string      `json:"api_key_env" doc:"The environment variable that holds its key; empty for none."`
	APIKeyKeychain string      `json:"api_key_keychain" doc:"What the keychain keeps its key under; empty for none."`
	Key            SecretState `json:"key"`
	Leaves         bool        `json:"leaves" doc:"What goes there leaves this machine."`
	Open           []OpenModel `json:"open" nullable:"false" doc:"Models of it that failed too often and are left alone for a while."`
}

// SecretState is where a key or token comes from, and whether it is there.
type SecretState struct {
	Source string `json:"source" enum:"none,variable,keychain" doc:"none: nothing is sent."`
	State  string `json:"state" enum:"none,variable-set,variable-not-set,in-keychain,not-in-keychain,keychain-locked,no-keychain,keychain-unreadable"`
	Detail string `json:"detail" doc:"What is the matter and what to do; empty when all is well."`
}

// OpenModel is a model whose circuit is open.
type OpenModel struct {
	Model   string    `json:"model" doc:"Its name at the provider."`
	RetryAt time.Time `json:"retry_at"`
}

type providersOutput struct {
	Body struct {
		Providers []Provider `json:"providers" nullable:"false"`
	}
}

type providerInput struct {
	Name string `path:"name" doc:"A provider's name in the settings." example:"openai"`
}

type providerOutput struct{ Body Provider }

// SecretKey is a provider's key, or the Hub's token, on its way into the keychain. Members that it does not have are not complained
// of by name: what stands there may be a key in the wrong place.
type SecretKey struct {
	_   struct{} `additionalProperties:"true"`
	Key string   `json:"key" writeOnly:"true" doc:"1 to 2000 printable ASCII characters without blanks; of the Hub's token at most 500."`
}

type setKeyInput struct {
	Name string `path:"name" doc:"A provider's name in the settings." example:"openai"`
	Body SecretKey
}

// KeyRemoval is what became of a provider's key.
type KeyRemoval struct {
	Removed bool     `json:"removed" doc:"The keychain had it and has it no longer. It cannot be had back from mlxbar."`
	Unnamed bool     `json:"unnamed" doc:"The settings named it and no longer do: the provider is asked without a key."`
	Users   []string `json:"users" nullable:"false" doc:"Other providers that take the same key, which therefore stays in the keychain."`
}

type keyRemovalOutput struct{ Body KeyRemoval }

// ProviderTest is how a provider answered.
type ProviderTest struct {
	OK         bool         `json:"ok"`
	DurationMS float64      `json:"duration_ms"`
	Models     int          `json:"models" doc:"How many models it lists."`
	Problem    *TestProblem `json:"problem,omitempty" doc:"What is the matter when it is not ok."`
}

// TestProblem is what is the matter with a provider, in mlxbar's words: never the provider's, which may quote the key.
type TestProblem struct {
	Kind   string `json:"kind" doc:"A kind of problem, such as upstream-key."`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

type providerTestOutput struct{ Body ProviderTest }

func (a *API) registerProviders() {
	huma.Register(a.huma, get("/api/providers", "Providers that the settings name, and where their keys are"), a.listProviders)
	set := huma.Operation{OperationID: operationID("put", "/api/providers/{name}/key"), Method: http.MethodPut, Path: "/api/providers/{name}/key", Summary: "Keep a provider's key in the keychain"}
	set.Description = "The settings then name it in api_key_keychain. The system may ask for the keychain's password meanwhile."
	huma.Register(a.huma, set, a.setProviderKey)
	remove := huma.Operation{OperationID: operationID("delete", "/api/providers/{name}/key"), Method: http.MethodDelete, Path: "/api/providers/{name}/key", Summary: "Remove a provider's key from the keychain"}
	remove.Description = "It cannot be had back: a page that offers to undo this waits before it asks. The key of a provider that the settings no longer have can be removed as well."
	huma.Register(a.huma, remove, a.removeProviderKey)
	test := post("/api/providers/{name}/test", "Ask a provider for its models, to see whether it can be asked", http.StatusOK)
	test.Description = "Nothing but that is asked, and no tokens are used. A provider that does not answer well is a test that was made: its answer has ok false."
	huma.Register(a.huma, test, a.testProvider)
}

func (a *API) listProviders(ctx context.Context, _ *struct{}) (*providersOutput, error) {
	out := &providersOutput{}
	out.Body.Providers = []Provider{}
	current := a.Settings.Current()
	for i := range current.Providers {
		out.Body.Providers = append(out.Body.Providers, a.provider(ctx, &current.Providers[i]))
	}
	return out, nil
}

func (a *API) provider(ctx context.Context, p *settings.Provider) Provider {
	out := DescribeProvider(ctx, a.Credentials, p)
	for _, o := range a.Router.Opened(p) {
		out.Open = append(out.Open, OpenModel{o.Model, o.Until})
	}
	return out
}

// DescribeProvider says what is known of p without a server that asks it.
func DescribeProvider(ctx context.Context, keys Credentials, p *settings.Provider) Provider {
	out := Provider{Name: p.Name, Kind: string(p.Kind), BaseURL: p.BaseURL, APIKeyEnv: p.APIKeyEnv, APIKeyKeychain: p.APIKeyKeychain, Leaves: !p.OnThisMachine(), Open: []OpenModel{}}
	state, detail := keys.State(ctx, p)
	out.Key = SecretState{Source: "none", State: string(state), Detail: detail}
	switch {
	case p.APIKeyEnv != "":
		out.Key.Source = "variable"
	case p.APIKeyKeychain != "":
		out.Key.Source = "keychain"
	}
	return out
}

// findProvider gives the provider of that name.
func (a *API) findProvider(name string) (*settings.Provider, error) {
	current := a.Settings.Current()
	if p := current.Provider(name); p != nil {
		return p, nil
	}
	return nil, credentialProblem(credentials.ErrUnknown)
}

// keychainTime lets a person find the keychain's password.
const keychainTime = 2 * time.Minute

func (a *API) setProviderKey(ctx context.Context, in *setKeyInput) (*providerOutput, error) {
	limited, cancel := context.WithTimeout(ctx, keychainTime)
	defer cancel()
	if err := a.Credentials.Set(limited, in.Name, in.Body.Key); err != nil {
		return nil, credentialProblem(err)
	}
	a.Providers.ForgetLists()
	p, err := a.findProvider(in.Name)
	if err != nil {
		return nil, err
	}
	return &providerOutput{a.provider(ctx, p)}, nil
}

func (a *API) removeProviderKey(ctx context.Context, in *providerInput) (*keyRemovalOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, keychainTime)
	defer cancel()
	done, err := a.Credentials.Remove(ctx, in.Name)
	if err != nil {
		return nil, credentialProblem(err)
	}
	a.Providers.ForgetLists()
	return &keyRemovalOutput{KeyRemoval{done.Removed, done.Unnamed, append([]string{}, done.Users...)}}, nil
}

func (a *API) testProvider(ctx context.Context, in *providerInput) (*providerTestOutput, error) {
	p, err := a.findProvider(in.Name)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	models, err := a.Providers.Probe(ctx, p)
	return &providerTestOutput{ProviderTest{OK: err == nil, DurationMS: milliseconds(time.Since(start)), Models: models, Problem: testProblem(err)}}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// testProblem is what a test tells of err; nil for none.
func testProblem(err error) *TestProblem {
	if err == nil {
		return nil
	}
	e := problem.From(err)
	return &TestProblem{string(e.Kind), e.Kind.Title(), e.Detail}
}

func credentialProblem(err error) error {
	var key *credentials.KeyError
	var variable *credentials.VariableError
	switch {
	case errors.Is(err, credentials.ErrUnknown):
		return problem.New(problem.NotFound, "The settings name no provider of this name.")
	case errors.As(err, &key):
		return problem.Invalid(problem.Field{Location: "body.key", Detail: key.Detail})
	case errors.As(err, &variable):
		return problem.New(problem.Conflict, variable.Error())
	case errors.Is(err, keychain.ErrNone):
		return problem.New(problem.KeychainUnavailable, "There is no keychain in the server's session; name a variable of the server's environment in the provider's api_key_env instead.").Because(err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, credentials.ErrKeychain):
		return keychainProblem(err)
	}
	return err
}

// keychainProblem says what a keychain that is there did not do.
func keychainProblem(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return problem.New(problem.KeychainUnavailable, "The keychain did not answer; it may wait for its password on the screen.").Because(err)
	}
	return problem.New(problem.KeychainUnavailable, "The keychain did not do it; unlock it and try again.").Because(err)
}
