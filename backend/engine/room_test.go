package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

const gb = 1_000_000_000

// crowd is a rig of several models, of which each needs so many GB of ten.
type crowd struct {
	*rig
	mu     sync.Mutex
	needs  map[string]int64
	pins   map[string]bool
	limits Limits
	clock  time.Time
}

func newCrowd(t *testing.T, e *fakeEngine, needs map[string]int64, pinned ...string) *crowd {
	t.Helper()
	c := &crowd{needs: needs, pins: map[string]bool{}, limits: Limits{Memory: 10 * gb, Machine: 16 * gb}, clock: time.Now()}
	for _, name := range pinned {
		c.pins[name] = true
	}
	c.rig = newRig(t, e, func(cfg *Config, _ *timing) {
		cfg.Need = func(m models.Model) Need { return Need{Bytes: needs[m.Name] * gb, Advice: "Eat less."} }
		cfg.Pinned = func(name string) bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.pins[name]
		}
		cfg.Limits = func() Limits {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.limits
		}
	})
	c.Pool.mu.Lock()
	c.now = func() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.clock }
	c.Pool.mu.Unlock()
	for name := range needs {
		c.library.set(name, nil)
	}
	return c
}

// later sets the clock forward.
func (c *crowd) later(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock = c.clock.Add(by)
}

// use leases a model and gives it back a while later.
func (c *crowd) use(name string) {
	c.t.Helper()
	testkit.Receive(c.t, c.ask(name)).release(c.t)
	c.later(time.Minute)
}

// ask has somebody ask for a model.
func (c *crowd) ask(name string) <-chan acquired {
	result := make(chan acquired, 1)
	go func() {
		lease, err := c.Acquire(c.t.Context(), name)
		result <- acquired{lease, err}
	}()
	return result
}

// queue is ask, and comes back once that one waits.
func (c *crowd) queue(name string) <-chan acquired {
	c.t.Helper()
	before := c.of(name).Queued
	result := c.ask(name)
	eventually(c.t, "a place in the queue", func() bool { return c.of(name).Queued > before })
	return result
}

func (a acquired) release(t *testing.T) {
	t.Helper()
	if a.err != nil {
		t.Fatal(a.err)
	}
	a.lease.Release()
}

func (c *crowd) of(name string) Status {
	for _, s := range c.States() {
		if s.Model == name {
			return s
		}
	}
	return Status{Model: name, State: Idle}
}

// loaded waits until those models are loaded and no others.
func (c *crowd) loaded(names ...string) {
	c.t.Helper()
	want := strings.Join(names, " ")
	var got string
	eventually(c.t, "what is loaded to be "+want, func() bool {
		var now []string
		for _, s := range c.States() {
			if s.State == Ready && s.Detail == "" {
				now = append(now, s.Model)
			} else if s.PID != 0 {
				return false
			}
		}
		got = strings.Join(now, " ")
		return got == want
	})
}

func TestTheModelThatWasUsedLeastLatelyGoesFirst(t *testing.T) {
	c := newCrowd(t, &fakeEngine{}, map[string]int64{"a": 4, "b": 4, "c": 4, "d": 7})
	c.use("a")
	c.use("b")
	c.loaded("a", "b")
	c.use("a")
	c.use("c")
	c.loaded("a", "c")
	c.use("d") // for which both must go
	c.loaded("d")
	if m := c.Memory(); m.UsedBytes != 7*gb || m.LimitBytes != 10*gb || m.MachineBytes != 16*gb {
		t.Errorf("the memory is %+v", m)
	}
}

func TestAPinnedModelStays(t *testing.T) {
	c := newCrowd(t, &fakeEngine{}, map[string]int64{"a": 4, "b": 4, "c": 4, "d": 7}, "a")
	c.use("a")
	c.use("b")
	c.use("c")
	c.loaded("a", "c")
	if s := c.of("a"); !s.Pinned || s.LastUsed == "" || c.of("c").Pinned {
		t.Errorf("the states are %+v", c.States())
	}
	_, err := c.Acquire(t.Context(), "d")
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "It is expected to take 7.0 GB, and of the 10.0 GB that models may take together, pinned ones that are loaded take 4.0 GB. Eat less.") {
		t.Errorf("what does not fit beside it gives %v", err)
	}
	c.loaded("a", "c") // nothing went in vain
	c.mu.Lock()
	c.pins["a"] = false
	c.mu.Unlock()
	c.Reconsider()
	c.use("d")
	c.loaded("d")
}

