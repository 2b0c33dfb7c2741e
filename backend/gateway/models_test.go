package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"mlxbar/backend/access"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
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
	if n := len(h.upstream.Requests()); n != 0 {
		t.Errorf("a provider whose models no route lets through was asked %d times", n)
	}
}

// ids are the models that h lists, each with its owner.
func (h *house) ids() (list []string) {
	h.t.Helper()
	for _, m := range gjson.Get(readBody(h.t, h.request("GET", "/v1/models", "")), "data").Array() {
		list = append(list, m.Get("id").Str+" of "+m.Get("owned_by").Str)
	}
	return list
}

// A provider's model is listed where a request for it would go there, under that name.
func TestModelsOfProvidersAreListedAsRoutesReachThem(t *testing.T) {
	to := func(provider string) []settings.Target { return []settings.Target{{Provider: provider}} }
	for name, c := range map[string]struct {
		routes []settings.Route
		local  bool // only
		want   []string
	}{
		"a pattern": {
			[]settings.Route{{Model: "gpt-*", Targets: to("far")}}, false, []string{"gpt-4 of far", "gpt-5 of far", "ok of mlxbar"}},
		"all of both": {
			[]settings.Route{{Model: "claude-*", Targets: to("claude")}, {Model: "*", Targets: to("far")}}, false,
			[]string{"claude-1 of claude", "gpt-4 of far", "gpt-5 of far", "ok of far"}},
		"a pattern that leads elsewhere": {[]settings.Route{{Model: "gpt-*", Targets: to("claude")}}, false, []string{"gpt-4 of claude", "ok of mlxbar"}},
		"a name that a route before takes": {
			[]settings.Route{{Model: "gpt-4", Targets: []settings.Target{here("ok")}}, {Model: "gpt-*", Targets: to("far")}}, false,
			[]string{"gpt-4 of local", "gpt-5 of far", "ok of mlxbar"}},
		"another name there": {
			[]settings.Route{{Model: "gpt-*", Targets: []settings.Target{{Provider: "far", Model: "gpt-4"}}}}, false, []string{"gpt-4 of far", "ok of mlxbar"}},
		"the second target": {
			[]settings.Route{{Model: "gpt-*", Targets: append(to("local"), to("far")...)}}, false, []string{"gpt-4 of far", "gpt-5 of far", "ok of mlxbar"}},
		"nobody there":       {[]settings.Route{{Model: "gpt-*", Targets: to("gone")}}, false, []string{"ok of mlxbar"}},
		"local only, a near": {[]settings.Route{{Model: "gpt-*", Targets: append(to("cloud"), to("far")...)}}, true, []string{"gpt-4 of far", "gpt-5 of far", "ok of mlxbar"}},
		"local only, a far":  {[]settings.Route{{Model: "gpt-*", Targets: to("cloud")}}, true, []string{"ok of mlxbar"}},
	} {
		t.Run(name, func(t *testing.T) {
			claude := testkit.NewUpstream(t, upstream.Models("claude-1", "gpt-4"))
			h := newHouse(t, func(s *settings.Settings) {
				s.Providers = append(s.Providers,
					settings.Provider{Name: "claude", Kind: settings.KindAnthropic, BaseURL: claude.URL},
					settings.Provider{Name: "gone", Kind: settings.KindOpenAI, BaseURL: "http://127.0.0.1:9/v1"},
					settings.Provider{Name: "cloud", Kind: settings.KindOpenAI, BaseURL: "http://cloud.invalid/v1"})
				s.Routes, s.LocalOnly = c.routes, c.local
			}, upstream.Models("gpt-5", "gpt-4", "ok"), upstream.Key("sk-far"))
			if got := h.ids(); !slices.Equal(got, c.want) {
				t.Errorf("listed are %q, want %q", got, c.want)
			}
			if c.local && strings.Contains(h.log.String(), "cloud") {
				t.Errorf("with local_only the cloud was asked: %s", h.log)
			}
		})
	}
}

