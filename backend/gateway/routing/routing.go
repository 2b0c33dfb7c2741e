// Package routing decides where a request goes: the first route whose pattern
// matches the model, else this machine.
package routing

import (
	"fmt"
	"strings"

	"mlxbar/backend/settings"
)

// Destination is where a request goes. With a nil Provider it stays here.
type Destination struct {
	Provider *settings.Provider
	Model    string // the name there
}

// Resolve finds the destination of model. A route whose provider is not
// configured is an error; validated settings have none.
func Resolve(s *settings.Settings, model string) (Destination, error) {
	for _, route := range s.Routes {
		if !Match(route.Model, model) || len(route.Targets) == 0 {
			continue
		}
		target := route.Targets[0]
		for i := range s.Providers {
			if s.Providers[i].Name != target.Provider {
				continue
			}
			d := Destination{Provider: &s.Providers[i], Model: target.Model}
			if d.Model == "" {
				d.Model = model
			}
			return d, nil
		}
		return Destination{}, fmt.Errorf("route %q: no provider is named %q", route.Model, target.Provider)
	}
	return Destination{Model: model}, nil
}

// Match says whether name matches pattern, in which * stands for any characters,
// none included. Case counts.
func Match(pattern, name string) bool {
	if pattern == "*" || !strings.Contains(pattern, "*") {
		return pattern == "*" || pattern == name
	}
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, last)
}