func TestWhatIsTooLargeIsRefusedWithTheArithmetic(t *testing.T) {
	c := newCrowd(t, &fakeEngine{}, map[string]int64{"a": 4, "whale": 11})
	c.use("a")
	const want = "It is expected to take 11.0 GB, and models may take 10.0 GB together, of the 16.0 GB that this machine can give. Eat less."
	for name, err := range map[string]error{"Load": c.Load("whale"), "Acquire": func() error { _, err := c.Acquire(t.Context(), "whale"); return err }()} {
		var failed *LoadError
		if !errors.As(err, &failed) || !errors.Is(err, ErrTooLarge) || failed.Reason != want {
			t.Errorf("%s gives %v, want %q", name, err, want)
		}
	}
	c.loaded("a")
	if n := c.engine.launched(); n != 1 {
		t.Errorf("%d launches", n)
	}
	c.mu.Lock()
	c.limits.Memory = 12 * gb
	c.mu.Unlock()
	c.Reconsider() // the refusal does not outlast its reason
	c.use("whale")
	c.loaded("whale")
}

// Who asks first is served first: requests for a model that has to make room come after the one that it makes room for,
// and what it answers is not cut short.
func TestWhoAnswersIsWaitedForAndThenMakesRoom(t *testing.T) {
	c := newCrowd(t, &fakeEngine{}, map[string]int64{"a": 6, "b": 6})
	first := testkit.Receive(t, c.ask("a"))
	second := c.queue("b")
	third := c.queue("a")
	if status, _, err := ask(t.Context(), first.lease, "/health"); err != nil || status != 200 {
		t.Fatalf("the child was ended while it answered: %d, %v", status, err)
	}
	if s := c.of("b"); s.State != Loading || s.Detail != "Waiting for memory" || s.Queued != 1 || c.of("a").Queued != 1 {
		t.Errorf("the states are %+v", c.States())
	}
	first.release(t)
	b := testkit.Receive(t, second)
	if b.err != nil {
		t.Fatal(b.err)
	}
	if len(third) != 0 {
		t.Error("two models of 6 GB are loaded in 10")
	}
	b.release(t)
	testkit.Receive(t, third).release(t)
	c.loaded("a")
}

func TestLoadsGetTheirRoomInTheOrderInWhichTheyWereAskedFor(t *testing.T) {
	c := newCrowd(t, &fakeEngine{}, map[string]int64{"a": 6, "b": 6, "c": 6, "small": 1})
	held := testkit.Receive(t, c.ask("a"))
	b := c.queue("b")
	eventually(t, "the first to wait for room", func() bool { return c.of("b").Detail == "Waiting for memory" })
	rest := map[string]<-chan acquired{"c": c.queue("c"), "small": c.queue("small")}
	again := c.queue("b")
	eventually(t, "the others to wait for room", func() bool {
		return c.of("c").Detail == "Waiting for memory" && c.of("small").Detail == "Waiting for memory" // it would fit, and overtakes nobody
	})
	if n := c.engine.launched(); n != 1 {
		t.Errorf("%d launches", n)
	}
	held.release(t)
	one, two := testkit.Receive(t, b), testkit.Receive(t, again)
	if len(rest["c"]) != 0 {
		t.Error("the third came before the second had answered")
	}
	one.release(t)
	two.release(t)
	testkit.Receive(t, rest["c"]).release(t)
	testkit.Receive(t, rest["small"]).release(t)
	c.loaded("c", "small")
}

func TestALoadThatNobodyWaitsForMakesNoRoom(t *testing.T) {
	c := newCrowd(t, &fakeEngine{}, map[string]int64{"a": 6, "b": 6, "c": 6})
	held := testkit.Receive(t, c.ask("a"))
	b := c.queue("b")
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { _, err := c.Acquire(ctx, "c"); left <- err }()
	eventually(t, "the third to wait for room", func() bool { return c.of("c").Detail == "Waiting for memory" })
	leave()
	if err := testkit.Receive(t, left); !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	eventually(t, "the load to be given up", func() bool { return c.of("c").State == Idle })
	held.release(t)
	testkit.Receive(t, b).release(t)
	c.loaded("b")
	c.use("c") // and whoever comes later gets it
	c.loaded("c")
}

func TestAnIdleModelIsUnloadedAfterAWhile(t *testing.T) {
	c := newCrowd(t, &fakeEngine{}, map[string]int64{"a": 1, "b": 1, "busy": 1, "kept": 1}, "kept")
	c.unloadIdle() // without a limit nothing goes
	c.limits.Idle = 10 * time.Minute
	busy := testkit.Receive(t, c.ask("busy"))
	c.use("kept")
	c.use("a")
	c.later(7 * time.Minute)
	c.use("b")
	c.unloadIdle()
	c.loaded("a", "b", "busy", "kept")
	c.later(5 * time.Minute)
	c.unloadIdle()
	c.loaded("b", "busy", "kept")
	busy.release(t)
	c.later(9 * time.Minute)
	c.unloadIdle()
	c.loaded("busy", "kept")
	c.later(time.Minute)
	c.unloadIdle()
	c.loaded("kept")
}

