package gateway

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"os"
	"slices"
	"sort"
	"strings"

	"mlxbar/backend/access"
	"mlxbar/backend/gateway/listing"
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

// view is what is known of who answers for which name.
type view struct {
	settings *settings.Settings
	here     catalog                               // the models of this machine
	lists    map[settings.Provider][]listing.Model // what providers were heard to list
	exact    map[string]int                        // the first route of each name, by its place
	wild     []int                                 // the places of those with a wildcard
}

// route is the first one that matches name and leads somewhere, nil if there is none. There may be as many routes as
// models, and a list asks for each.
func (v view) route(name string) *settings.Route {
	at, named := v.exact[name]
	for _, i := range v.wild {
		if named && i > at {
			break
		}
		if routing.Match(v.settings.Routes[i].Model, name) {
			return &v.settings.Routes[i]
		}
	}
	if !named {
		return nil
	}
	return &v.settings.Routes[at]
}

// look asks nobody.
func (g *Gateway) look(s *settings.Settings) (view, error) {
	local, err := g.Library.List()
	if err != nil {
		return view{}, problem.New(problem.Internal, "The models folder cannot be read.").Because(err)
	}
	v := view{settings: s, here: catalog{}, exact: map[string]int{}}
	for i, route := range s.Routes {
		_, again := v.exact[route.Model]
		switch {
		case len(route.Targets) == 0:
		case wild(route):
			v.wild = append(v.wild, i)
		case !again:
			v.exact[route.Model] = i
		}
	}
	for _, m := range local {
		var created int64
		if info, err := os.Stat(m.Path); err == nil {
			created = info.ModTime().Unix()
		}
		v.here[m.Name] = model{ID: m.Name, Object: "model", Created: created, OwnedBy: ownedHere}
	}
	return v, nil
}

// owner is who answers a request for the model of that name, as far as is known: the first target that may be asked and
// does not lack it. It is ownedHere for a model of this machine under its own name, "" when nobody does.
func (v view) owner(name string) string {
	_, here := v.here[models.CleanName(name)]
	if route := v.route(name); route != nil {
		for _, t := range route.Targets {
			there := cmp.Or(t.Model, name)
			switch p := v.settings.Provider(t.Provider); {
			case t.Provider == settings.LocalProvider && models.CleanName(there) == models.CleanName(name) && here:
				return ownedHere
			case t.Provider == settings.LocalProvider:
				if _, found := v.here[models.CleanName(there)]; found {
					return settings.LocalProvider
				}
			case p != nil && mayAsk(v.settings, *p) && (t.Model != "" || !wild(*route) || !listing.Lacks(v.lists[*p], there)):
				return p.Name
			}
		}
		return ""
	}
	if here {
		return ownedHere
	}
	return ""
}

// named are the models that have a name without asking anybody: those on this machine and those of routes without a
// wildcard, where somebody would answer.
func (v view) named() catalog {
	c := catalog{}
	for name, m := range v.here {
		if m.OwnedBy = v.owner(name); m.OwnedBy != ownedHere {
			m.Created = 0
		}
		c[name] = m
	}
	for _, route := range v.settings.Routes {
		if _, there := c[route.Model]; !there && !wild(route) {
			c[route.Model] = model{ID: route.Model, Object: "model", OwnedBy: v.owner(route.Model)}
		}
	}
	maps.DeleteFunc(c, func(_ string, m model) bool { return m.OwnedBy == "" })
	return c
}

// listed is what is named and what providers list, as far as a request by that name would go to them under it.
func (g *Gateway) listed(ctx context.Context) (view, catalog, error) {
	s := g.Settings()
	v, err := g.look(&s)
	if err != nil {
		return view{}, nil, err
	}
	providers := beyondWildcards(&s)
	if len(providers) > 0 {
		v.lists = g.lists.Models(ctx, providers)
	}
	c := v.named()
	for _, p := range providers { // in the settings' order, which decides where two list the same
		for _, m := range v.lists[p] {
			if owner := c[m.ID].OwnedBy; owner != "" && owner != p.Name || !v.leads(m.ID, p.Name) {
				continue
			}
			c[m.ID] = model{ID: m.ID, Object: "model", Created: m.Created, OwnedBy: p.Name, title: m.Title}
		}
	}
	return v, c, nil
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

// leads says whether a request for the model of that name can end at that provider, which may be asked, under that name.
func (v view) leads(name, provider string) bool {
	route := v.route(name)
	return route != nil && slices.ContainsFunc(route.Targets, func(t settings.Target) bool {
		return t.Provider == provider && cmp.Or(t.Model, name) == name
	})
}

func (g *Gateway) listModels(w http.ResponseWriter, r *http.Request, key access.Key) error {
	_, c, err := g.listed(r.Context())
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
	v, c, err := g.listed(r.Context())
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	m, found := c[id]
	if !found { // a name that only a pattern takes, or one of here in other letters
		m, found = v.unlisted(id)
	}
	switch {
	case !found || !key.Limits.Allows(m.ID):
		return g.unknownModel(id)
	case problem.ForAnthropic(r):
		return writeJSON(w, http.StatusOK, m.forAnthropic())
	}
	return writeJSON(w, http.StatusOK, m)
}

// unlisted is the model of a name that no list has and that a request may have all the same.
func (v view) unlisted(id string) (model, bool) {
	switch owner := v.owner(id); owner {
	case "":
		return model{}, false
	case ownedHere:
		return v.here[models.CleanName(id)], true
	default:
		return model{ID: id, Object: "model", OwnedBy: owner}, true
	}
}

// modelNames is what is named and the routes' patterns as a sentence's part.
func (g *Gateway) modelNames() (string, error) {
	s := g.Settings()
	v, err := g.look(&s)
	if err != nil {
		return "", err
	}
	var names []string
	for _, m := range v.named().sorted() {
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
