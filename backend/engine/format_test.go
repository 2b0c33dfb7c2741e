package engine

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mlxbar/backend/models"
)

func TestEachFormatHasItsEngine(t *testing.T) {
	other := &fakeEngine{name: " other"}
	r := newRig(t, &fakeEngine{}, func(c *Config, _ *timing) { c.Engines["other"] = other })
	lease := r.acquire()
	if lease.Engine != "fake" || r.EngineOf(models.GGUF) != "fake" || other.launched() != 0 {
		t.Errorf("a GGUF model runs on %q", lease.Engine)
	}
	lease.Release()
	within(t, "Unload", func(ctx context.Context) {
		if err := r.Unload(ctx, modelName); err != nil {
			t.Error(err)
		}
	})
	r.library.replace("other")
	lease = r.acquire()
	defer lease.Release()
	if lease.Engine != "fake other" || other.launched() != 1 || r.engine.launched() != 1 || r.States()[0].Engine != "fake other" {
		t.Errorf("replaced by one of another format, the model runs on %q; states %+v", lease.Engine, r.States())
	}
}

func TestAFormatWithoutAnEngineIsALoadErrorThatNamesIt(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	r.library.replace("strange")
	_, err := r.Acquire(t.Context(), modelName)
	var load *LoadError
	if !errors.As(err, &load) || !strings.Contains(load.Reason, "format strange") || r.EngineOf("strange") != "" {
		t.Errorf("got %v", err)
	}
	r.library.replace(models.GGUF)
	r.acquire().Release()
	r.library.replace("strange")
	within(t, "Unload", func(ctx context.Context) { err = r.Unload(ctx, modelName) })
	if err != nil {
		t.Errorf("a model that runs cannot be unloaded once its file was replaced: %v", err)
	}
}