func TestAQueueHasABound(t *testing.T) {
	file, open := gate(t)
	c := newCrowd(t, &fakeEngine{script: func(int) script { return script{Gate: file} }}, map[string]int64{"a": 1, "b": 1})
	c.limits.Queue = 2
	one, two := c.queue("a"), c.queue("a")
	_, err := c.Acquire(t.Context(), "a")
	var full *QueueFullError
	if !errors.As(err, &full) || full.Waiting != 2 || full.RetryAfter != usualLoad {
		t.Errorf("the third gets %+v", full)
	}
	c.later(3 * time.Second)
	if _, err := c.Acquire(t.Context(), "a"); !errors.As(err, &full) || full.RetryAfter != usualLoad-3*time.Second {
		t.Errorf("three seconds later one gets %+v", full)
	}
	other := c.queue("b") // has a queue of its own
	open()
	for _, w := range []<-chan acquired{one, two, other} {
		testkit.Receive(t, w).release(t)
	}
	if s := c.of("a"); s.Queued != 0 {
		t.Errorf("the status is %+v", s)
	}
	c.use("a")
}

// When who is turned away may come again follows from what loads took lately.
func TestAQueuesPace(t *testing.T) {
	for _, c := range []struct {
		took  []time.Duration
		since time.Duration
		ahead int
		want  time.Duration
	}{
		{nil, 0, 0, usualLoad},
		{nil, 0, 2, 3 * usualLoad},
		{[]time.Duration{20 * time.Second}, 5 * time.Second, 0, 15 * time.Second},
		{[]time.Duration{20 * time.Second, 10 * time.Second}, 5 * time.Second, 0, 10 * time.Second},
		{[]time.Duration{20 * time.Second}, 30 * time.Second, 0, 30 * time.Second}, // it may take as long again
		{[]time.Duration{20 * time.Second}, 5 * time.Second, 4, retryMost},
		{[]time.Duration{time.Millisecond}, 0, 0, retryLeast},
		{[]time.Duration{time.Hour}, 0, 0, retryMost},
	} {
		var p pace
		for _, took := range c.took {
			p.note(took)
		}
		if got := p.left(c.since, c.ahead); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// What a child holds counts when it is more than was expected.
func TestWhatIsMeasuredCounts(t *testing.T) {
	c := newCrowd(t, &fakeEngine{}, map[string]int64{"a": 0, "b": 1})
	c.use("a")
	held := c.of("a").MemoryBytes
	if m := c.Memory(); held == 0 || m.UsedBytes < int64(held)/2 {
		t.Errorf("%d bytes are held, and the memory is %+v", held, m)
	}
	if s := c.of("a"); s.Charged != int64(s.MemoryBytes) {
		t.Errorf("against the limit it counts for %d of %d", s.Charged, s.MemoryBytes)
	}
	c.mu.Lock()
	c.limits.Memory = gb
	c.mu.Unlock()
	c.use("b")
	c.loaded("b")
	if err := c.Unload(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if m := c.Memory(); m.UsedBytes != 0 {
		t.Errorf("nothing is loaded, and the memory is %+v", m)
	}
}

func TestAPinnedModelComesBackWhenItDies(t *testing.T) {
	c := newCrowd(t, &fakeEngine{}, map[string]int64{modelName: 1}, modelName)
	c.use(modelName)
	pid := c.kill()
	eventually(t, "a new child", func() bool { s := c.state(); return s.State == Ready && s.PID != pid })
}

// Everything at once, for the race detector: nobody starves, and memory is never given twice.
func TestManyModelsInLittleMemory(t *testing.T) {
	needs := map[string]int64{"a": 4, "b": 5, "c": 6, "d": 3, "kept": 2}
	c := newCrowd(t, &fakeEngine{}, needs, "kept")
	ctx, cancel := context.WithTimeout(t.Context(), 4*testkit.Patience)
	defer cancel()
	var asking sync.WaitGroup
	for i := range 6 {
		asking.Go(func() {
			for round := range 6 {
				name := []string{"a", "b", "c", "d", "kept"}[(i*2+round*3)%5]
				lease, err := c.Acquire(ctx, name)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				if m := c.Memory(); m.UsedBytes > m.LimitBytes {
					t.Errorf("the memory is %+v", m)
				}
				if status, _, err := ask(ctx, lease, "/health"); err != nil || status != 200 {
					t.Errorf("%s was ended while it answered: %d, %v", name, status, err)
				}
				lease.Release()
			}
		})
	}
	asking.Wait()
	for _, s := range c.States() {
		if s.Queued != 0 || s.InFlight != 0 {
			t.Errorf("somebody is left: %+v", s)
		}
	}
}

func TestAFullQueueIsASentence(t *testing.T) {
	if got := fmt.Sprint(&QueueFullError{Model: "a", Waiting: 3}); got != "3 requests wait for a already" {
		t.Error(got)
	}
}
