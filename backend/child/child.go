// Package child runs programs that end no later than the process that started them: a
// child's stdin closes when that process ends, however it does, and a well-made child ends then.
package child

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	// MaxLine is the longest line of a child's output; the rest of a longer one is dropped.
	MaxLine    = 16 << 10
	drainAfter = 2 * time.Second
)

// Ears hear of a child. Stdout and Stderr get its output line by line and are called one
// at a time each; Started comes before them, Ended after them.
type Ears struct {
	Started        func(pid int)
	Stdout, Stderr func(line []byte)
	Ended          func(*os.ProcessState)
}

// Child is a process that was started here. It is safe for concurrent use.
type Child struct {
	cmd       *exec.Cmd
	stdin     io.WriteCloser
	stdinOnce sync.Once
	gone      chan struct{} // closed when the process has ended
	drained   chan struct{} // closed when its output has been read, too
	exit      error         // valid once gone is closed
}

// Start starts cmd, whose stdin, stdout and stderr must be unset. It must be waited for: by
// Drained, GoneWithin or Stop.
func Start(cmd *exec.Cmd, ears Ears) (*Child, error) {
	c := &Child{cmd: cmd, gone: make(chan struct{}), drained: make(chan struct{})}
	// Its own process group: Ctrl-C in a terminal is for the parent, which ends its children itself.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	outs := [2]struct{ r, w *os.File }{}
	for i := range outs {
		if outs[i].r, outs[i].w, err = os.Pipe(); err != nil {
			if i > 0 {
				outs[0].r.Close()
			}
			return nil, errors.Join(err, c.stdin.Close())
		}
		defer outs[i].w.Close() // the child has its own
	}
	cmd.Stdout, cmd.Stderr = outs[0].w, outs[1].w
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, c.stdin.Close(), outs[0].r.Close(), outs[1].r.Close())
	}
	ears.Started(c.PID())
	var reading sync.WaitGroup
	reading.Go(func() { readLines(outs[0].r, ears.Stdout) })
	reading.Go(func() { readLines(outs[1].r, ears.Stderr) })
	go c.reap(&reading, ears.Ended, outs[0].r, outs[1].r)
	return c, nil
}

// reap waits for the end. A grandchild may hold the output open, so reading it has
// a limit of its own.
func (c *Child) reap(reading *sync.WaitGroup, ended func(*os.ProcessState), outs ...*os.File) {
	defer close(c.drained)
	c.exit = c.cmd.Wait()
	close(c.gone)
	for _, r := range outs {
		r.SetReadDeadline(time.Now().Add(drainAfter))
	}
	reading.Wait()
	ended(c.cmd.ProcessState)
}

func readLines(r *os.File, each func([]byte)) {
	defer r.Close()
	lines := bufio.NewReaderSize(r, MaxLine)
	for cut := false; ; {
		line, more, err := lines.ReadLine()
		if err != nil {
			return
		}
		if !cut {
			each(line)
		}
		cut = more
	}
}

// PID is its process id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Gone is closed when the process has ended.
func (c *Child) Gone() <-chan struct{} { return c.gone }

// Drained is closed when the process has ended and its output has been read.
func (c *Child) Drained() <-chan struct{} { return c.drained }

// Exit is how the process ended, as exec.Cmd tells it. It waits for that.
func (c *Child) Exit() error {
	<-c.gone
	return c.exit
}

// State is how the process ended, in full. It waits for that.
func (c *Child) State() *os.ProcessState {
	<-c.gone
	return c.cmd.ProcessState
}

// Tell writes to its stdin. That the child has closed its end, or ended already, is no error.
func (c *Child) Tell(text []byte) error {
	if _, err := c.stdin.Write(text); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// CloseStdin closes its stdin, at which it should end.
func (c *Child) CloseStdin() {
	c.stdinOnce.Do(func() { c.stdin.Close() }) // the child may have closed its end
}

// Signal sends it a signal; an error says that it has ended.
func (c *Child) Signal(s os.Signal) error { return c.cmd.Process.Signal(s) }

// Kill ends that one process; exec.Cmd sees to it that its pid is not another's by now.
func (c *Child) Kill() {
	c.CloseStdin()
	c.cmd.Process.Kill() // an error says that it has ended
}

// Killed says whether a SIGKILL ended it, as the system does when memory is short.
func (c *Child) Killed() bool {
	status, ok := c.State().Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// GoneWithin waits for the end of the process, for as long as the grace and ctx allow.
func (c *Child) GoneWithin(ctx context.Context, grace time.Duration) bool {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.gone:
		<-c.drained
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
