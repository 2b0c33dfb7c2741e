package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

type askedKey struct{}

// observed notes what it is told, in words.
type observed struct {
	mu   sync.Mutex
	said []string
}

func (o *observed) say(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said = append(o.said, fmt.Sprintf(format, args...))
}

func (o *observed) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.said)
}

func (o *observed) Loading(ctx context.Context, model, engine string) func(error) {
	o.say("%s on %s for %v", model, engine, ctx.Value(askedKey{}))
	return func(err error) {
		var failure *LoadError
		o.say("%t %t %t", err == nil, errors.As(err, &failure), errors.Is(err, context.Canceled))
	}
}

func (o *observed) Crashed(model, engine string) { o.say("%s on %s crashed", model, engine) }

func TestLoadsAndCrashesAreTold(t *testing.T) {
	var o observed
	r := newRig(t, &fakeEngine{script: func(n int) script {
		if n == 1 {
			return script{ExitsLoading: 1}
		}
		return script{NeverReady: n == 4}
	}}, func(c *Config, _ *timing) { c.Observer = &o })
	ctx := context.WithValue(t.Context(), askedKey{}, "ada")
	if _, err := r.Acquire(ctx, modelName); err == nil {
		t.Fatal("the first load did not fail")
	}
	if err := r.Load(modelName); err != nil { // a person's, whom no request tells of
		t.Fatal(err)
	}
	r.waitState(Ready)
	r.kill()
	r.waitState(Idle)
	gone, cancel := context.WithCancel(ctx)
	lease, err := r.Acquire(gone, modelName)
	if err != nil {
		t.Fatal(err)
	}
	lease.Release()
	cancel()
	if err := r.Unload(t.Context(), modelName); err != nil { // is no crash
		t.Fatal(err)
	}
	if err := r.Load(modelName); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a fourth launch", func() bool { return r.engine.launched() == 4 })
	if err := r.Unload(t.Context(), modelName); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"small on fake for ada", "false true false",
		"small on fake for <nil>", "true false false", "small on fake crashed",
		"small on fake for ada", "true false false",
		"small on fake for <nil>", "false false true",
	}
	if got := o.all(); !slices.Equal(got, want) {
		t.Errorf("it was told\n%q, want\n%q", got, want)
	}
}
