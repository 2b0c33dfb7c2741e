// Package workload puts measured requests on a server: it finds out what is set
// up there, makes prompts, and times each answer.
package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"mlxbar/backend/bench"
	"mlxbar/backend/loopback"
)

// Server is an address to ask.
type Server struct {
	URL   string // without /v1
	Key   string // for /v1, may be empty
	Token string // the admin token of an mlxbar, may be empty
	Agent string // who asks, as a User-Agent
}

// BaseURL is where the inference API begins.
func (s Server) BaseURL() string { return s.URL + "/v1" }

// Here says whether the address is one of this machine alone.
func (s Server) Here() bool {
	u, err := url.Parse(s.URL)
	if err != nil {
		return false
	}
	return loopback.Host(u.Hostname())
}

// What may be wrong with an address before anything is measured.
var (
	ErrNobody    = errors.New("no server answers")
	ErrForeign   = errors.New("what answers is no server of OpenAI's protocol")
	ErrForbidden = errors.New("the server wants a key")
)

// ErrToken says that the server did not take the admin token.
var ErrToken = errors.New("the server refuses the admin token")

// Model is an entry of /v1/models.
type Model struct {
	ID      string `json:"id"`
	OwnedBy string `json:"owned_by"`
}

// Known is what a server tells of itself. What lies below Admin is only told to its admin token.
type Known struct {
	Models []Model

	Admin     bool
	Version   string
	DataDir   string
	Runs      map[string]string // the engine by local model
	Providers map[string]Provider
	Routes    []Route
	Engines   json.RawMessage // their settings
}

// Provider is a server that requests may be passed on to.
type Provider struct {
	Name    string
	Kind    string
	BaseURL string `json:"base_url"`
}

// Target is one end of a route.
type Target struct{ Provider, Model string }

// Route sends models to providers, or to the engines of the machine.
type Route struct {
	Model   string // a name, or a pattern with *
	Targets []Target
}

const (
	lookTimeout = 15 * time.Second
	lookMost    = 16 << 20
)

// Look asks the server what is set up.
func Look(ctx context.Context, client *http.Client, s Server) (*Known, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var list struct{ Data []Model }
	if err := s.get(ctx, client, s.BaseURL()+"/models", s.Key, &list); err != nil {
		return nil, err
	}
	if list.Data == nil {
		return nil, ErrForeign
	}
	k := &Known{Models: list.Data}
	if s.Token == "" {
		return k, nil
	}
	if err := k.lookInside(ctx, client, s); errors.Is(err, ErrForbidden) {
		return nil, ErrToken
	} else if err != nil {
		return nil, err
	}
	return k, nil
}

func (k *Known) lookInside(ctx context.Context, client *http.Client, s Server) error {
	var status struct {
		Version string
		DataDir string `json:"data_dir"`
	}
	var local struct {
		Models []struct{ Name, Engine string }
	}
	var settings struct {
		Providers []Provider
		Routes    []Route
		Engines   json.RawMessage
	}
	for path, into := range map[string]any{"/api/status": &status, "/api/models": &local, "/api/settings": &settings} {
		if err := s.get(ctx, client, s.URL+path, s.Token, into); err != nil {
			return err
		}
	}
	k.Admin, k.Version, k.DataDir, k.Routes, k.Engines = true, status.Version, status.DataDir, settings.Routes, settings.Engines
	k.Runs, k.Providers = map[string]string{}, map[string]Provider{}
	for _, m := range local.Models {
		k.Runs[m.Name] = m.Engine
	}
	for _, p := range settings.Providers {
		k.Providers[p.Name] = p
	}
	return nil
}

// send sends a request; without an answer its error is ErrNobody, or context.Canceled.
func (s Server) send(ctx context.Context, client *http.Client, method, address, key string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fmt.Errorf("workload: %w", err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if s.Agent != "" {
		req.Header.Set("User-Agent", s.Agent)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(req)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return nil, context.Canceled
		}
		var cause *url.Error // its address may hold a password
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return nil, fmt.Errorf("%w: %w", ErrNobody, err)
	}
	return res, nil
}

func (s Server) get(ctx context.Context, client *http.Client, address, key string, into any) error {
	res, err := s.send(ctx, client, http.MethodGet, address, key, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch body, err := io.ReadAll(io.LimitReader(res.Body, lookMost)); {
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return ErrForbidden
	case err != nil || res.StatusCode != http.StatusOK || json.Unmarshal(body, into) != nil:
		return ErrForeign
	}
	return nil
}

// Names are the models' names, for a sentence.
func (k *Known) Names() string {
	var names []string
	for _, m := range k.Models {
		names = append(names, m.ID)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// Has says whether /v1/models lists the model, or a route takes it.
func (k *Known) Has(model string) bool {
	return slices.ContainsFunc(k.Models, func(m Model) bool { return m.ID == model }) || k.route(model) != nil
}

func (k *Known) route(model string) *Route {
	for i, r := range k.Routes {
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(r.Model), `\*`, ".*") + "$"
		if ok, err := regexp.MatchString(pattern, model); err == nil && ok && len(r.Targets) > 0 {
			return &k.Routes[i]
		}
	}
	return nil
}

// The routes that a request can take. Local and Remote are those of servers whose admin token is not at hand.
const (
	LlamaCPP  = "local-llamacpp"
	MLX       = "local-mlx"
	OpenAI    = "openai"
	Anthropic = "anthropic"
	Failover  = "failover"
	Local     = "local"
	Remote    = "provider"
)

// hereTarget is what a route's target names for the engines of the machine.
const hereTarget = "local"

// ownedHere is how an mlxbar marks the models of its own machine.
const ownedHere = "mlxbar"

// Target says which way the model's requests go.
func (k *Known) Target(model string) (route, provider string) {
	if r := k.route(model); r != nil {
		p := r.Targets[0].Provider
		if len(r.Targets) > 1 {
			return Failover, p
		}
		switch {
		case p == hereTarget && k.Runs[r.Targets[0].Model] != "":
			return "local-" + k.Runs[r.Targets[0].Model], p
		case p == hereTarget:
			return LlamaCPP, p
		case k.Providers[p].Kind == "anthropic":
			return Anthropic, p
		}
		return OpenAI, p
	}
	owner := ""
	if i := slices.IndexFunc(k.Models, func(m Model) bool { return m.ID == model }); i >= 0 {
		owner = k.Models[i].OwnedBy
	}
	switch {
	case k.Admin && k.Runs[model] != "":
		return "local-" + k.Runs[model], owner
	case k.Admin && owner == ownedHere:
		return LlamaCPP, owner
	case owner == ownedHere:
		return Local, owner
	}
	return Remote, owner
}

// strict says whether the model is OpenAI's own, whose newer models refuse max_tokens and a temperature.
func (k *Known) strict(model string) bool {
	r := k.route(model)
	if r == nil || len(r.Targets) > 1 {
		return false
	}
	u, err := url.Parse(k.Providers[r.Targets[0].Provider].BaseURL)
	return err == nil && u.Hostname() == "api.openai.com"
}

// Client is an HTTP client for n requests at a time. It lets go of a connection before
// llama.cpp closes it, which it does after five idle seconds: a request sent into that is lost.
func Client(n int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: n, IdleConnTimeout: 4 * time.Second, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// notSetUp tells a target that was never set up from one that failed.
func notSetUp(f *bench.Failure) bool { return f.Code == "upstream_key" }
