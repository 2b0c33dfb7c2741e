package engine

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mlxbar/backend/testkit"
)

// watchful probes all the time, and asks an idle child for a token each time.
func watchful(_ *Config, p *timing) { p.probeEvery, p.tokenEvery = 5*time.Millisecond, 0 }

// impatient is watchful, and takes a child that is silent for so long for one that hangs. On a busy machine a good one may be.
func impatient(c *Config, p *timing) {
	watchful(c, p)
	p.probeTimeout = time.Second
}

// expectAnother waits for a child in the place of one.
func (r *rig) expectAnother(than int) Status {
	r.t.Helper()
	var s Status
	eventually(r.t, "another child", func() bool {
		s = r.state()
		return s.State == Ready && s.PID != than
	})
	return s
}

// questions are how often a child was asked for tokens, whether it is at work, and for its health.
type questions struct{ tokens, turns, looks int }

func asked(t *testing.T, lease *Lease) (q questions) {
	t.Helper()
	if _, err := fmt.Sscan(tell(t, lease, "/asked", nil), &q.tokens, &q.turns, &q.looks); err != nil {
		t.Fatal(err)
	}
	return q
}

func TestAnIdleChildThatMakesNothingIsStartedAgain(t *testing.T) {
	for ill, why := range map[string]string{
		"/mute":   "it answered, but with no token", // 200, and nothing in it
		"/sicken": "status 500",
		"/freeze": "context deadline exceeded",
		"/leave":  "connection refused",
	} {
		t.Run(ill, func(t *testing.T) {
			how := watchful
			if ill == "/freeze" {
				how = impatient
			}
			r := newRig(t, &fakeEngine{}, how)
			lease := r.acquire()
			pid := r.state().PID
			tell(t, lease, ill, nil)
			lease.Release()
			gone(t, lease)
			r.expectAnother(pid)
			if log := r.log(); !strings.Contains(log, why) {
				t.Errorf("the log does not say %q:\n%s", why, log)
			}
		})
	}
}

// A process that is stopped answers nothing and takes no signal but SIGKILL.
func TestAStoppedChildIsReplaced(t *testing.T) {
	for name, asking := range map[string]bool{"idle": false, "while somebody waits": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &fakeEngine{}, impatient)
			lease := r.acquire()
			defer lease.Release()
			if !asking {
				lease.Release()
			}
			pid := r.signal(syscall.SIGSTOP)
			gone(t, lease)
			r.expectAnother(pid)
		})
	}
}

// stranger listens where the child of a lease did, after it has gone from there.
func stranger(t *testing.T, lease *Lease, handler http.HandlerFunc) {
	t.Helper()
	address := strings.TrimPrefix(lease.BaseURL, "http://")
	var listener net.Listener
	eventually(t, "the child's address to be free", func() (ok bool) {
		var err error
		listener, err = net.Listen("tcp", address)
		return err == nil
	})
	server := &http.Server{Handler: handler}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		testkit.Receive(t, served)
	})
}

func TestAStrangerAtTheAddressIsNotTrusted(t *testing.T) {
	for name, c := range map[string]struct {
		asksForKey, mayHearKey bool
		status                 int
	}{
		"that takes everything":        {false, false, 200},
		"that takes every key":         {true, true, 200},
		"that does not take this key":  {true, true, 401},
		"that is another of our kinds": {true, true, 403},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &fakeEngine{script: func(n int) script { return script{Identity: fmt.Sprint("child ", n)} }}, func(_ *Config, p *timing) {
				p.probeMisses = 1 << 30 // one look must do
			})
			lease := r.acquire()
			pid := r.state().PID
			tell(t, lease, "/leave", nil)
			var heard atomic.Bool
			stranger(t, lease, func(w http.ResponseWriter, r *http.Request) {
				keyed := r.Header.Get("Authorization") != ""
				heard.Store(heard.Load() || keyed)
				if c.asksForKey && !keyed {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, "a token of child 7")
			})
			lease.Release()
			r.wake() // the one look: whoever looked while the child left might ask it, and the stranger next
			gone(t, lease)
			next := r.acquire()
			defer next.Release()
			if next.BaseURL == lease.BaseURL || r.state().PID == pid {
				t.Error("the stranger's address was leased again")
			}
			if heard.Load() && !c.mayHearKey {
				t.Error("it was given the engine's key")
			}
			if log := r.log(); !strings.Contains(log, "another program answers at its address") {
				t.Errorf("the log does not say so:\n%s", log)
			}
		})
	}
}

func TestAStartWithAStrangersAnswerFails(t *testing.T) {
	r := newRig(t, &fakeEngine{spec: func(s *Spec) { s.Identity = "somebody else" }}, nil)
	_, err := r.Acquire(t.Context(), modelName)
	expectLoadError(t, err, "Another program answers at the engine's address.")
}

// An older version of a program that somebody named cannot tell who it is, and is known by its key.
func TestAChildThatCannotTellItsNameIsKnownByItsKey(t *testing.T) {
	spec := childSpec(script{})
	spec.Identity, spec.MayBeNameless = "somebody else", true
	p, lease, _ := readyChild(t, spec)
	if err := p.known(t.Context(), lease.BaseURL); err != nil {
		t.Errorf("it is not known: %v", err)
	}
	p.spec.APIKey += "x"
	if err := p.known(t.Context(), lease.BaseURL); !errors.Is(err, errStranger) {
		t.Errorf("with another key it is known: %v", err)
	}
}

