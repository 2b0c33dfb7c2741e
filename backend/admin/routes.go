package admin

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/routing"
	"mlxbar/backend/models"
	"mlxbar/backend/settings"
)

// Router says where requests go.
type Router interface {
	Plan(s *settings.Settings, model string) (routing.Plan, error)
	Opened(p *settings.Provider) []routing.Opened
}

// RoutePlan is where a request for a model would go at this moment.
type RoutePlan struct {
	Model   string        `json:"model"`
	Route   string        `json:"route" doc:"The pattern that matches; empty when none does and the request stays on this machine."`
	Spread  string        `json:"spread" enum:"order,weight,load"`
	Targets []RouteTarget `json:"targets" nullable:"false" doc:"In the order in which they would be asked; those that would be passed over come last."`
}

// RouteTarget is one target of a plan.
type RouteTarget struct {
	Provider string     `json:"provider" doc:"local for the engines of this machine."`
	Model    string     `json:"model" doc:"The model's name there."`
	Leaves   bool       `json:"leaves" doc:"What goes there leaves this machine."`
	Here     bool       `json:"here" doc:"For local: the model is on this machine."`
	Unlisted bool       `json:"unlisted" doc:"The provider was heard to list its models, and this is none of them."`
	Weight   int        `json:"weight"`
	Running  int        `json:"running" doc:"Requests that it serves at this moment."`
	Skip     string     `json:"skip" doc:"Why it would be passed over; empty when it may be asked."`
	RetryAt  *time.Time `json:"retry_at" doc:"When a target that failed too often may be asked again."`
}

type explainInput struct {
	Model string `query:"model" required:"true" minLength:"1" maxLength:"256" doc:"The model that a request would name."`
}

type explainOutput struct{ Body RoutePlan }

func (a *API) registerRoutes() {
	op := get("/api/routes/explain", "Where a request for a model would go, and why")
	op.Description = "Nothing is asked. Where requests are spread by weight the order is one of those that chance gives."
	huma.Register(a.huma, op, a.explainRoute)
}

func (a *API) explainRoute(_ context.Context, in *explainInput) (*explainOutput, error) {
	current := a.Settings.Current()
	plan, err := a.Router.Plan(&current, in.Model)
	if err != nil {
		return nil, problem.New(problem.Internal, "The route of this model names a provider that is not configured.").Because(err)
	}
	list, err := a.Library.List()
	if err != nil {
		return nil, problem.New(problem.Internal, "The models folder cannot be read.").Because(err)
	}
	here := map[string]bool{}
	for _, m := range list {
		here[m.Name] = true
	}
	out := RoutePlan{Model: in.Model, Route: plan.Route, Spread: string(plan.Spread), Targets: []RouteTarget{}}
	for _, c := range plan.Choices {
		t := RouteTarget{Provider: settings.LocalProvider, Model: c.Model, Leaves: c.Leaves(), Weight: c.Weight, Running: c.Running, Skip: string(c.Skip)}
		if c.Provider != nil {
			t.Provider, t.Unlisted = c.Provider.Name, a.Providers.Lacks(*c.Provider, c.Model)
		} else {
			t.Here = here[models.CleanName(c.Model)]
		}
		if !c.Retry.IsZero() {
			t.RetryAt = &c.Retry
		}
		out.Targets = append(out.Targets, t)
	}
	return &explainOutput{out}, nil
}
