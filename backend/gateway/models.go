package gateway

import (
	"net/http"
	"os"
	"sort"
	"strings"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/models"
)

// ownedHere marks the models of this machine. No provider may have this name.
const ownedHere = "mlxbar"

// model is an entry of OpenAI's model list.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

// known lists the models by name: those on this machine, and those that a route
// without a wildcard names. A route stands over a local model of the same name.
func (g *Gateway) known() ([]model, error) {
	local, err := g.Library.List()
	if err != nil {
		return nil, problem.New(problem.Internal, "The models folder cannot be read.").Because(err)
	}
	byName := map[string]model{}
	for _, m := range local {
		var created int64
		if info, err := os.Stat(m.Path); err == nil {
			created = info.ModTime().Unix()
		}
		byName[m.Name] = model{ID: m.Name, Object: "model", Created: created, OwnedBy: ownedHere}
	}
	for _, route := range g.Settings().Routes {
		if !strings.Contains(route.Model, "*") && len(route.Targets) > 0 {
			byName[route.Model] = model{ID: route.Model, Object: "model", OwnedBy: route.Targets[0].Provider}
		}
	}
	list := make([]model, 0, len(byName))
	for _, m := range byName {
		list = append(list, m)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	return list, nil
}

func (g *Gateway) listModels(w http.ResponseWriter, _ *http.Request) error {
	list, err := g.known()
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
}

func (g *Gateway) getModel(w http.ResponseWriter, r *http.Request) error {
	list, err := g.known()
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	for _, m := range list {
		if m.ID == id || m.OwnedBy == ownedHere && m.ID == models.CleanName(id) { // as the engines find them
			return writeJSON(w, http.StatusOK, m)
		}
	}
	return g.unknownModel(id)
}

// modelNames is known and the routes' patterns as a sentence's part.
func (g *Gateway) modelNames() (string, error) {
	list, err := g.known()
	if err != nil {
		return "", err
	}
	var names []string
	for _, m := range list {
		names = append(names, m.ID)
	}
	for _, route := range g.Settings().Routes {
		if strings.Contains(route.Model, "*") {
			names = append(names, route.Model)
		}
	}
	if len(names) == 0 {
		return "none yet; put a GGUF file into the models folder", nil
	}
	return strings.Join(names, ", "), nil
}
