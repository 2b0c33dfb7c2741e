package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

const (
	startTimeout = 3 * time.Minute  // a large Python program on a busy machine
	stopTimeout  = 45 * time.Second // a drain takes up to 30 s
)

// child is a process that this command started and ends.
type child struct {
	name   string
	url    string        // what its ready line tells
	ready  time.Duration // from its start to that line
	cmd    *exec.Cmd
	stdin  io.Closer
	exited chan struct{}
	err    error // of Wait, once exited is closed
	stderr *said
	once   sync.Once
}

// startChild starts program and waits for the line in which it says " ready on URL"
// or "ready on URL". ctx bounds the start; stop ends the child.
func startChild(ctx context.Context, name string, env []string, program string, args ...string) (*child, error) {
	c := &child{name: name, cmd: exec.Command(program, args...), exited: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), env...)
	var err error
	if c.stderr, err = newSaid(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c.cmd.Stderr = c.stderr.file
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c.stdin = stdin
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	start := time.Now()
	if err := c.cmd.Start(); err != nil {
		c.stderr.end()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	told := make(chan string, 1)
	go c.watch(stdout, told)

	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case c.url = <-told:
		c.ready = time.Since(start)
		return c, nil
	case <-c.exited:
		select { // both may have come
		case c.url = <-told:
			c.ready = time.Since(start)
			return c, nil
		default:
		}
		return nil, fmt.Errorf("%s ended before it was ready: %w\n%s", name, errors.Join(c.err, io.ErrUnexpectedEOF), c.stderr)
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), c.stop())
	case <-timeout.C:
		return nil, errors.Join(fmt.Errorf("%s was not ready within %s\n%s", name, startTimeout, c.stderr), c.stop())
	}
}

func (c *child) watch(stdout io.Reader, told chan<- string) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "ready on "); ok {
			select {
			case told <- url:
			default:
			}
		}
	}
	io.Copy(io.Discard, stdout) // a line too long for the scanner must not block the child
	c.err = c.cmd.Wait()
	c.stderr.end()
	close(c.exited)
}

// stop ends the child by its own way out, and by force if that takes too long.
func (c *child) stop() error {
	var err error
	c.once.Do(func() {
		select {
		case <-c.exited:
			err = fmt.Errorf("%s ended by itself: %w\n%s", c.name, errors.Join(c.err, io.ErrUnexpectedEOF), c.stderr)
			return
		default:
		}
		c.stdin.Close()
		c.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-c.exited:
			if c.err != nil {
				err = fmt.Errorf("%s: %w\n%s", c.name, c.err, c.stderr)
			}
		case <-time.After(stopTimeout):
			c.cmd.Process.Kill()
			<-c.exited
			err = fmt.Errorf("%s did not end within %s and was killed\n%s", c.name, stopTimeout, c.stderr)
		}
	})
	return err
}

// memory gives the resident memory now and, where the system knows it, at its highest.
func (c *child) memory() (now, peak uint64, err error) {
	p, err := process.NewProcess(int32(c.cmd.Process.Pid))
	if err != nil {
		return 0, 0, fmt.Errorf("memory of %s: %w", c.name, err)
	}
	m, err := p.MemoryInfo()
	if err != nil {
		return 0, 0, fmt.Errorf("memory of %s: %w", c.name, err)
	}
	return m.RSS, max(m.HWM, m.RSS), nil
}

// saying adds what the child has said to an error of asking it; there may be no child.
func (c *child) saying(err error) error {
	if c == nil {
		return err
	}
	return fmt.Errorf("%w\n%s", err, c.stderr)
}

// said is what a child writes to its stderr: into a file that has no name. Read as it comes it would wake this process
// for every line, just when it measures how soon the next answer is there.
type said struct {
	mu   sync.Mutex
	file *os.File // nil after the end
	text string
}

func newSaid() (*said, error) {
	f, err := os.CreateTemp("", "gateway-bench-")
	if err != nil {
		return nil, err
	}
	return &said{file: f}, os.Remove(f.Name())
}

// String is the end of it, as far as it has come.
func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read()
}

func (s *said) read() string {
	if s.file == nil {
		return s.text
	}
	info, err := s.file.Stat()
	if err != nil {
		return err.Error()
	}
	b := make([]byte, min(info.Size(), tailBytes))
	n, err := s.file.ReadAt(b, info.Size()-int64(len(b)))
	if err != nil && err != io.EOF {
		return err.Error()
	}
	return string(bytes.TrimSpace(b[:n]))
}

// end keeps the end of it and closes the file.
func (s *said) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		s.text = s.read()
		s.file.Close()
		s.file = nil
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailBytes = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - tailBytes; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}
