package tray

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/desktop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeHost is a server in one process: start and stop change its state, and die kills it.
type fakeHost struct {
	mu        sync.Mutex
	phase     desktop.Phase
	onPurpose bool
	startErr  error
	starts    int
	held      chan struct{} // keeps Start and Drain from returning until it is closed; nil does not
	changed   chan struct{}
}

// unseen is set before anybody looks at the server again.
func (f *fakeHost) unseen(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeHost) set(change func()) {
	f.unseen(change)
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func (f *fakeHost) Watch(ctx context.Context, changed func(desktop.State)) error {
	for {
		f.mu.Lock()
		s := desktop.State{Phase: f.phase}
		if f.phase == desktop.Running {
			s.Server = desktop.Server{Addr: "127.0.0.1:10242", URL: "http://127.0.0.1:10242"}
		}
		if f.phase == desktop.Failed && f.startErr != nil {
			s.Detail = f.startErr.Error()
		}
		f.mu.Unlock()
		changed(s)
		select {
		case <-f.changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *fakeHost) Start(ctx context.Context) (desktop.Server, error) {
	f.set(func() {
		f.starts++
		if f.startErr == nil {
			f.phase, f.onPurpose = desktop.Running, false
		}
	})
	if f.held != nil {
		<-f.held
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return desktop.Server{}, f.startErr
}

func (f *fakeHost) Stop(ctx context.Context) error {
	f.set(func() { f.phase, f.onPurpose = desktop.Stopped, true })
	return nil
}

func (f *fakeHost) Drain(ctx context.Context) error {
	if f.held != nil {
		<-f.held
	}
	f.set(func() { f.phase = desktop.Stopped })
	return nil
}

func (f *fakeHost) StoppedOnPurpose() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.onPurpose
}

func (f *fakeHost) started() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.starts
}

// bench is a keeper at work; menu holds what it last showed.
type bench struct {
	t      *testing.T
	host   *fakeHost
	clicks chan Action
	ended  chan error
	cancel context.CancelFunc

	mu     sync.Mutex
	menu   string
	log    []string
	shown  chan struct{}
	copies error

	warning chan string
}

func work(t *testing.T, host *fakeHost) *bench {
	t.Helper()
	host.changed = make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	b := &bench{t: t, host: host, clicks: make(chan Action), ended: make(chan error, 1), cancel: cancel, shown: make(chan struct{}, 1), warning: make(chan string, 1)}
	desk := Desk{
		Host: host, Clock: time.Now, Log: slog.Default, Warning: b.warning,
		Show: func(items []Item) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.menu = visible(items)
			select {
			case b.shown <- struct{}{}:
			default:
			}
		},
		OpenWindow:  func() error { b.note("opened"); return nil },
		CloseWindow: func(context.Context) error { b.note("closed"); return nil },
		Copy:        func(_ context.Context, text string) error { return b.copied(text) },
	}
	go func() { b.ended <- Keep(ctx, desk, b.clicks) }()
	t.Cleanup(cancel)
	return b
}

func (b *bench) note(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append(b.log, what)
}

func (b *bench) copied(text string) error {
	b.note("copied " + text)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.copies
}

// now is the menu as last shown.
func (b *bench) now() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.menu
}

func (b *bench) wait(part string) {
	b.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		menu := b.now()
		if strings.Contains(menu, part) {
			return
		}
		select {
		case <-b.shown:
		case <-deadline:
			b.t.Fatalf("the menu never had %q; it is %q", part, menu)
		}
	}
}

func (b *bench) click(a Action) {
	b.t.Helper()
	select {
	case b.clicks <- a:
	case <-time.After(30 * time.Second):
		b.t.Fatal("the keeper takes no clicks")
	}
}

func (b *bench) end() error {
	b.t.Helper()
	select {
	case err := <-b.ended:
		return err
	case <-time.After(30 * time.Second):
		b.t.Fatal("the keeper does not end")
	}
	return nil
}

func TestKeeperStartsAServerThatIsNotThere(t *testing.T) {
	b := work(t, &fakeHost{phase: desktop.Stopped})
	b.wait("Running · 127.0.0.1:10242")
	b.cancel()
	if err := b.end(); err != nil || b.host.phase != desktop.Running {
		t.Errorf("the end of the tray: %v; the server is %s, want it to run on", err, b.host.phase)
	}
}

func TestKeeperLeavesAServerThatWasStoppedOnPurpose(t *testing.T) {
	b := work(t, &fakeHost{phase: desktop.Stopped, onPurpose: true})
	b.wait("(Stopped) | — | Start")
	b.click(Open) // a round through the loop: by now a start would have begun
	b.wait("(Stopped) | — | Start")
	if n := b.host.started(); n != 0 {
		t.Errorf("started %d times", n)
	}
	b.click(Start)
	b.wait("Running")
	b.click(Stop)
	b.wait("(Stopped)")
}

func TestKeeperRestartsAServerThatDied(t *testing.T) {
	b := work(t, &fakeHost{phase: desktop.Running})
	b.wait("Running")
	b.host.set(func() { b.host.phase = desktop.Failed })
	b.wait("after it ended unexpectedly")
	b.wait("Running")
}

