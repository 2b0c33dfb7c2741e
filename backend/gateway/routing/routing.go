// Package routing decides where a request goes: to the targets of the first route whose pattern
// matches the model, else to this machine; in which order they are asked, which are passed over, and
// what a failure means for the next.
package routing

import (
	"strings"

	"mlxbar/backend/settings"
)

// Destination is where a request goes. With a nil Provider it is an engine of this machine.
type Destination struct {
	Provider *settings.Provider
	Model    string // the name there
}

// Leaves says whether what goes to d leaves this machine.
func (d Destination) Leaves() bool { return d.Provider != nil && !d.Provider.OnThisMachine() }

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
