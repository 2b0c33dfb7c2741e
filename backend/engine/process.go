package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	maxLine    = 16 << 10 // of a child's output; the rest of a longer line is dropped
	keptLines  = 60       // of stderr, to explain a failed start
	drainAfter = 2 * time.Second
)

// errGone says that a child ended before it was ready.
var errGone = errors.New("the process ended")

// process is one incarnation of a child.
type process struct {
	spec  Spec
	cmd   *exec.Cmd
	stdin io.WriteCloser
	log   io.Writer

	announced chan string   // the base URL of the ready line
	gone      chan struct{} // closed when the process has ended
	drained   chan struct{} // closed when its output has been read, too

	mu      sync.Mutex
	ready   bool
	lines   []string // the last of stderr before it was ready
	exit    error    // valid once gone is closed
	stdinMu sync.Once
}

// startProcess starts the child of spec. Its output goes to log, line by line.
func startProcess(spec Spec, log io.Writer) (*process, error) {
	p := &process{
		spec: spec, log: log, cmd: exec.Command(spec.Command, spec.Args...),
		announced: make(chan string, 1), gone: make(chan struct{}), drained: make(chan struct{}),
	}
	p.cmd.Env = spec.Env
	// Its own process group: Ctrl-C in a terminal is for the server, which drains first.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	outs := [2]struct{ r, w *os.File }{}
	for i := range outs {
		if outs[i].r, outs[i].w, err = os.Pipe(); err != nil {
			if i > 0 {
				outs[0].r.Close()
			}
			return nil, errors.Join(err, p.stdin.Close())
		}
		defer outs[i].w.Close() // the child has its own
	}
	p.cmd.Stdout, p.cmd.Stderr = outs[0].w, outs[1].w
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, p.stdin.Close(), outs[0].r.Close(), outs[1].r.Close())
	}
	p.note("started, pid %d", p.pid())
	var reading sync.WaitGroup
	reading.Go(func() { p.readLines(outs[0].r, p.stdoutLine) })
	reading.Go(func() { p.readLines(outs[1].r, p.stderrLine) })
	go p.reap(&reading, outs[0].r, outs[1].r)
	// That a child has closed its end, or ended already, is seen by whoever waits for its ready line.
	if _, err := p.stdin.Write(spec.Stdin); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, os.ErrClosed) {
		p.kill()
		<-p.drained
		return nil, fmt.Errorf("write to the child: %w", err)
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// reap waits for the end. A grandchild may hold the output open, so reading it has
// a limit of its own.
func (p *process) reap(reading *sync.WaitGroup, outs ...*os.File) {
	defer close(p.drained)
	err := p.cmd.Wait()
	p.mu.Lock()
	p.exit = err
	p.mu.Unlock()
	close(p.gone)
	for _, r := range outs {
		r.SetReadDeadline(time.Now().Add(drainAfter))
	}
	reading.Wait()
	p.note("ended: %s", p.cmd.ProcessState)
}

func (p *process) readLines(r *os.File, each func([]byte)) {
	defer r.Close()
	lines := bufio.NewReaderSize(r, maxLine)
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

func (p *process) stdoutLine(line []byte) {
	if base, ok := p.spec.Ready(line); ok {
		p.mu.Lock()
		first := !p.ready
		p.ready = true
		p.mu.Unlock()
		if first {
			p.announced <- base
		}
		return
	}
	p.logLine(line)
}

func (p *process) stderrLine(line []byte) {
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
	if line != nil {
		fmt.Fprintf(p.log, "%s\n", line) // a log that cannot be written stops no engine
	}
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
	case <-p.gone:
		return "", errGone
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if !onLoopback(baseURL) {
		return "", errForeignAddress
	}
	for {
		err := p.probe(ctx, baseURL)
		if err == nil {
			return baseURL, nil
		}
		select {
		case <-p.gone:
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
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}

// prober opens a connection for each question: a child whose connections are all
// taken must not look dead, and no idle connection may outlive its child.
var prober = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// probe asks the child's health path once.
func (p *process) probe(ctx context.Context, baseURL string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, baseURL+p.spec.Health, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.spec.APIKey)
	res, err := prober.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("health: %s", res.Status)
	}
	return nil
}

// stop asks the child to end by closing its stdin, then less and less gently, and
// waits until it has. When ctx ends, gentleness does.
func (p *process) stop(ctx context.Context, grace time.Duration) {
	p.closeStdin()
	if p.goneWithin(ctx, grace) {
		return
	}
	p.note("did not end when its stdin closed; sending SIGTERM")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err == nil && p.goneWithin(ctx, grace) {
		return
	}
	p.note("did not end on SIGTERM; killing it")
	p.kill()
	<-p.drained
}

func (p *process) goneWithin(ctx context.Context, grace time.Duration) bool {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.gone:
		<-p.drained
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (p *process) closeStdin() {
	p.stdinMu.Do(func() { p.stdin.Close() }) // the child may have closed its end
}

// kill ends that one process; exec.Cmd sees to it that its pid is not another's by now.
func (p *process) kill() {
	p.closeStdin()
	p.cmd.Process.Kill() // an error says that it has ended
}

// ended gives how the process ended, once gone is closed.
func (p *process) ended() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

// killed says whether a SIGKILL ended it, as the system does when memory is short.
func (p *process) killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

func (p *process) lastLines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}
