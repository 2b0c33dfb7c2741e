package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"mlxbar/backend/engine/runtime"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

func TestManyWhoWaitShareOneLoad(t *testing.T) {
	file, open := gate(t)
	r := newRig(t, &fakeEngine{script: func(int) script { return script{Gate: file} }}, nil)
	const waiters = 20
	results := r.acquireMany(waiters)
	r.waitState(Loading)
	open()
	var leases []*Lease
	for range waiters {
		got := testkit.Receive(t, results)
		if got.err != nil {
			t.Fatal(got.err)
		}
		leases = append(leases, got.lease)
	}
	if n := r.engine.launched(); n != 1 {
		t.Errorf("%d children were started for one model", n)
	}
	if s := r.state(); s.InFlight != waiters || s.State != Ready || s.PID == 0 || s.MemoryBytes == 0 || s.Engine != "fake" {
		t.Errorf("the status is %+v", s)
	}
	for _, l := range leases {
		if l.BaseURL != leases[0].BaseURL || l.APIKey != leases[0].APIKey {
			t.Error("two leases of one child differ")
		}
		l.Release()
		l.Release() // a second call does nothing
	}
	if n := r.state().InFlight; n != 0 {
		t.Errorf("%d requests are in flight after all were released", n)
	}
}

func TestWhoIsBeyondTheSlotsWaits(t *testing.T) {
	for _, c := range []struct{ slots, asking, waiting int }{{2, 0, 0}, {2, 1, 0}, {2, 2, 0}, {2, 3, 1}, {1, 5, 4}, {0, 5, 0}} {
		t.Run(fmt.Sprintf("%d of %d", c.asking, c.slots), func(t *testing.T) {
			r := newRig(t, &fakeEngine{spec: func(s *Spec) { s.Slots = c.slots }}, nil)
			r.acquire().Release()
			for range c.asking {
				defer r.acquire().Release()
			}
			if s := r.state(); s.Slots != c.slots || s.InFlight != c.asking || s.Waiting != c.waiting {
				t.Errorf("the status is %+v, want %d to wait", s, c.waiting)
			}
		})
	}
}

func TestEveryWaiterLearnsThatALoadFailed(t *testing.T) {
	file, open := gate(t)
	r := newRig(t, &fakeEngine{script: func(int) script { return script{Gate: file, ExitsLoading: 1} }},
		func(_ *Config, p *timing) { p.retryMin, p.retryMax = time.Hour, time.Hour })
	const waiters = 10
	results := r.acquireMany(waiters)
	r.waitState(Loading)
	open()
	for range waiters {
		expectLoadError(t, testkit.Receive(t, results).err, "The engine ended while it loaded the model; its log says why.")
	}
	// Until the pause is over, the failure is the answer.
	_, err := r.Acquire(t.Context(), modelName)
	expectLoadError(t, err, "The engine ended while it loaded the model; its log says why.")
	if n := r.engine.launched(); n != 1 {
		t.Errorf("%d children were started", n)
	}
	if s := r.state(); s.State != Failed || s.Detail == "" || s.PID != 0 {
		t.Errorf("the status is %+v", s)
	}
	if r.RunnerOf(modelName) != "fake" || r.RunnerOf("other") != "" {
		t.Errorf("%q failed to load it, and %q a model that nobody knows", r.RunnerOf(modelName), r.RunnerOf("other"))
	}
}

func expectLoadError(t *testing.T, err error, reason string) {
	t.Helper()
	var failed *LoadError
	if !errors.As(err, &failed) {
		t.Fatalf("error %v, want a *LoadError", err)
	}
	if failed.Reason != reason || failed.Model != modelName {
		t.Errorf("%s: %q, want %q", failed.Model, failed.Reason, reason)
	}
}

func TestAWaiterLeavesAlone(t *testing.T) {
	file, open := gate(t)
	r := newRig(t, &fakeEngine{script: func(int) script { return script{Gate: file} }}, nil)
	others := r.acquireMany(2)
	r.waitState(Loading)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := r.Acquire(ctx, modelName)
		left <- err
	}()
	cancel()
	if err := testkit.Receive(t, left); !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	open()
	for range 2 {
		got := testkit.Receive(t, others)
		if got.err != nil {
			t.Fatal(got.err)
		}
		got.lease.Release()
	}
	if n := r.engine.launched(); n != 1 {
		t.Errorf("%d children were started", n)
	}
}

