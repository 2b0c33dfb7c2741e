package routing

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"mlxbar/backend/settings"
)

// Choice is one target of a plan: where the request goes, and why it does not if that is so.
type Choice struct {
	Destination
	Weight int
	// Running is how many requests it serves at this moment.
	Running int
	// Skip says why this one is passed over; "" means that it may be asked.
	Skip Skip
	// Retry is when a target whose circuit is open may be asked again.
	Retry time.Time
}

// Skip is a reason to pass a target over.
type Skip string

// The reasons.
const (
	Open      Skip = "its circuit is open: it failed several times in a row"
	LocalOnly Skip = "nothing may leave this machine (local_only)"
)

// Plan is what becomes of a request for one model: its targets in the order in which they are asked.
type Plan struct {
	// Route is the pattern that matched, "" when none did and the request stays here.
	Route   string
	Spread  settings.Spread
	Choices []Choice
}

// Usable are the choices that may be asked.
func (p Plan) Usable() []Choice {
	return slices.DeleteFunc(slices.Clone(p.Choices), func(c Choice) bool { return c.Skip != "" })
}

// Plan says where a request for model goes: the targets of the first route that matches, in the order of
// its spread, else this machine. A target that is passed over stands in the plan with the reason, in its
// place. A route whose provider is not configured is an error; validated settings have none.
func (r *Router) Plan(s *settings.Settings, model string) (Plan, error) {
	for _, route := range s.Routes {
		if !Match(route.Model, model) || len(route.Targets) == 0 {
			continue
		}
		p := Plan{Route: route.Model, Spread: cmp.Or(route.Spread, settings.InOrder)}
		for _, t := range route.Targets {
			d, err := destination(s, t, model)
			if err != nil {
				return Plan{}, fmt.Errorf("route %q: %w", route.Model, err)
			}
			p.Choices = append(p.Choices, r.choice(s, d, t.Weight))
		}
		r.arrange(p.Spread, p.Choices)
		return p, nil
	}
	return Plan{Spread: settings.InOrder, Choices: []Choice{r.choice(s, Destination{Model: model}, 0)}}, nil
}

func destination(s *settings.Settings, t settings.Target, model string) (Destination, error) {
	d := Destination{Model: cmp.Or(t.Model, model)}
	if t.Provider == settings.LocalProvider {
		return d, nil
	}
	if d.Provider = s.Provider(t.Provider); d.Provider == nil {
		return Destination{}, fmt.Errorf("no provider is named %q", t.Provider)
	}
	return d, nil
}

func (r *Router) choice(s *settings.Settings, d Destination, weight int) Choice {
	c := Choice{Destination: d, Weight: max(weight, 1)}
	c.Running, c.Retry = r.load(d)
	switch {
	case s.LocalOnly && d.Leaves():
		c.Skip = LocalOnly
	case !c.Retry.IsZero():
		c.Skip = Open
	}
	return c
}

// arrange puts choices in the order in which they are asked. Those that are passed over go last, for
// they say nothing of where a request goes.
func (r *Router) arrange(spread settings.Spread, choices []Choice) {
	switch spread {
	case settings.ByWeight:
		r.draw(choices)
	case settings.ByLoad:
		slices.SortStableFunc(choices, func(a, b Choice) int {
			return cmp.Compare(a.Running*b.Weight, b.Running*a.Weight) // running per weight, without a division
		})
	}
	slices.SortStableFunc(choices, func(a, b Choice) int { return cmp.Compare(passed(a), passed(b)) })
}

func passed(c Choice) int {
	if c.Skip != "" {
		return 1
	}
	return 0
}

// draw orders choices at random, one after the other by weight among those that are left: the first is
// each as often as its weight says, and so is the one that a failed first falls back to.
func (r *Router) draw(choices []Choice) {
	for i := range choices {
		rest := choices[i:]
		total := 0
		for _, c := range rest {
			total += c.Weight
		}
		at := r.random(total)
		for j, c := range rest {
			if at -= c.Weight; at < 0 {
				copy(rest[1:j+1], rest[:j])
				rest[0] = c
				break
			}
		}
	}
}