// It can be seen to run, and be gone, before its start has returned.
func TestKeeperTellsOfAServerThatDiedBeforeItsStartReturned(t *testing.T) {
	for name, tell := range map[string]func(*fakeHost, func()){"its end is seen": (*fakeHost).set, "the start returns first": (*fakeHost).unseen} {
		t.Run(name, func(t *testing.T) {
			host := &fakeHost{phase: desktop.Stopped, held: make(chan struct{})}
			b := work(t, host)
			b.wait("Running · 127.0.0.1:10242")
			tell(host, func() { host.phase, host.startErr = desktop.Failed, &desktop.StartError{Sentence: "It is gone."} })
			close(host.held)
			b.wait("(Not running) | (It is gone.)")
			host.unseen(func() { host.startErr = nil })
			b.wait("after it ended unexpectedly")
		})
	}
}

func TestKeeperDoesNotFightAServerThatEndedInOrder(t *testing.T) {
	b := work(t, &fakeHost{phase: desktop.Running})
	b.wait("Running")
	b.host.set(func() { b.host.phase = desktop.Stopped }) // Ctrl-C in its terminal
	b.wait("(Stopped)")
	b.click(Open)
	b.wait("(Stopped)")
	if n := b.host.started(); n != 0 {
		t.Errorf("started %d times", n)
	}
}

func TestKeeperSaysWhyAndTriesAgain(t *testing.T) {
	host := &fakeHost{phase: desktop.Stopped, startErr: &desktop.StartError{Sentence: "Port 10242 is taken by nginx."}}
	b := work(t, host)
	b.wait("(Not running) | (Port 10242 is taken by nginx.)")
	host.set(func() { host.startErr = nil })
	b.wait("Running")
	if menu := b.now(); strings.Contains(menu, "taken") {
		t.Errorf("the word about the port stays: %s", menu)
	}
}

// The server can be seen to run before its start has returned, and Stop be clicked then.
func TestAStopThatIsClickedDuringTheStartIsDoneAfterIt(t *testing.T) {
	host := &fakeHost{phase: desktop.Stopped, held: make(chan struct{})}
	b := work(t, host)
	b.wait("Running · 127.0.0.1:10242")
	b.click(Stop)
	close(host.held)
	b.wait("(Stopped) | — | Start")
}

func TestAWarningStaysForAsLongAsThereIsNothingNewer(t *testing.T) {
	host := &fakeHost{phase: desktop.Stopped, startErr: &desktop.StartError{Sentence: "Port 10242 is taken by nginx."}}
	b := work(t, host)
	b.warning <- "telemetry is not set up right"
	b.wait("(Not running) | (Port 10242 is taken by nginx.)")
	host.set(func() { host.startErr = nil })
	b.wait("(Running · 127.0.0.1:10242) | (Telemetry is not set up right)")
}

// A person may stop it in the moment after it became ready, when its start is not reported yet.
func TestKeeperDoesNotFightAStopInTheMiddleOfAStart(t *testing.T) {
	host := &fakeHost{phase: desktop.Stopped, startErr: fmt.Errorf("%w: it was stopped as soon as it ran", desktop.ErrNotRunning)}
	b := work(t, host)
	for deadline := time.Now().Add(30 * time.Second); host.started() == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	b.click(Open)
	b.wait("(Stopped) | — | Start")
	if menu, n := b.now(), host.started(); n != 1 || strings.Contains(menu, "stopped as soon") {
		t.Errorf("started %d times, want once; the menu is %s", n, menu)
	}
}

func TestKeeperCopiesAndSaysWhenItCannot(t *testing.T) {
	b := work(t, &fakeHost{phase: desktop.Running})
	b.wait("Running")
	b.click(Copy)
	b.mu.Lock()
	b.copies = errors.New("no program for the clipboard: install xclip")
	b.mu.Unlock()
	b.click(Copy)
	b.wait("(No program for the clipboard: install xclip)")
	b.cancel()
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	if want := "copied http://127.0.0.1:10242/v1"; b.log[0] != want {
		t.Errorf("%q, want %q", b.log[0], want)
	}
}

func TestQuitEndsServerAndWindow(t *testing.T) {
	b := work(t, &fakeHost{phase: desktop.Running})
	b.wait("Running")
	b.click(Quit)
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	if b.host.phase != desktop.Stopped || b.host.onPurpose || strings.Join(b.log, " ") != "closed" {
		t.Errorf("server %s, on purpose %t, window %v; want it drained, to come back with the next tray, and the window closed",
			b.host.phase, b.host.onPurpose, b.log)
	}
}

// What is clicked after Quit would bring back what it ends.
func TestWhatIsClickedAfterQuitIsNotDone(t *testing.T) {
	host := &fakeHost{phase: desktop.Running, held: make(chan struct{})}
	b := work(t, host)
	b.wait("Running")
	for _, a := range []Action{Quit, Open, Start, Copy, Quit} {
		b.click(a)
	}
	close(host.held)
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	if b.host.phase != desktop.Stopped || b.host.started() != 0 || strings.Join(b.log, " ") != "closed" {
		t.Errorf("server %s, started %d times, window %v", b.host.phase, b.host.started(), b.log)
	}
}
