package gateway

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mlxbar/backend/access"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/loopback"
)

// Keys hold requests to the API keys that were given out.
type Keys interface {
	Identify(secret string) (access.Key, error)
	Admit(id, model string) (access.Allowance, error)
	Spend(id string, tokens int64)
}

// keysOf are the API keys that a request brings, as OpenAI's and Anthropic's clients send them. Some send both headers, with
// a key of another place in one of them.
func keysOf(r *http.Request) (keys []string) {
	if key := r.Header.Get("X-Api-Key"); key != "" {
		keys = append(keys, key)
	}
	if key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); key != "" {
		keys = append(keys, key)
	}
	return keys
}

// identify finds whose key a request brings. Where none is required a key that is not known counts for
// none: clients that were told nothing send something all the same. The house's own pages need none.
func (g *Gateway) identify(r *http.Request) (access.Key, error) {
	if g.Keys == nil {
		return access.Key{}, nil
	}
	given := keysOf(r)
	for _, secret := range given {
		if key, err := g.Keys.Identify(secret); err == nil {
			return key, nil
		}
	}
	switch {
	case !g.keyRequired(r) || g.Owner != nil && g.Owner(r):
		return access.Key{}, nil
	case len(given) == 0:
		return access.Key{}, problem.New(problem.InvalidKey, "The request has no API key, and one is required here. mlxbar keys create NAME makes one; send it as Authorization: Bearer or X-Api-Key.")
	}
	return access.Key{}, problem.New(problem.InvalidKey, "The API key is not one that this mlxbar gave out, or it was taken back.")
}

// keyRequired says whether r needs a key: where the settings say so, and wherever another machine can ask.
func (g *Gateway) keyRequired(r *http.Request) bool {
	return g.Settings().Server.RequireAPIKey || g.Exposed != nil && g.Exposed() || !loopback.Reached(r)
}

// keyed serves h to whom it may be served, and tells it by which key.
func (g *Gateway) keyed(h func(http.ResponseWriter, *http.Request, access.Key) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		key, err := g.identify(r)
		if err != nil {
			return err
		}
		return h(w, r, key)
	}
}

// admit counts the request for its key, and tells what is left to it.
func (x *exchange) admit() error {
	if x.record.KeyID == "" {
		return nil
	}
	left, err := x.Keys.Admit(x.record.KeyID, x.request.Model)
	tellAllowance(x.w.Header(), left)
	var over *access.Over
	var no *access.NotAllowed
	switch {
	case errors.As(err, &over):
		e := problem.Newf(problem.RateLimited, "The API key has used up its limit %s.", over.Limit)
		e.RetryAfter = over.After
		return e
	case errors.As(err, &no):
		return problem.Newf(problem.ModelNotAllowed, "The API key may not ask this model; it may ask: %s.", strings.Join(no.Models, ", "))
	case err != nil:
		return problem.New(problem.InvalidKey, "The API key was taken back.").Because(err)
	}
	return nil
}

// spend counts what the request has used for its key.
func (x *exchange) spend() {
	if x.record.KeyID == "" {
		return
	}
	n := x.streamed // of an answer that broke off or that its client left
	if total := x.record.TotalTokens; total != nil {
		n = *total
	}
	x.Keys.Spend(x.record.KeyID, n)
}

// tellAllowance sets the headers by which OpenAI's API tells limits.
func tellAllowance(h http.Header, a access.Allowance) {
	tell := func(what string, limit, left int64, reset time.Duration) {
		if limit > 0 {
			h.Set("X-Ratelimit-Limit-"+what, strconv.FormatInt(limit, 10))
			h.Set("X-Ratelimit-Remaining-"+what, strconv.FormatInt(left, 10))
			h.Set("X-Ratelimit-Reset-"+what, reset.Round(time.Millisecond).String())
		}
	}
	tell("Requests", int64(a.Requests), int64(a.RequestsLeft), a.RequestsReset)
	tell("Tokens", a.Tokens, a.TokensLeft, a.TokensReset)
}
