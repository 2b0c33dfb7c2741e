package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"mlxbar/backend/admin"
	"mlxbar/backend/nearby"
	"mlxbar/backend/testkit"
)

// A program that runs on this machine is told of until a provider leads to it, and is never added unasked.
func TestWhatRunsNearbyIsOfferedUntilItIsAProvider(t *testing.T) {
	ollama := testkit.Neighbour(t, "/api/tags", `{"models": [{"name": "llama3.2:3b"}]}`)
	studio := testkit.Neighbour(t, "/api/v0/models", `{"object": "list", "data": []}`)
	h := newHouse(t, func(c *admin.Config) {
		c.Neighbours = []nearby.Program{nearby.Ollama(ollama), nearby.LMStudio(studio)}
	})
	told := func(name, address string, models int) string {
		return fmt.Sprintf(`{"name":"%s","kind":"openai","base_url":"http://%s/v1","models":%d}`, name, address, models)
	}
	look := func() string { return h.text(h.request("GET", "/api/providers/nearby", ""), 200) }
	before := h.text(h.request("GET", "/api/settings", ""), 200)
	if got, want := look(), `{"servers":[`+told("Ollama", ollama, 1)+","+told("LM Studio", studio, 0)+`]}`; strings.TrimSpace(got) != want {
		t.Errorf("it tells of %s, want %s", got, want)
	}
	if after := h.text(h.request("GET", "/api/settings", ""), 200); after != before {
		t.Error("looking has changed the settings")
	}
	_, port, _ := strings.Cut(ollama, ":")
	h.text(h.request("PATCH", "/api/settings", `{"providers": [{"name": "mine", "kind": "openai", "base_url": "http://localhost:`+port+`/v1"}]}`), 200)
	if got, want := look(), `{"servers":[`+told("LM Studio", studio, 0)+`]}`; strings.TrimSpace(got) != want {
		t.Errorf("with a provider it tells of %s, want %s", got, want)
	}
}
