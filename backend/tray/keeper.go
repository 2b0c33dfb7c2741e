package tray

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"mlxbar/backend/desktop"
)

// A Host is the server as the keeper needs it; *desktop.Host is one.
type Host interface {
	Watch(ctx context.Context, changed func(desktop.State)) error
	Start(ctx context.Context) (desktop.Server, error)
	Stop(ctx context.Context) error
	Drain(ctx context.Context) error
	StoppedOnPurpose() bool
}

// Desk is what the keeper has around it.
type Desk struct {
	Host        Host
	Show        func([]Item)                        // draws the menu
	OpenWindow  func() error                        // or raises the one that is there
	CloseWindow func(context.Context) error         // for good, and waits for its end
	Copy        func(context.Context, string) error // to the clipboard
	Clock       func() time.Time
	Log         func() *slog.Logger // asked for each line
	Warning     <-chan string       // something that is wrong for as long as the tray runs; may be nil
}

// A server that ran for this long was well: the next restart is quick again.
const wellAfter = time.Minute

// Keep keeps the server running and does what is clicked, until Quit or the end of ctx. Quit ends
// the server and the window; the end of ctx ends nothing but the keeper.
func Keep(ctx context.Context, desk Desk, clicks <-chan Action) error {
	ctx, cancel := context.WithCancel(ctx)
	k := &keeper{desk: desk, pause: backoff.NewExponentialBackOff(), done: make(chan result)}
	k.pause.MaxInterval = time.Minute
	k.retry = time.NewTimer(time.Hour)
	k.retry.Stop()

	states := make(chan desktop.State)
	watched := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		watched <- desk.Host.Watch(ctx, func(s desktop.State) {
			select {
			case states <- s:
			case <-ctx.Done():
			}
		})
	})
	err := k.loop(ctx, states, watched, clicks)
	k.retry.Stop()
	cancel()
	wg.Wait()
	if k.stopJob != nil {
		k.stopJob()
		<-k.done
	}
	return err
}

type keeper struct {
	desk    Desk
	state   State
	warning string // shown where there is nothing newer to say

	job     Action // the one that runs, None when idle
	next    Action // what was clicked meanwhile, Start or Stop
	stopJob context.CancelFunc
	done    chan result

	seen  bool // a first state came
	well  time.Time
	died  bool // and is being restarted
	pause *backoff.ExponentialBackOff
	retry *time.Timer
}

type result struct {
	job Action
	err error
}

func (k *keeper) loop(ctx context.Context, states <-chan desktop.State, watched <-chan error, clicks <-chan Action) error {
	for {
		k.show()
		select {
		case <-ctx.Done():
			return nil
		case err := <-watched:
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("the server can no longer be watched: %w", err)
		case s := <-states:
			k.observe(ctx, s)
		case text := <-k.desk.Warning:
			k.warning = sentence(text)
		case <-k.retry.C:
			k.begin(ctx, Start)
		case a := <-clicks:
			k.click(ctx, a)
		case r := <-k.done:
			k.stopJob()
			k.stopJob, k.job = nil, None
			if r.job == Quit {
				return r.err
			}
			if k.state.Ending {
				k.begin(ctx, Quit)
				continue
			}
			k.finish(r)
			if next := k.next; next != None {
				k.next = None
				k.begin(ctx, next)
			}
		}
	}
}

// show draws the state; a job that runs tells more than the last observation.
func (k *keeper) show() {
	s := k.state
	switch {
	case k.job == Start && s.Server.Phase != desktop.Running:
		s.Server = desktop.State{Phase: desktop.Starting}
	case k.job == Stop || s.Ending:
		s.Server = desktop.State{Phase: desktop.Stopping}
	}
	if s.Note == "" {
		s.Note = k.warning
	}
	k.desk.Show(Menu(s))
}