func TestWhatFailsALoadIsToldInASentence(t *testing.T) {
	short := func(s *Spec) { s.StartTimeout = 300 * time.Millisecond }
	for name, c := range map[string]struct {
		script script
		spec   func(*Spec)
		want   string
	}{
		"it ends":                   {script: script{ExitsLoading: 1}, want: "The engine ended while it loaded the model; its log says why."},
		"it ends before its key":    {script: script{ClosesStdin: true}, want: "The engine ended while it loaded the model; its log says why."},
		"the system kills it":       {script: script{KilledAtLoad: true}, want: "The engine was killed while it loaded the model; memory may be short."},
		"it is never ready":         {script: script{NeverReady: true}, spec: short, want: "The engine was not ready within 300ms."},
		"it is never well":          {script: script{Unwell: true}, spec: short, want: "The engine was not ready within 300ms."},
		"it refuses the key":        {spec: func(s *Spec) { s.APIKey = "another" }, want: "Another program answers at the engine's address."},
		"it is on another machine":  {script: script{Address: "http://192.0.2.1:80"}, want: "The engine announced an address that is not on this machine."},
		"it tells a name":           {script: script{Address: "http://localhost:80"}, want: "The engine announced an address that is not on this machine."},
		"it tells no address":       {script: script{Address: "yes"}, want: "The engine announced an address that is not on this machine."},
		"its address only looks so": {script: script{Address: "http://127.0.0.1@192.0.2.1:80"}, want: "The engine announced an address that is not on this machine."},
		"there is no program":       {spec: func(s *Spec) { s.Command += "-absent" }, want: "The engine could not be started."},
		"the engine can explain": {
			script: script{ExitsLoading: 1, Says: []string{"tensor of 3 legs"}},
			spec: func(s *Spec) {
				s.Explain = func(lines []string) string { return "It said: " + strings.Join(lines, "|") }
			},
			want: "It said: tensor of 3 legs",
		},
		"the engine knows nothing": {
			script: script{KilledAtLoad: true}, spec: func(s *Spec) { s.Explain = func([]string) string { return "" } },
			want: "The engine was killed while it loaded the model; memory may be short.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &fakeEngine{script: func(int) script { return c.script }, spec: c.spec}, nil)
			_, err := r.Acquire(t.Context(), modelName)
			expectLoadError(t, err, c.want)
		})
	}
}

func TestALoadOnAFullDiskSaysSo(t *testing.T) {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		r := newRig(t, &fakeEngine{refuses: fmt.Errorf("launch: %w", &os.PathError{Op: "write", Path: "/private/place", Err: full})}, nil)
		_, err := r.Acquire(t.Context(), modelName)
		expectLoadError(t, err, "The disk is full, so that what starts the engine could not be written to it. Make room and load the model again.")
	}
}

func TestAFailedLoadIsTriedAgainAfterAPause(t *testing.T) {
	r := newRig(t, &fakeEngine{script: func(n int) script {
		if n < 3 {
			return script{ExitsLoading: 1}
		}
		return script{}
	}}, nil)
	var lease *Lease
	eventually(t, "a load that works", func() bool {
		var err error
		lease, err = r.Acquire(t.Context(), modelName)
		return err == nil
	})
	lease.Release()
	r.waitState(Ready)
}

func TestAPersonNeedNotWaitForThePause(t *testing.T) {
	r := newRig(t, &fakeEngine{script: func(n int) script {
		if n == 1 {
			return script{ExitsLoading: 1}
		}
		return script{}
	}}, func(_ *Config, p *timing) { p.retryMin, p.retryMax = time.Hour, time.Hour })
	if err := r.Load(modelName); err != nil {
		t.Fatal(err)
	}
	r.waitState(Failed)
	if err := r.Load(modelName); err != nil {
		t.Fatal(err)
	}
	r.waitState(Ready)
}

func TestModelsThatCannotBeLoaded(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	r.library.set("cut", &models.BrokenError{Name: "cut", File: "cut.gguf", Problem: "it is cut off"})
	r.library.set("unread", errors.New("open /private/place: no"))
	if _, err := r.Acquire(t.Context(), "absent"); !errors.Is(err, ErrUnknownModel) {
		t.Errorf("an unknown model gives %v", err)
	}
	for name, want := range map[string]string{
		"cut": "The model's file cannot be used: it is cut off.", "unread": "The models folder cannot be read.",
	} {
		_, err := r.Acquire(t.Context(), name)
		var failed *LoadError
		if !errors.As(err, &failed) || failed.Reason != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if err := r.Load(name); !errors.As(err, &failed) {
			t.Errorf("Load(%s) gives %v", name, err)
		}
	}
	if n := len(r.States()); n != 0 {
		t.Errorf("%d models that cannot be loaded have a state", n)
	}
}

