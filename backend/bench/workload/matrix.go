package workload

import (
	"fmt"
	"slices"
	"strings"

	"mlxbar/backend/bench/results"
)

// Spec is a case to measure.
type Spec struct {
	Route       string
	Provider    string
	Model       string
	Prompt      Prompt
	Concurrency int
	IgnoreEOS   bool // the model speaks on to the limit, so that all answers are of one length
	Strict      bool // OpenAI's own: max_completion_tokens, and no temperature
	// Skip says why this case cannot be measured.
	Skip string
}

// Spec makes the case of one model.
func (k *Known) Spec(model string, p Prompt, concurrency int) Spec {
	route, provider := k.Target(model)
	local := route == LlamaCPP || route == MLX || route == Local
	return Spec{Route: route, Provider: provider, Model: model, Prompt: p, Concurrency: concurrency, IgnoreEOS: local, Strict: k.strict(model)}
}

// Routes are those of a suite, in its order.
var Routes = []string{LlamaCPP, MLX, OpenAI, Anthropic, Failover}

// Matrix is every case of a suite: model by prompt by concurrency by route. A route
// that leads nowhere is a single case that says why. Without models, all that
// the server names are taken.
func (k *Known) Matrix(routes, models []string, prompts []Prompt, concurrency []int) (specs []Spec) {
	candidates := models
	if len(models) == 0 {
		for _, m := range k.Models {
			candidates = append(candidates, m.ID)
		}
	}
	for _, route := range k.rows(routes) {
		var on []string
		for _, m := range candidates {
			if r, _ := k.Target(m); r == route && k.Has(m) {
				on = append(on, m)
			}
		}
		if len(on) == 0 && (route == Local || route == Remote) {
			continue
		}
		if len(on) == 0 {
			specs = append(specs, Spec{Route: route, Skip: k.whyNot(route, len(models) > 0)})
		}
		for _, m := range on {
			for _, p := range prompts {
				for _, n := range concurrency {
					specs = append(specs, k.Spec(m, p, n))
				}
			}
		}
	}
	return specs
}

// rows are the routes; where nobody tells which one a model takes, what can be told follows.
func (k *Known) rows(routes []string) []string {
	if k.Admin {
		return routes
	}
	rows := slices.Clone(routes)
	if slices.Contains(routes, LlamaCPP) || slices.Contains(routes, MLX) {
		rows = append(rows, Local)
	}
	if slices.Contains(routes, OpenAI) || slices.Contains(routes, Anthropic) || slices.Contains(routes, Failover) {
		rows = append(rows, Remote)
	}
	return rows
}

// whyNot says why no model takes the route.
func (k *Known) whyNot(route string, chosen bool) string {
	var fitting []string
	for _, r := range k.Routes {
		kind := Failover
		if len(r.Targets) == 1 {
			kind = k.Providers[r.Targets[0].Provider].Kind
		}
		if kind == route {
			fitting = append(fitting, r.Model)
		}
	}
	switch {
	case !k.Admin && (route == LlamaCPP || route == MLX):
		return "only the admin token is told which engine runs a model (--data-dir or --admin-token-env); local models are measured as the route local"
	case !k.Admin:
		return "only the admin token is told where routes lead (--data-dir or --admin-token-env); models of providers are measured as the route provider"
	case len(fitting) > 0:
		return fmt.Sprintf("the settings' route for %s leads there: name a model of it with --model", strings.Join(fitting, ", "))
	case chosen:
		return "no model of --model goes there"
	case route == LlamaCPP:
		return "no GGUF model is in the server's models folder"
	case route == MLX:
		return "the server has no model that runs on MLX"
	case route == Failover:
		return "no route of the settings has two targets"
	}
	return fmt.Sprintf("the settings have no route to a provider of the kind %s", route)
}

// case as it stands before anything was asked.
func (s Spec) result() results.Case {
	c := results.Case{Samples: []results.Sample{}, CaseSummary: results.CaseSummary{Route: s.Route, Provider: s.Provider, Model: s.Model,
		Concurrency: s.Concurrency, IgnoreEOS: s.IgnoreEOS, Status: results.NotRun, Errors: []results.Error{}}}
	if s.Skip != "" {
		c.Status, c.Reason = results.Skipped, s.Skip
		return c
	}
	c.Prompt = s.Prompt.About()
	return c
}

// NotRun is the case that had no turn.
func (s Spec) NotRun(why string) results.Case {
	c := s.result()
	if s.Skip == "" {
		c.Reason = why
	}
	return c
}