// observe takes a new state of the server, and starts it where it should run and does not.
func (k *keeper) observe(ctx context.Context, s desktop.State) {
	before, first := k.state.Server.Phase, !k.seen
	k.seen = true
	if s.Phase == desktop.Stopped && before == desktop.Failed && !k.desk.Host.StoppedOnPurpose() {
		return // a start that failed has left no server behind, and why it failed tells more
	}
	k.state.Server = s
	switch s.Phase {
	case desktop.Running:
		if before == desktop.Running {
			return
		}
		k.retry.Stop()
		k.well, k.state.Note = k.desk.Clock(), ""
		if k.died {
			k.died = false
			k.state.Note = "Restarted at " + k.well.Format("15:04") + " after it ended unexpectedly"
		}
	case desktop.Stopped:
		// One that ended in order while we looked was ended by somebody: by another window, by
		// Ctrl-C in its terminal. Only at the beginning is "stopped" something to mend.
		if first && !k.desk.Host.StoppedOnPurpose() {
			k.begin(ctx, Start)
		}
	case desktop.Failed:
		k.state.Note = s.Detail
		if k.desk.Host.StoppedOnPurpose() {
			return
		}
		k.died = k.died || before == desktop.Running || !first && k.job == None
		if k.job != None {
			return
		}
		if k.desk.Clock().Sub(k.well) > wellAfter {
			k.pause.Reset()
		}
		k.retry.Reset(k.pause.NextBackOff())
	}
}

func (k *keeper) click(ctx context.Context, a Action) {
	var err error
	if k.state.Ending { // what is clicked now came too late
		return
	}
	switch a {
	case Start, Stop:
		k.state.Note, k.died = "", false
		k.pause.Reset()
		if k.next = None; k.job != None && k.job != a {
			k.next = a // the menu may show Stop a moment before the start has returned
		}
		k.begin(ctx, a)
	case Quit:
		k.state.Ending = true
		k.retry.Stop()
		if k.job == None {
			k.begin(ctx, Quit)
		} else {
			k.stopJob() // then its end begins Quit
		}
	case Open:
		err = k.desk.OpenWindow()
	case Copy:
		if k.state.Server.Phase == desktop.Running {
			err = k.desk.Copy(ctx, k.state.Server.Server.URL+"/v1")
		}
		if err == nil {
			k.state.Note = ""
		}
	}
	if err != nil {
		k.desk.Log().Error("the tray could not do what was clicked", "action", string(a), "cause", err)
		k.state.Note = sentence(err.Error())
	}
}

// begin runs a job beside the loop, one at a time.
func (k *keeper) begin(ctx context.Context, job Action) {
	if k.job != None {
		return
	}
	k.retry.Stop()
	k.job = job
	ctx, k.stopJob = context.WithCancel(ctx)
	go func() { k.done <- result{job, k.do(ctx, job)} }()
}

func (k *keeper) do(ctx context.Context, job Action) error {
	switch job {
	case Start:
		_, err := k.desk.Host.Start(ctx)
		return err
	case Stop:
		return k.desk.Host.Stop(ctx)
	}
	// The window goes first: it should not be seen to lose its server.
	return errors.Join(k.desk.CloseWindow(ctx), k.desk.Host.Drain(ctx))
}

// finish takes the result of Start or Stop; success shows in the next observation.
func (k *keeper) finish(r result) {
	if r.err == nil || r.job == Start && errors.Is(r.err, desktop.ErrNotRunning) { // stopped by somebody meanwhile
		return
	}
	k.desk.Log().Error("the tray could not "+string(r.job)+" the server", "cause", r.err)
	k.state.Note = sentence(r.err.Error())
	if r.job == Start {
		k.died = k.died || k.state.Server.Phase == desktop.Running // it ran, and was gone before its start could be reported
		k.state.Server = desktop.State{Phase: desktop.Failed, Detail: r.err.Error()}
		k.retry.Reset(k.pause.NextBackOff())
	}
}

// sentence begins an error's text as a sentence does.
func sentence(text string) string {
	runes := []rune(text)
	if len(runes) > 0 && runes[0] >= 'a' && runes[0] <= 'z' {
		runes[0] -= 'a' - 'A'
	}
	return string(runes)
}