func TestNamesAreTakenInAnyCase(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	first := r.acquire()
	defer first.Release()
	second, err := r.Acquire(t.Context(), strings.ToUpper(modelName))
	if err != nil {
		t.Fatal(err)
	}
	second.Release()
	if n := r.engine.launched(); n != 1 {
		t.Errorf("%d children were started", n)
	}
}

// What runs goes on, even when its file is taken away.
func TestALoadedModelNeedsNoFile(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	r.acquire().Release()
	r.library.set(modelName, errors.New("no longer there"))
	r.acquire().Release()
}

func TestSetUpIsToldAndItsFailureExplained(t *testing.T) {
	installing, goOn := make(chan struct{}), make(chan error)
	r := newRig(t, &fakeEngine{prepare: func(_ context.Context, report func(string)) error {
		report("Downloading a wheel")
		installing <- struct{}{}
		return <-goOn
	}}, nil)
	result := r.acquireMany(1)
	testkit.Receive(t, installing)
	if s := r.state(); s.State != Installing || s.Detail != "Downloading a wheel" {
		t.Errorf("the status is %+v", s)
	}
	goOn <- &runtime.Error{Problem: "The disk is full.", Cause: errors.New("ENOSPC at /private/place")}
	expectLoadError(t, testkit.Receive(t, result).err, "The disk is full.")
}

// fetched is a Source that has one model to give.
type fetched struct {
	library *fakeLibrary
	err     error
}

func (f fetched) Offer() (models.Model, bool) {
	_, err := f.library.Find("starter")
	return models.Model{Name: "starter", Format: models.GGUF}, err != nil
}

func (f fetched) Fetch(_ context.Context, report func(string)) error {
	report("Fetching")
	if f.err == nil {
		f.library.set("starter", nil)
	}
	return f.err
}

func TestAModelThatIsMissingIsFetched(t *testing.T) {
	for name, c := range map[string]struct {
		fails error
		want  string
	}{
		"and loaded":          {nil, ""},
		"and fails":           {errors.New("cut"), "The model could not be fetched."},
		"and is broken off":   {fmt.Errorf("unpack: %w", context.Canceled), "The model could not be fetched."},
		"and fails in set-up": {&runtime.Error{Problem: "No network."}, "No network."},
	} {
		t.Run(name, func(t *testing.T) {
			library := &fakeLibrary{known: map[string]error{}}
			r := newRig(t, &fakeEngine{}, func(cfg *Config, _ *timing) {
				cfg.Library, cfg.Source = library, fetched{library, c.fails}
			})
			lease, err := r.Acquire(t.Context(), "starter")
			var failed *LoadError
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want == "":
				lease.Release()
			case !errors.As(err, &failed) || failed.Reason != c.want:
				t.Errorf("error %v, want %q", err, c.want)
			}
			if _, err := r.Acquire(t.Context(), "other"); !errors.Is(err, ErrUnknownModel) {
				t.Errorf("a model that nobody brings gives %v", err)
			}
		})
	}
}

func TestEachLaunchHasAKeyOfItsOwn(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil)
	first := r.acquire()
	if status, _, err := ask(t.Context(), first, "/health", "wrong"); err != nil || status != http.StatusUnauthorized {
		t.Errorf("a wrong key gives status %d, %v", status, err)
	}
	first.Release()
	within(t, "Restart", r.Restart)
	second := r.acquire()
	defer second.Release()
	if len(first.APIKey) < 20 || first.APIKey == second.APIKey {
		t.Error("two launches have the same key, or a short one")
	}
}

func TestOnChangeIsToldOfChanges(t *testing.T) {
	heard := make(chan struct{}, 100)
	r := newRig(t, &fakeEngine{}, func(cfg *Config, _ *timing) {
		cfg.OnChange = func() {
			select {
			case heard <- struct{}{}:
			default:
			}
		}
	})
	lease := r.acquire()
	testkit.Receive(t, heard)
	lease.Release()
	testkit.Receive(t, heard)
}
