package desktop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const (
	startTimeout = 60 * time.Second // a data folder on a slow disk may have to be migrated
	startPoll    = 20 * time.Millisecond
	maxServerLog = 4 << 20 // then it is set aside once, as server.log.1
)

// NoLoginLink is the flag of `mlxbar serve` that keeps the login link out of what it says, which
// a server that is started here has in a file.
const NoLoginLink = "no-login-link"

// A StartError is a server that would not start. Its text is the server's own sentence.
type StartError struct{ Sentence string }

func (e *StartError) Error() string { return e.Sentence }

// Start gives the running server, and starts it if there is none. Of several callers, in one
// process or in many, one starts it and all get it. The server has its own session and outlives
// its starter.
func (h *Host) Start(ctx context.Context) (Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := h.Paths.EnsureDirs(); err != nil {
		return Server{}, err
	}
	if err := h.unmarkStopped(); err != nil {
		return Server{}, err
	}
	lock := flock.New(h.Paths.Run + "/start.lock")
	if _, err := lock.TryLockContext(ctx, startPoll); err != nil {
		return Server{}, fmt.Errorf("start the server: wait for another start: %w", err)
	}
	defer lock.Unlock()

	s, err := h.Find(ctx)
	if !errors.Is(err, ErrNotRunning) {
		return s, err
	}
	return h.spawn(ctx)
}

func (h *Host) spawn(ctx context.Context) (Server, error) {
	binary, err := Program("mlxbar")
	if err != nil {
		return Server{}, err
	}
	log, offset, err := h.openServerLog()
	if err != nil {
		return Server{}, err
	}
	defer log.Close()
	cmd := exec.Command(binary, "serve", "--"+NoLoginLink, "--data-dir", h.Paths.Root)
	cmd.Stdout, cmd.Stderr = log, log
	if err := startDetached(cmd); err != nil {
		return Server{}, fmt.Errorf("start the server: %w", err)
	}
	// Reaps the server whenever it ends, so that it does not stay behind as a zombie that looks alive.
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if s, err := h.Find(ctx); err == nil {
				return s, nil
			}
		case err := <-ended:
			return h.afterExit(ctx, cmd.Process.Pid, err, offset)
		case <-ctx.Done():
			err := fmt.Errorf("the server was not ready in time; %s may say why: %w", h.Paths.ServerLog, ctx.Err())
			return Server{}, errors.Join(err, cmd.Process.Kill())
		}
	}
}

// afterExit explains a server that ended before it was ready. It may have done so because one
// started from a terminal was quicker; then that one is the answer.
func (h *Host) afterExit(ctx context.Context, pid int, exit error, offset int64) (Server, error) {
	if s, err := h.Find(ctx); err == nil {
		return s, nil
	}
	if exit == nil { // it ended in order: somebody stopped it while it was started
		return Server{}, fmt.Errorf("%w: it was stopped as soon as it ran", ErrNotRunning)
	}
	if s, err := h.recorded(); err == nil && s.PID == pid { // it ran, so that its last words are none of why it did not
		return Server{}, &StartError{Sentence: died}
	}
	sentence, err := lastLine(h.Paths.ServerLog, offset)
	if err != nil {
		return Server{}, err
	}
	if sentence == "" {
		sentence = fmt.Sprintf("The server ended at once and said nothing (%v).", exit)
	}
	return Server{}, &StartError{Sentence: sentence}
}

// openServerLog opens the log to append to and tells where this run's part begins.
func (h *Host) openServerLog() (*os.File, int64, error) {
	path := h.Paths.ServerLog
	if info, err := os.Stat(path); err == nil && info.Size() > maxServerLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, 0, fmt.Errorf("set the server's log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("open the server's log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("open the server's log: %w", err)
	}
	return f, info.Size(), nil
}

// lastLine is the last line of the file after offset that says something.
func lastLine(path string, offset int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the server's log: %w", err)
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return "", fmt.Errorf("read the server's log: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return "", fmt.Errorf("read the server's log: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	for _, prefix := range []string{"mlxbar: ", "Error: "} {
		last = strings.TrimPrefix(last, prefix)
	}
	return last, nil
}
