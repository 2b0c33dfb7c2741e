package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mlxbar/backend/bench/results"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testClient(t *testing.T) *http.Client {
	c := Client(8)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// known is an mlxbar with all that there may be one day.
func known(t *testing.T) *Known {
	t.Helper()
	k := &Known{Admin: true, Models: []Model{{"gpt-4o", "far"}, {"folder", "mlxbar"}, {"safe", "far"}, {"starter", "mlxbar"}},
		Runs:      map[string]string{"starter": "llamacpp", "folder": "mlx"},
		Providers: map[string]Provider{"far": {"far", "openai", "https://api.openai.com/v1"}, "claude": {"claude", "anthropic", "https://api.anthropic.com/v1"}}}
	err := json.Unmarshal([]byte(`[{"model": "safe", "targets": [{"provider": "far"}, {"provider": "claude"}]}, {"model": "gpt-4o", "targets": [{"provider": "far"}]},
		{"model": "claude-*", "targets": [{"provider": "claude"}]}, {"model": "starter.x", "targets": [{"provider": "far"}, {"provider": "claude"}]}]`), &k.Routes)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTarget(t *testing.T) {
	k := known(t)
	outside := &Known{Models: k.Models}
	for _, c := range []struct {
		known                  *Known
		model, route, provider string
		strict                 bool
	}{
		{k, "starter", LlamaCPP, "mlxbar", false},
		{k, "folder", MLX, "mlxbar", false},
		{k, "gpt-4o", OpenAI, "far", true},
		{k, "claude-3", Anthropic, "claude", false},
		{k, "safe", Failover, "far", false},
		{k, "starterax", Remote, "", false}, // the dot in a route's name is a dot
		{outside, "starter", Local, "mlxbar", false},
		{outside, "gpt-4o", Remote, "far", false},
		{outside, "nobody", Remote, "", false},
	} {
		s := c.known.Spec(c.model, Prompt{}, 1)
		if s.Route != c.route || s.Provider != c.provider || s.Strict != c.strict {
			t.Errorf("%s: %+v, want %s at %s", c.model, s, c.route, c.provider)
		}
		if s.IgnoreEOS != (c.provider == "mlxbar") {
			t.Errorf("%s: ignore_eos %v", c.model, s.IgnoreEOS)
		}
	}
}

// lines writes a matrix for a comparison.
func lines(specs []Spec) (all []string) {
	for _, s := range specs {
		if s.Skip != "" {
			all = append(all, s.Route+" skipped: "+s.Skip)
			continue
		}
		all = append(all, fmt.Sprintf("%s %s %s %d", s.Route, s.Model, s.Prompt.Name, s.Concurrency))
	}
	return all
}

func TestMatrix(t *testing.T) {
	k := known(t)
	outside := &Known{Models: k.Models}
	bare := &Known{Admin: true}
	short := []Prompt{{Name: "short"}}
	for _, c := range []struct {
		name           string
		known          *Known
		routes, models []string
		prompts        []Prompt
		concurrency    []int
		want           []string
	}{
		{"everything", k, Routes, nil, short, []int{1}, []string{"local-llamacpp starter short 1", "local-mlx folder short 1", "openai gpt-4o short 1",
			"anthropic skipped: the settings' route for claude-* leads there: name a model of it with --model", "failover safe short 1"}},
		{"prompts and clients", k, []string{MLX}, nil, []Prompt{{Name: "short"}, {Name: "long"}}, []int{1, 4},
			[]string{"local-mlx folder short 1", "local-mlx folder short 4", "local-mlx folder long 1", "local-mlx folder long 4"}},
		{"a model of a pattern", k, []string{Anthropic, MLX}, []string{"claude-3"}, short, []int{1}, []string{"anthropic claude-3 short 1", "local-mlx skipped: no model of --model goes there"}},
		{"nothing set up", bare, Routes, nil, short, []int{1}, []string{"local-llamacpp skipped: no GGUF model is in the server's models folder",
			"local-mlx skipped: the server has no model that runs on MLX", "openai skipped: the settings have no route to a provider of the kind openai",
			"anthropic skipped: the settings have no route to a provider of the kind anthropic", "failover skipped: no route of the settings has two targets"}},
	} {
		if diff := cmp.Diff(c.want, lines(c.known.Matrix(c.routes, c.models, c.prompts, c.concurrency))); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	without := lines(outside.Matrix(Routes, nil, short, []int{1}))
	if len(without) != 9 || !strings.Contains(without[0], "--admin-token-env") || without[5] != "local folder short 1" || without[7] != "provider gpt-4o short 1" {
		t.Errorf("without the admin token: %q", without)
	}
}

func TestLook(t *testing.T) {
	up := testkit.NewUpstream(t, upstream.Key("k"))
	at := strings.TrimSuffix(up.URL, "/v1")
	k, err := Look(t.Context(), testClient(t), Server{URL: at, Key: "k"})
	if err != nil || k.Admin || !k.Has("ok") || k.Has("nobody") || !strings.Contains(k.Names(), "slow-first") {
		t.Errorf("%+v, %v", k, err)
	}
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html>") }))
	defer page.Close()
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	defer empty.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"data": []}`)
	}))
	defer inside.Close()
	for _, c := range []struct {
		name string
		at   Server
		want error
	}{
		{"a wrong key", Server{URL: at, Key: "x"}, ErrForbidden},
		{"no admin API", Server{URL: at, Key: "k", Token: "x"}, ErrForeign},
		{"a wrong token", Server{URL: inside.URL, Token: "x"}, ErrToken},
		{"a web page", Server{URL: page.URL}, ErrForeign},
		{"something else", Server{URL: empty.URL}, ErrForeign},
		{"nobody", Server{URL: closed.URL}, ErrNobody},
	} {
		if _, err := Look(t.Context(), testClient(t), c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestACaseThatHadNoTurn(t *testing.T) {
	if c := (Spec{Route: OpenAI, Skip: "none"}).NotRun("broken off"); c.Status != results.Skipped || c.Reason != "none" {
		t.Errorf("%+v", c)
	}
	if c := (Spec{Route: OpenAI, Model: "m"}).NotRun("broken off"); c.Status != results.NotRun || c.Reason != "broken off" {
		t.Errorf("%+v", c)
	}
}
