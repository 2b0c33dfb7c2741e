package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAKilledChildIsGoneAndTheNextAskerGetsANewOne(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	lease := r.acquire()
	pid := r.kill()
	gone(t, lease)
	next := r.acquire()
	defer next.Release()
	if next.APIKey == lease.APIKey || r.state().PID == pid {
		t.Error("the next lease is of the child that was killed")
	}
	if status, _, err := ask(t.Context(), next, "/health"); err != nil || status != 200 {
		t.Errorf("the new child answers %d, %v", status, err)
	}
	lease.Release() // late, and of the old child
	if n := r.state().InFlight; n != 1 {
		t.Errorf("%d requests are in flight, want the one", n)
	}
}

func TestAChildThatDiesWhileItAnswersIsStartedAgain(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	lease := r.acquire()
	defer lease.Release()
	for death := 1; death < brisk.maxDeaths; death++ {
		pid := r.kill()
		eventually(t, "a new child", func() bool {
			s := r.state()
			return s.State == Ready && s.PID != pid
		})
		defer r.acquire().Release() // the next one is answering, too
	}
	if n := r.engine.launched(); n != brisk.maxDeaths {
		t.Errorf("%d launches", n)
	}
}

func TestAChildThatDiesIdleIsStartedByTheNextAsker(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	r.acquire().Release()
	r.kill()
	r.waitState(Idle)
	if n := r.engine.launched(); n != 1 {
		t.Errorf("it was started again without need: %d launches", n)
	}
	r.acquire().Release()
}

func TestAPreloadedModelIsStartedAgainThoughNobodyAsks(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	r.Preload([]string{"absent", modelName})
	first := r.waitState(Ready)
	r.kill()
	eventually(t, "a new child", func() bool {
		s := r.state()
		return s.State == Ready && s.PID != first.PID
	})
	// Once it is unloaded on purpose, it stays so.
	within(t, "Unload", func(ctx context.Context) {
		if err := r.Unload(ctx, modelName); err != nil {
			t.Error(err)
		}
	})
	r.acquire().Release()
	r.kill()
	r.waitState(Idle)
}

func TestTooManyDeathsAreAFailure(t *testing.T) {
	e := &fakeEngine{script: func(int) script {
		return script{Says: []string{"loading '/somebody/s models/small.gguf'", "layer 1 of 1"}}
	}}
	r := newRig(t, e, func(_ *Config, p *timing) {
		p.maxDeaths, p.retryMin, p.retryMax = 2, time.Hour, time.Hour
	})
	r.Preload([]string{modelName})
	r.waitState(Ready)
	first := r.kill()
	eventually(t, "a new child", func() bool {
		s := r.state()
		return s.State == Ready && s.PID != first
	})
	lease := r.acquire()
	defer lease.Release()
	r.kill()
	gone(t, lease)
	const reason = "The engine ended 2 times within 60 minutes and is left alone for as long; load the model to try at once."
	log := []string{"loading small.gguf", "layer 1 of 1"}
	_, err := r.Acquire(t.Context(), modelName)
	expectLoadError(t, err, reason)
	if s := r.state(); s.State != Failed || s.Detail != reason || !slices.Equal(s.Log, log) || s.PID != 0 || s.InFlight != 0 {
		t.Errorf("the status is %+v", s)
	}
	// A person may have mended the cause.
	if err := r.Load(modelName); err != nil {
		t.Fatal(err)
	}
	if s := r.waitState(Ready); s.Log != nil {
		t.Errorf("the last one's log is still shown: %q", s.Log)
	}
}

// An engine that the system kills in each of its loads would have the model read from disk again for each request.
func TestTooManyDeathsWhileLoadingAreAFailure(t *testing.T) {
	e := &fakeEngine{script: func(launch int) script {
		return script{KilledAtLoad: launch <= 3, Says: []string{"loading '/somebody/s models/small.gguf'"}}
	}}
	r := newRig(t, e, func(_ *Config, p *timing) { p.maxDeaths, p.retryMin, p.retryMax = 3, 0, 0 })
	const killed = "The engine was killed while it loaded the model; memory may be short."
	const given = "The engine ended 3 times within 60 minutes and is left alone for as long; load the model to try at once. " + killed
	for _, want := range []string{killed, killed, given, given, given} {
		_, err := r.Acquire(t.Context(), modelName)
		expectLoadError(t, err, want)
		if s := r.state(); s.State != Failed || s.Detail != want || !slices.Equal(s.Log, []string{"loading small.gguf"}) {
			t.Errorf("the status is %+v", s)
		}
	}
	if n := e.launched(); n != 3 {
		t.Errorf("%d launches", n)
	}
	if err := r.Load(modelName); err != nil {
		t.Fatal(err)
	}
	r.waitState(Ready)
}

