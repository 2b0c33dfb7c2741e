package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"mlxbar/backend/testkit"
)

// goUnload unloads the model beside the test, and gives what tells its end.
func (r *rig) goUnload(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() { done <- r.Unload(ctx, modelName) }()
	return done
}

func TestUnloadWaitsForWhatIsAnswered(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	lease, other := r.acquire(), r.acquire()
	done := r.goUnload(t.Context())
	eventually(t, "the unloading to begin", func() bool { return r.state().Detail == "Unloading" })
	later := r.acquireMany(1) // it waits for the end, and then loads the model anew
	other.Release()
	if status, _, err := ask(t.Context(), lease, "/health"); err != nil || status != 200 {
		t.Fatalf("the child was ended while it answered: %d, %v", status, err)
	}
	select {
	case err := <-done:
		t.Fatalf("Unload came back while an answer was under way: %v", err)
	default:
	}
	lease.Release()
	if err := testkit.Receive(t, done); err != nil {
		t.Fatal(err)
	}
	gone(t, lease)
	got := testkit.Receive(t, later)
	if got.err != nil {
		t.Fatal(got.err)
	}
	got.lease.Release()
	if got.lease.APIKey == lease.APIKey {
		t.Error("the child that was unloaded was leased again")
	}
}

func TestUnloadDoesNotWaitForEver(t *testing.T) {
	for name, change := range map[string]func(context.CancelFunc) func(*Config, *timing){
		"the caller's patience ends": func(cancel context.CancelFunc) func(*Config, *timing) { cancel(); return nil },
		"the pool's patience ends": func(context.CancelFunc) func(*Config, *timing) {
			return func(_ *Config, p *timing) { p.drain = time.Millisecond }
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := newRig(t, &fakeEngine{}, change(cancel))
			lease := r.acquire()
			defer lease.Release()
			if err := testkit.Receive(t, r.goUnload(ctx)); err != nil {
				t.Fatal(err)
			}
			gone(t, lease)
			if s := r.state(); s.State != Idle || s.PID != 0 {
				t.Errorf("the status is %+v", s)
			}
		})
	}
}

func TestUnloadBreaksALoadOff(t *testing.T) {
	r := newRig(t, &fakeEngine{script: func(int) script { return script{NeverReady: true} }}, nil)
	waiting := r.acquireMany(3)
	eventually(t, "the launch that all wait for", func() bool { return r.engine.launched() == 1 && r.log() != "" && r.state().Queued == 3 })
	if err := testkit.Receive(t, r.goUnload(t.Context())); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		expectLoadError(t, testkit.Receive(t, waiting).err, "The model was unloaded while it loaded.")
	}
	if s := r.state(); s.State != Idle {
		t.Errorf("the status is %+v", s)
	}
}

func TestUnloadEndsAPauseBeforeARestart(t *testing.T) {
	r := newRig(t, &fakeEngine{script: func(int) script { return script{ExitsLoading: 1} }},
		func(_ *Config, p *timing) { p.retryMin, p.retryMax = time.Hour, time.Hour })
	if err := r.Load(modelName); err != nil {
		t.Fatal(err)
	}
	r.waitState(Failed)
	if err := r.Unload(t.Context(), modelName); err != nil {
		t.Fatal(err)
	}
	if s := r.state(); s.State != Idle || s.Detail != "" {
		t.Errorf("the status is %+v", s)
	}
	_, err := r.Acquire(t.Context(), modelName)
	expectLoadError(t, err, "The engine ended while it loaded the model; its log says why.")
	if n := r.engine.launched(); n != 2 {
		t.Errorf("%d launches: the old failure was the answer", n)
	}
}

func TestUnloadOfWhatIsNotLoaded(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	if err := r.Unload(t.Context(), modelName); err != nil {
		t.Errorf("a model that is not loaded: %v", err)
	}
	if err := r.Unload(t.Context(), "absent"); !errors.Is(err, ErrUnknownModel) {
		t.Errorf("an unknown model: %v", err)
	}
	if n := r.engine.launched(); n != 0 {
		t.Errorf("%d launches", n)
	}
}

func TestRestartLoadsAnew(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	lease := r.acquire()
	before := r.state().PID
	done := make(chan struct{})
	go func() { r.Restart(t.Context()); close(done) }()
	eventually(t, "the unloading to begin", func() bool { return r.state().Detail == "Unloading" })
	later := r.acquireMany(3)
	lease.Release()
	<-done
	for range 3 {
		got := testkit.Receive(t, later)
		if got.err != nil {
			t.Fatal(got.err)
		}
		got.lease.Release()
	}
	if s := r.waitState(Ready); s.PID == before {
		t.Error("the same child runs")
	}
	if n := r.engine.launched(); n != 2 {
		t.Errorf("%d launches", n)
	}
}

// Who waits for a load that a restart breaks off waits for the next one.
func TestRestartWhileLoadingFailsNobody(t *testing.T) {
	r := newRig(t, &fakeEngine{script: func(n int) script { return script{NeverReady: n == 1} }}, nil)
	waiting := r.acquireMany(5)
	eventually(t, "the launch that all wait for", func() bool { return r.engine.launched() == 1 && r.log() != "" && r.state().Queued == 5 })
	within(t, "Restart", r.Restart)
	for range 5 {
		got := testkit.Receive(t, waiting)
		if got.err != nil {
			t.Fatal(got.err)
		}
		got.lease.Release()
	}
}

func TestRestartKeepsWhatIsToBeKept(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	r.Preload([]string{modelName})
	r.waitState(Ready)
	within(t, "Restart", r.Restart)
	pid := r.waitState(Ready).PID
	r.kill()
	eventually(t, "a new child", func() bool {
		s := r.state()
		return s.State == Ready && s.PID != pid
	})
}

func TestRestartLoadsNothingElse(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	r.library.set("other", nil)
	r.acquire().Release()
	if err := r.Unload(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	within(t, "Restart", r.Restart)
	r.waitState(Ready)
	for _, s := range r.States() {
		if s.Model == "other" && s.State != Idle {
			t.Errorf("a model that was not loaded is %s", s.State)
		}
	}
}

// Everything at once, for the race detector: nobody gets anything but a lease or
// one of the errors that Acquire may give.
func TestManyThingsAtOnce(t *testing.T) {
	r := newRig(t, &fakeEngine{}, func(_ *Config, p *timing) { p.maxDeaths = 1000; p.drain = time.Millisecond })
	ctx, cancel := context.WithTimeout(t.Context(), 4*testkit.Patience)
	defer cancel()
	var callers [4]chan error
	for i := range callers {
		callers[i] = make(chan error, 1)
		go func() {
			for range 10 {
				lease, err := r.Acquire(ctx, modelName)
				var failed *LoadError
				switch {
				case err == nil:
					ask(ctx, lease, "/health") // may fail: the child may be ended meanwhile
					lease.Release()
				case !errors.As(err, &failed):
					callers[i] <- err
					return
				}
			}
			callers[i] <- nil
		}()
	}
	for round := range 6 {
		switch round % 3 {
		case 0:
			r.Restart(ctx)
		case 1:
			r.Unload(ctx, modelName)
		case 2:
			r.Load(modelName)
		}
		r.States()
	}
	for _, c := range callers {
		if err := <-c; err != nil { // ctx bounds it
			t.Error(err)
		}
	}
	if n := r.state().InFlight; n != 0 {
		t.Errorf("%d requests are in flight after all were released", n)
	}
}