// What a list says of a name is what a request for it meets: nothing that would be refused or fail for want of the model.
func TestANameIsListedWhereSomebodyWouldAnswer(t *testing.T) {
	target := func(provider, model string) settings.Target { return settings.Target{Provider: provider, Model: model} }
	route := func(pattern string, targets ...settings.Target) settings.Route {
		return settings.Route{Model: pattern, Targets: targets}
	}
	for name, c := range map[string]struct {
		routes []settings.Route
		local  bool     // only
		want   []string // listed
		single map[string]string
	}{
		"a pattern for a model of this machine": {
			[]settings.Route{route("gpt-*", target("local", "OK"))}, false, []string{"ok of mlxbar"},
			map[string]string{"gpt-4o": "local", "gpt-*": "local", "claude": ""}},
		"a pattern for one that is not here": {
			[]settings.Route{route("gpt-*", target("local", "gone"))}, false, []string{"ok of mlxbar"}, map[string]string{"gpt-4o": ""}},
		"a pattern for one model of a provider": {
			[]settings.Route{route("gpt-*", target("far", "gpt-5"))}, false, []string{"gpt-5 of far", "ok of mlxbar"},
			map[string]string{"gpt-5": "far", "gpt-77": "far"}},
		"a pattern for what a provider has": {
			[]settings.Route{route("gpt-*", target("far", ""))}, false, []string{"gpt-5 of far", "ok of mlxbar"},
			map[string]string{"gpt-5": "far", "gpt-77": ""}},
		"a pattern for a provider that does not say": {
			[]settings.Route{route("gpt-*", target("gone", ""))}, false, []string{"ok of mlxbar"}, map[string]string{"gpt-77": "gone"}},
		"everything elsewhere, where the name of here is unknown": {
			[]settings.Route{route("*", target("far", ""))}, false, []string{"gpt-5 of far"}, map[string]string{"ok": "", "OK": ""}},
		"everything here first": {
			[]settings.Route{route("*", target("local", ""), target("far", ""))}, false, []string{"gpt-5 of far", "ok of mlxbar"},
			map[string]string{"ok": "mlxbar", "OK": "mlxbar", "gpt-5": "far", "gpt-77": ""}},
		"a name that this machine and a cloud have": {
			[]settings.Route{route("ok", target("local", ""), target("far", ""))}, false, []string{"ok of mlxbar"}, map[string]string{"OK": "mlxbar"}},
		"an alias":                        {[]settings.Route{route("mini", target("local", "ok"))}, false, []string{"mini of local", "ok of mlxbar"}, map[string]string{"mini": "local"}},
		"an alias of nothing":             {[]settings.Route{route("mini", target("local", "gone"))}, false, []string{"ok of mlxbar"}, map[string]string{"mini": ""}},
		"an alias that local_only closes": {[]settings.Route{route("mini", target("cloud", "ok")), route("big-*", target("cloud", "ok"))}, true, []string{"ok of mlxbar"}, map[string]string{"mini": "", "big-1": ""}},
		"and one that it leaves open":     {[]settings.Route{route("mini", target("cloud", "ok"), target("far", "ok"))}, true, []string{"mini of far", "ok of mlxbar"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(s *settings.Settings) {
				s.Providers = append(s.Providers, settings.Provider{Name: "gone", Kind: settings.KindOpenAI, BaseURL: "http://127.0.0.1:9/v1"},
					settings.Provider{Name: "cloud", Kind: settings.KindOpenAI, BaseURL: "http://cloud.invalid/v1"})
				s.Routes, s.LocalOnly = c.routes, c.local
			}, upstream.Models("gpt-5", "llama"))
			if got := slices.DeleteFunc(h.ids(), func(m string) bool { return m == "llama of far" }); !slices.Equal(got, c.want) {
				t.Errorf("listed are %q, want %q", got, c.want)
			}
			for id, owner := range c.single {
				body := readBody(t, h.request("GET", "/v1/models/"+id, ""))
				anthropic := readBody(t, h.request("GET", "/v1/models/"+id, "", header("Anthropic-Version", "2023-06-01")))
				if got := gjson.Get(body, "owned_by").Str; got != owner || (gjson.Get(anthropic, "type").Str == "model") != (owner != "") {
					t.Errorf("%s is of %q, want %q: %s %s", id, got, owner, body, anthropic)
				}
			}
		})
	}
}

// A dry run tells what lists told, and asks nobody.
func TestWhatAProviderLacksIsKnownFromItsList(t *testing.T) {
	h := newHouse(t, func(s *settings.Settings) {
		s.Routes = []settings.Route{{Model: "gpt-*", Targets: []settings.Target{{Provider: "far"}}}}
	}, upstream.Models("gpt-5"))
	far := *h.settings.Load().Provider("far")
	if h.gateway.Lacks(far, "gpt-77") || len(h.upstream.Requests()) != 0 {
		t.Error("something is known before anybody was asked")
	}
	h.ids()
	if !h.gateway.Lacks(far, "gpt-77") || h.gateway.Lacks(far, "gpt-5") {
		t.Error("what it lists is not known")
	}
}

