package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlxbar/backend/models"
)

// scopedEngine is one that says what it does not do.
type scopedEngine struct{ *fakeEngine }

var fewer = Scope{Endpoints: []string{"/v1/completions"}, Freely: true}

func (scopedEngine) Scope() Scope { return fewer }

func TestWhoWouldRunAModelIsToldBeforeItIsLoaded(t *testing.T) {
	r := newRig(t, &fakeEngine{}, func(c *Config, _ *timing) { c.Engines["other"] = scopedEngine{&fakeEngine{name: " other"}} })
	check := func(model, name string, scope Scope) {
		t.Helper()
		by, l := r.Runner(model)
		if diff := cmp.Diff(scope, l); by != name || diff != "" {
			t.Errorf("%s is run by %q, want %q: %s", model, by, name, diff)
		}
	}
	check("nobody", "", Scope{})
	check(modelName, "fake", Scope{})
	r.library.replace("strange")
	check(modelName, "", Scope{})
	r.library.replace("other")
	check(modelName, "fake other", fewer)
	if r.RunnerOf(modelName) != "" {
		t.Error("asking who would run it has loaded it")
	}
	r.library.replace(models.GGUF)
	r.acquire().Release()
	check(modelName, "fake", Scope{})
}
