package server_test

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/models"
)

// A data folder that nobody has set up answers all the same: the first request brings
// the starter. Who looks for a model to ask must find it before.
func TestTheStarterIsFoundBeforeItIsThere(t *testing.T) {
	h := newHouse(t, "")
	h.writeSettings(`{"version": 1}`)
	h.start()
	if got := gjson.Get(h.text(h.request("GET", "/v1/models", ""), 200), "data.#.id").String(); got != `["`+models.StarterName+`"]` {
		t.Errorf("/v1/models lists %s", got)
	}
	h.text(h.request("GET", "/v1/models/"+models.StarterName, ""), 200)
	if d := h.problem(h.chat("other", false), problem.ModelNotFound); !strings.Contains(d.Detail, models.StarterName) {
		t.Errorf("who asks for another model reads %q", d.Detail)
	}
	starter := gjson.Get(h.text(h.request("GET", "/api/models", ""), 200), "models.0")
	if starter.Get("name").Str != models.StarterName || starter.Get("engine").Str != "llamacpp" || starter.Get("state").Str != "idle" || starter.Get("size_bytes").Int() == 0 {
		t.Errorf("/api/models lists %s", starter)
	}
}