// The list follows the settings at once.
func TestTheListFollowsTheSettings(t *testing.T) {
	h := newHouse(t, func(s *settings.Settings) {
		s.Routes = []settings.Route{{Model: "gpt-*", Targets: []settings.Target{{Provider: "far"}}}}
	}, upstream.Models("gpt-5", "llama"))
	if got := h.ids(); !slices.Contains(got, "gpt-5 of far") {
		t.Fatalf("listed are %q", got)
	}
	if resp := h.request("GET", "/v1/models/gpt-5", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("one of them: %s", resp.Status)
	}
	s := *h.settings.Load()
	s.Routes = []settings.Route{{Model: "llama*", Targets: []settings.Target{{Provider: "far"}}}}
	h.settings.Store(&s)
	if got := h.ids(); slices.Contains(got, "gpt-5 of far") || !slices.Contains(got, "llama of far") {
		t.Errorf("listed are %q", got)
	}
	if n := len(h.upstream.Requests()); n != 1 {
		t.Errorf("the provider was asked %d times, want once", n)
	}
}

func TestAProviderThatHangsDelaysTheListABit(t *testing.T) {
	h := newHouse(t, func(s *settings.Settings) {
		s.Routes = []settings.Route{{Model: "gpt-*", Targets: []settings.Target{{Provider: "far"}}}}
	}, upstream.ListDelay(time.Minute))
	if got := h.ids(); !slices.Equal(got, []string{"ok of mlxbar"}) { // the end of the test ends what is still asked
		t.Errorf("listed are %q", got)
	}
}

func TestAKeySeesTheModelsThatItMayAsk(t *testing.T) {
	h := newHouse(t, func(s *settings.Settings) {
		s.Routes = []settings.Route{{Model: "fast", Targets: []settings.Target{{Provider: "far"}}}}
	})
	_, secret, err := h.keys.Create(t.Context(), "editor", access.Limits{Models: []string{"fa*"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	bearer := header("Authorization", "Bearer "+secret)
	if got := gjson.Get(readBody(t, h.request("GET", "/v1/models", "", bearer)), "data.#.id").String(); got != `["fast"]` {
		t.Errorf("the key is shown %s", got)
	}
	if resp := h.request("GET", "/v1/models/ok", "", bearer); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a model that it may not ask: %s", resp.Status)
	}
}

func TestAnthropicsClientsAreToldInTheirShape(t *testing.T) {
	h := newHouse(t, func(s *settings.Settings) {
		for _, name := range []string{"a", "b", "c", "d"} {
			s.Routes = append(s.Routes, settings.Route{Model: name, Targets: []settings.Target{{Provider: "far"}}})
		}
	})
	version := header("Anthropic-Version", "2023-06-01")
	for query, want := range map[string]string{
		"":                      `["a","b","c","d","ok"] false "a" "ok"`,
		"?limit=2":              `["a","b"] true "a" "b"`,
		"?limit=2&after_id=b":   `["c","d"] true "c" "d"`,
		"?limit=2&after_id=d":   `["ok"] false "ok" "ok"`,
		"?after_id=ok":          `[] false null null`,
		"?limit=2&before_id=ok": `["c","d"] true "c" "d"`,
		"?limit=9&before_id=c":  `["a","b"] false "a" "b"`,
		"?before_id=a":          `[] false null null`,
	} {
		body := readBody(t, h.request("GET", "/v1/models"+query, "", version))
		got := gjson.Get(body, "data.#.id").String() + " " + gjson.Get(body, "has_more").String() + " " + gjson.Get(body, "first_id").Raw + " " + gjson.Get(body, "last_id").Raw
		if got != want {
			t.Errorf("%s gives %s, want %s", query, got, want)
		}
	}
	body := readBody(t, h.request("GET", "/v1/models/a", "", header("X-Api-Key", "sk-ant-any")))
	if want := `{"type":"model","id":"a","display_name":"a","created_at":"1970-01-01T00:00:00Z"}`; strings.TrimSpace(body) != want {
		t.Errorf("one is %s, want %s", body, want)
	}
	for path, field := range map[string]string{
		"/v1/models?limit=0": "query.limit", "/v1/models?limit=1001": "query.limit", "/v1/models?limit=x": "query.limit",
		"/v1/models?after_id=no": "query.after_id", "/v1/models?before_id=no": "query.before_id", "/v1/models?before_id=a&after_id=b": "query.before_id",
	} {
		doc := readProblem(t, h.request("GET", path, "", version))
		if doc.Status != http.StatusBadRequest || doc.Error.Type != "invalid_request_error" || len(doc.Errors) != 1 || doc.Errors[0].Location != field {
			t.Errorf("%s: %+v", path, doc)
		}
	}
	if doc := readProblem(t, h.request("GET", "/v1/models/no", "", version)); doc.Error.Type != "not_found_error" {
		t.Errorf("one that is not there: %+v", doc.Error)
	}
	if doc := readProblem(t, h.request("GET", "/v1/models/no", "")); doc.Error.Type != "invalid_request_error" || *doc.Error.Code != "model_not_found" {
		t.Errorf("the same for OpenAI's: %+v", doc.Error)
	}
}
