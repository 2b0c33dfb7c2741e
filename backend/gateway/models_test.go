package gateway_test

import (
	"net/http"
	"testing"

	"github.com/tidwall/gjson"

	"mlxbar/backend/settings"
)

func TestAModelOfThisMachineIsFoundInAnyCase(t *testing.T) {
	h := newHouse(t, nil)
	resp := h.request("GET", "/v1/models/OK", "")
	if body := readBody(t, resp); resp.StatusCode != http.StatusOK || gjson.Get(body, "id").Str != "ok" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp := h.request("POST", "/v1/chat/completions", chat("OK", false)); resp.StatusCode == http.StatusOK {
		t.Fatal("the scripted engine has no script OK; nothing was learned")
	}
	if rec := h.only(); rec.Model != "OK" || rec.ServedModel != "ok" {
		t.Errorf("asked for %q, served by %q", rec.Model, rec.ServedModel)
	}
}

func TestAModelOfARouteIsNamedExactly(t *testing.T) {
	h := newHouse(t, func(s *settings.Settings) {
		s.Routes = []settings.Route{{Model: "fast", Targets: []settings.Target{{Provider: "far"}}}}
	})
	if resp := h.request("GET", "/v1/models/fast", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("fast: %s", resp.Status)
	}
	if resp := h.request("GET", "/v1/models/FAST", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("FAST, which no route matches: %s", resp.Status)
	}
}