// What the engine says of itself is not mended by patience, but a person may mend it at any time.
func TestALoadThatTellsWhyItFailedIsNotLeftAlone(t *testing.T) {
	e := &fakeEngine{script: func(int) script { return script{ExitsLoading: 1} }, spec: func(s *Spec) {
		s.Explain = func([]string) string { return "The model's file is damaged." }
	}}
	r := newRig(t, e, func(_ *Config, p *timing) { p.maxDeaths, p.retryMin, p.retryMax = 2, 0, 0 })
	for range 4 {
		_, err := r.Acquire(t.Context(), modelName)
		expectLoadError(t, err, "The model's file is damaged.")
	}
	if n := e.launched(); n != 4 {
		t.Errorf("%d launches", n)
	}
}

func TestTheSecondRestartComesAfterAPause(t *testing.T) {
	r := newRig(t, &fakeEngine{}, func(_ *Config, p *timing) { p.retryMin, p.retryMax = time.Hour, time.Hour })
	r.Preload([]string{modelName})
	r.waitState(Ready)
	first := r.kill()
	eventually(t, "a new child", func() bool {
		s := r.state()
		return s.State == Ready && s.PID != first
	})
	r.kill()
	eventually(t, "the pause", func() bool {
		s := r.state()
		return s.State == Loading && s.Detail == "Starting again"
	})
	if n := r.engine.launched(); n != 2 {
		t.Errorf("%d launches", n)
	}
}

// Deaths that lie far apart are no series: each is answered at once.
func TestDeathsFarApartAreForgotten(t *testing.T) {
	r := newRig(t, &fakeEngine{}, func(_ *Config, p *timing) {
		p.maxDeaths, p.window, p.retryMin, p.retryMax = 2, time.Nanosecond, time.Hour, time.Hour
	})
	r.Preload([]string{modelName})
	for range 4 {
		r.waitState(Ready)
		pid := r.kill()
		eventually(t, "a new child", func() bool {
			s := r.state()
			return s.State == Ready && s.PID != pid
		})
	}
}

func TestAChildThatNoLongerAnswersIsEnded(t *testing.T) {
	for _, ill := range []string{"/freeze", "/sicken"} {
		t.Run(ill, func(t *testing.T) {
			r := newRig(t, &fakeEngine{}, func(_ *Config, p *timing) {
				p.probeEvery, p.probeTimeout = 10*time.Millisecond, time.Second
			})
			lease := r.acquire()
			defer lease.Release()
			tell(t, lease, ill, nil)
			gone(t, lease)
			if next := r.acquire(); next.APIKey == lease.APIKey {
				t.Error("the hung child was leased again")
			} else {
				next.Release()
			}
			if log := r.log(); !strings.Contains(log, "does not answer any more") {
				t.Errorf("the log does not say why it was ended:\n%s", log)
			}
		})
	}
}

func TestAProbeNowAndThenIsNoHarm(t *testing.T) {
	r := newRig(t, &fakeEngine{}, func(_ *Config, p *timing) { p.probeEvery, p.probeMisses = time.Millisecond, 1 })
	lease := r.acquire()
	defer lease.Release()
	for range 50 {
		if status, _, err := ask(t.Context(), lease, "/health"); err != nil || status != 200 {
			t.Fatalf("status %d, %v", status, err)
		}
	}
	if n := r.engine.launched(); n != 1 {
		t.Errorf("%d launches", n)
	}
}

func TestAChildMayEndByItself(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	lease := r.acquire()
	defer lease.Release()
	if _, _, err := ask(t.Context(), lease, "/die"); err == nil {
		t.Error("the child answered its own end")
	}
	gone(t, lease)
	r.acquire().Release()
	if log := r.log(); !strings.Contains(log, "ended: exit status 15") {
		t.Errorf("the log does not say how it ended:\n%s", log)
	}
}