// While tokens flow nothing is asked at all, and what would not answer then is well.
func TestTokensThatFlowAreProofEnough(t *testing.T) {
	r := newRig(t, &fakeEngine{}, func(c *Config, p *timing) {
		impatient(c, p)
		p.probeEvery = 50 * time.Millisecond
	})
	lease := r.acquire()
	defer lease.Release()
	lease.Beat()
	tell(t, lease, "/stick", nil)
	for range 100 {
		lease.Beat()
		time.Sleep(5 * time.Millisecond)
	}
	if n := r.engine.launched(); n != 1 {
		t.Fatalf("%d launches while tokens flowed", n)
	}
	gone(t, lease) // as soon as they do not
}

func TestWhoReadsALongPromptIsNotAskedForTokens(t *testing.T) {
	r := newRig(t, &fakeEngine{}, watchful)
	lease := r.acquire()
	defer lease.Release()
	before := asked(t, lease)
	eventually(t, "questions whether it works", func() bool { return asked(t, lease).turns > before.turns+5 })
	if after := asked(t, lease); after.tokens > before.tokens {
		t.Errorf("it was asked for %d tokens meanwhile", after.tokens-before.tokens)
	}
	if n := r.engine.launched(); n != 1 {
		t.Errorf("%d launches", n)
	}
}

// An idle child is asked now and then, not all the time; nobody sees it among the requests.
func TestAnIdleChildIsAskedForATokenSeldom(t *testing.T) {
	r := newRig(t, &fakeEngine{}, func(c *Config, p *timing) {
		watchful(c, p)
		p.tokenEvery = time.Hour
	})
	lease := r.acquire()
	lease.Release()
	eventually(t, "some looks", func() bool { return asked(t, lease).looks > 20 })
	if q := asked(t, lease); q.tokens != 0 {
		t.Errorf("it was asked for %d tokens", q.tokens)
	}
	tell(t, lease, "/sicken", nil) // which is found by the cheaper question
	gone(t, lease)
}

func TestAfterTheMachineWasAwayEnginesAreAskedAtOnce(t *testing.T) {
	r := newRig(t, &fakeEngine{}, nil) // which asks once an hour
	lease := r.acquire()
	lease.Release()
	r.wake()
	eventually(t, "a question for a token", func() bool { return asked(t, lease).tokens == 1 })
	if s := r.state(); s.InFlight != 0 || s.Waiting != 0 {
		t.Errorf("the probe is told as a request: %+v", s)
	}
}

func TestTheMachineWasAway(t *testing.T) {
	clock := make(chan time.Time)
	tick := make(chan time.Time)
	r := newRig(t, &fakeEngine{}, nil)
	lease := r.acquire()
	lease.Release()
	now := time.Now()
	r.work.Go(func() {
		r.followSleep(func() time.Time {
			select {
			case at := <-clock:
				return at
			case <-r.ctx.Done():
				return now
			}
		}, tick)
	})
	clock <- now
	step := func(by time.Duration) {
		now = now.Add(by)
		tick <- now
		clock <- now
	}
	for range 3 {
		step(wakeEvery)
	}
	step(8 * time.Hour)
	step(wakeEvery) // by then the one before has been looked at
	eventually(t, "a question for a token", func() bool { return asked(t, lease).tokens == 1 })
	if n := r.engine.launched(); n != 1 {
		t.Errorf("something was ended: %d launches", n)
	}
}

func TestAwayIsToldByEitherClock(t *testing.T) {
	now := time.Now()
	wall := func(d time.Duration) time.Time { return now.Round(0).Add(d) } // has no monotonic reading
	for name, c := range map[string]struct {
		before, now time.Time
		want        time.Duration
	}{
		"awake":              {now, now.Add(wakeEvery), 0},
		"halted":             {now, now.Add(wakeEvery + time.Hour), time.Hour},
		"by the wall alone":  {wall(0), wall(wakeEvery + time.Hour), time.Hour},
		"the clock set back": {wall(0), wall(-time.Hour), -time.Hour - wakeEvery},
	} {
		t.Run(name, func(t *testing.T) {
			if got := away(c.before, c.now, wakeEvery); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestATailHasNoPath(t *testing.T) {
	p := &process{}
	for line, want := range map[string]string{
		"load_model: loading model '/somebody/s own models/a.gguf'": "load_model: loading model  a.gguf",
		"error: /opt/lib/libggml.so: no symbol":                     "error: libggml.so: no symbol",
		"3 / 4 layers, 1/2 done":                                    "3 / 4 layers, 1/2 done",
		`open "/a/b c/d.gguf" failed`:                               "open  d.gguf failed",
	} {
		p.logged = []string{line}
		if got := p.tail()[0]; strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%q becomes %q, want %q", line, got, want)
		}
	}
}

func BenchmarkBeat(b *testing.B) {
	lease := NewLease("", "", "", nil, nil)
	lease.beats = new(atomic.Uint64)
	for b.Loop() {
		lease.Beat()
	}
}
