package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"mlxbar/backend/child"
	"mlxbar/backend/loopback"
)

const (
	keptLines = 60 // of stderr, which explain a failed start
	keptTail  = 4  // of the log, which a person is shown who asks why an engine was given up
)

// errGone says that a child ended before it was ready.
var errGone = errors.New("the process ended")

// process is one incarnation of a child.
type process struct {
	*child.Child
	spec Spec
	log  io.Writer

	announced chan string // the base URL of the ready line

	writing sync.Mutex // held for a line, so that those of two streams are kept in the order in which the log has them

	mu     sync.Mutex
	ready  bool
	lines  []string // the last of stderr before it was ready
	logged []string // the last that went to the log
	marked string   // the file that tells of it
	over   bool     // it has ended
}

// startProcess starts the child of spec. Its output goes to log, line by line.
func startProcess(spec Spec, log io.Writer) (*process, error) {
	p := &process{spec: spec, log: log, announced: make(chan string, 1)}
	cmd := exec.Command(spec.Command, spec.Args...)
	cmd.Env = spec.Env
	var err error
	p.Child, err = child.Start(cmd, child.Ears{
		Started: func(pid int) { p.note("started, pid %d", pid) },
		Stdout:  p.stdoutLine, Stderr: p.stderrLine,
		Ended: func(state *os.ProcessState) { p.note("ended: %s", state); p.unmark() },
	})
	if err != nil {
		return nil, err
	}
	// That a child has ended already is seen by whoever waits for its ready line.
	if err := p.Tell(spec.Stdin); err != nil {
		p.Kill()
		<-p.Drained()
		return nil, fmt.Errorf("write to the child: %w", err)
	}
	return p, nil
}

func (p *process) stdoutLine(line []byte) {
	if !p.announces(line) {
		p.logLine(line)
	}
}

// announces says whether line is the ready line, which a child writes to either stream.
func (p *process) announces(line []byte) bool {
	base, ok := p.spec.Ready(line)
	if !ok {
		return false
	}
	p.mu.Lock()
	first := !p.ready
	p.ready = true
	p.mu.Unlock()
	if first {
		p.announced <- base
	}
	return true
}

func (p *process) stderrLine(line []byte) {
	if p.announces(line) {
		return
	}
	p.mu.Lock()
	if !p.ready {
		if len(p.lines) == keptLines {
			p.lines = p.lines[1:]
		}
		p.lines = append(p.lines, string(line))
	}
	p.mu.Unlock()
	p.logLine(line)
}

func (p *process) logLine(line []byte) {
	p.mu.Lock()
	ready := p.ready
	p.mu.Unlock()
	if p.spec.LogLine != nil {
		line = p.spec.LogLine(line, ready)
	}
	if line == nil {
		return
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	if len(p.logged) == keptTail {
		p.logged = p.logged[1:]
	}
	p.logged = append(p.logged, string(line))
	p.mu.Unlock()
	fmt.Fprintf(p.log, "%s\n", line) // a log that cannot be written stops no engine
}

func (p *process) note(format string, args ...any) {
	fmt.Fprintf(p.log, "--- %s "+format+"\n", append([]any{time.Now().UTC().Format(time.RFC3339)}, args...)...)
}

// waitReady waits for the ready line and for an answer at the address it tells.
func (p *process) waitReady(ctx context.Context, deadline time.Duration) (baseURL string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, deadline, errTooSlow)
	defer cancel()
	select {
	case baseURL = <-p.announced:
	case <-p.Gone():
		return "", errGone
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if !onLoopback(baseURL) {
		return "", errForeignAddress
	}
	for {
		err := p.known(ctx, baseURL)
		if err == nil {
			return baseURL, nil
		}
		if errors.Is(err, errNameless) && p.spec.MayBeNameless {
			p.spec.Identity = ""
			return baseURL, nil
		}
		if errors.Is(err, errStranger) {
			return "", err
		}
		select {
		case <-p.Gone():
			return "", errGone
		case <-ctx.Done():
			return "", fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

var (
	errTooSlow        = errors.New("it was not ready in time")
	errForeignAddress = errors.New("it announced an address that is not on loopback")
)

func onLoopback(baseURL string) bool {
	u, err := url.Parse(baseURL)
	return err == nil && u.Scheme == "http" && loopback.IP(u.Hostname())
}

// stop asks the child to end by closing its stdin, then less and less gently, and
// waits until it has. When ctx ends, gentleness does.
func (p *process) stop(ctx context.Context, grace time.Duration) {
	p.CloseStdin()
	if p.GoneWithin(ctx, grace) {
		return
	}
	p.note("did not end when its stdin closed; sending SIGTERM")
	if err := p.Signal(syscall.SIGTERM); err == nil && p.GoneWithin(ctx, grace) {
		return
	}
	p.note("did not end on SIGTERM; killing it")
	p.Kill()
	<-p.Drained()
}

func (p *process) lastLines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}
