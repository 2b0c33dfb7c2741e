package nearby_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mlxbar/backend/nearby"
	"mlxbar/backend/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What the two programs answer, as their documentation has it.
const (
	tags   = `{"models": [{"name": "llama3.2:3b", "size": 2019393189, "details": {"format": "gguf"}}, {"name": "qwen3:8b"}]}`
	listed = `{"object": "list", "data": [{"id": "qwen3-8b-mlx", "object": "model", "type": "llm", "state": "not-loaded"}]}`
)

func TestProgramsThatRunAreNoticed(t *testing.T) {
	ollama, studio := testkit.Neighbour(t, "/api/tags", tags), testkit.Neighbour(t, "/api/v0/models", listed)
	got := nearby.Look(t.Context(), []nearby.Program{nearby.Ollama(ollama), nearby.LMStudio(studio)})
	want := []nearby.Server{{Name: "Ollama", BaseURL: "http://" + ollama + "/v1", Models: 2}, {Name: "LM Studio", BaseURL: "http://" + studio + "/v1", Models: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	empty := testkit.Neighbour(t, "/api/tags", `{"models": []}`)
	if got := nearby.Look(t.Context(), []nearby.Program{nearby.Ollama(empty)}); len(got) != 1 || got[0].Models != 0 {
		t.Errorf("one without models is %+v", got)
	}
}

// Another server at the same port is not taken for what is usually there, and is not told of.
func TestStrangersAreNotNoticed(t *testing.T) {
	elsewhere := testkit.Neighbour(t, "/api/tags", tags)
	away := httptest.NewServer(http.RedirectHandler("http://"+elsewhere+"/api/tags", http.StatusFound))
	defer away.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, address := range map[string]string{
		"nobody":                       strings.TrimPrefix(closed.URL, "http://"),
		"LM Studio at Ollama's":        testkit.Neighbour(t, "/api/v0/models", listed),
		"a page":                       testkit.Neighbour(t, "/api/tags", "<!doctype html>"),
		"models that are none":         testkit.Neighbour(t, "/api/tags", `{"models": "many"}`),
		"another object":               testkit.Neighbour(t, "/api/tags", `{"tags": []}`),
		"an array":                     testkit.Neighbour(t, "/api/tags", `[]`),
		"one that sends us on":         strings.TrimPrefix(away.URL, "http://"),
		"no address that can be asked": "127.0.0.1:port",
	} {
		if got := nearby.Look(t.Context(), []nearby.Program{nearby.Ollama(address)}); len(got) != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
