package gateway

import (
	"context"
	"net/http"
	"os"
	"slices"
	"sort"
	"strings"

	"mlxbar/backend/access"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/routing"
	"mlxbar/backend/models"
	"mlxbar/backend/settings"
)

// ownedHere marks the models of this machine. No provider may have this name.
const ownedHere = "mlxbar"

// model is an entry of the model list, as OpenAI writes it.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`

	title string // for people, where a provider gives one
}

// catalog is models by name.
type catalog map[string]model

func (c catalog) sorted() []model {
	list := make([]model, 0, len(c))
	for _, m := range c {
		list = append(list, m)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	return list
}

// known are the models that can be told without asking anybody: those on this machine, and those that a
// route without a wildcard names. A route stands over a local model of the same name.
func (g *Gateway) known(s *settings.Settings) (catalog, error) {
	local, err := g.Library.List()
	if err != nil {
		return nil, problem.New(problem.Internal, "The models folder cannot be read.").Because(err)
	}
	c := catalog{}
	for _, m := range local {
		var created int64
		if info, err := os.Stat(m.Path); err == nil {
			created = info.ModTime().Unix()
		}
		c[m.Name] = model{ID: m.Name, Object: "model", Created: created, OwnedBy: ownedHere}
	}
	for _, route := range s.Routes {
		if !wild(route) && len(route.Targets) > 0 {
			c[route.Model] = model{ID: route.Model, Object: "model", OwnedBy: route.Targets[0].Provider}
		}
	}
	return c, nil
}

// listed is known and what providers list, as far as a request by that name would go to them under it.
func (g *Gateway) listed(ctx context.Context) (catalog, error) {
	s := g.Settings()
	c, err := g.known(&s)
	if err != nil {
		return nil, err
	}
	providers := beyondWildcards(&s)
	if len(providers) == 0 {
		return c, nil
	}
	lists := g.lists.Models(ctx, providers)
	for _, p := range providers { // in the settings' order, which decides where two list the same
		for _, m := range lists[p] {
			if owner := c[m.ID].OwnedBy; owner != "" && owner != ownedHere || !g.leads(&s, m.ID, p.Name) {
				continue
			}
			c[m.ID] = model{ID: m.ID, Object: "model", Created: m.Created, OwnedBy: p.Name, title: m.Title}
		}
	}
	return c, nil
}

// beyondWildcards are the providers that routes with a wildcard lead to: what the others list cannot be
// asked for by its name.
func beyondWildcards(s *settings.Settings) (list []settings.Provider) {
	for _, p := range s.Providers {
		leads := slices.ContainsFunc(s.Routes, func(r settings.Route) bool {
			return wild(r) && slices.ContainsFunc(r.Targets, func(t settings.Target) bool { return t.Provider == p.Name })
		})
		if leads && mayAsk(s, p) {
			list = append(list, p)
		}
	}
	return list
}

func wild(r settings.Route) bool { return strings.Contains(r.Model, "*") }

// mayAsk says whether the settings let p be asked anything.
func mayAsk(s *settings.Settings, p settings.Provider) bool { return !s.LocalOnly || p.OnThisMachine() }

// leads says whether a request for the model of that name can end at that provider, under that name.
func (g *Gateway) leads(s *settings.Settings, name, provider string) bool {
	plan, err := g.Router.Plan(s, name)
	return err == nil && slices.ContainsFunc(plan.Choices, func(c routing.Choice) bool {
		return c.Provider != nil && c.Provider.Name == provider && c.Model == name && c.Skip != routing.LocalOnly
	})
}

func (g *Gateway) listModels(w http.ResponseWriter, r *http.Request, key access.Key) error {
	c, err := g.listed(r.Context())
	if err != nil {
		return err
	}
	list := slices.DeleteFunc(c.sorted(), func(m model) bool { return !key.Limits.Allows(m.ID) })
	if problem.ForAnthropic(r) {
		page, fault := pageOf(list, r.URL.Query())
		if fault != nil {
			return fault
		}
		return writeJSON(w, http.StatusOK, page)
	}
	return writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
}

func (g *Gateway) getModel(w http.ResponseWriter, r *http.Request, key access.Key) error {
	c, err := g.listed(r.Context())
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	m, found := c[id]
	if !found { // as the engines find theirs
		m = c[models.CleanName(id)]
		found = m.OwnedBy == ownedHere
	}
	switch {
	case !found || !key.Limits.Allows(m.ID):
		return g.unknownModel(id)
	case problem.ForAnthropic(r):
		return writeJSON(w, http.StatusOK, m.forAnthropic())
	}
	return writeJSON(w, http.StatusOK, m)
}

// modelNames is known and the routes' patterns as a sentence's part.
func (g *Gateway) modelNames() (string, error) {
	s := g.Settings()
	c, err := g.known(&s)
	if err != nil {
		return "", err
	}
	var names []string
	for _, m := range c.sorted() {
		names = append(names, m.ID)
	}
	for _, route := range s.Routes {
		if wild(route) {
			names = append(names, route.Model)
		}
	}
	if len(names) == 0 {
		return "none yet; put a GGUF file into the models folder", nil
	}
	return strings.Join(names, ", "), nil
}
