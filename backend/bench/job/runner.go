package job

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"mlxbar/backend/child"
)

// stopGrace is what a stopped program has to sum up what it measured and to send it.
const stopGrace = 20 * time.Second

// Config is what a Runner needs.
type Config struct {
	Program string // mlx-benchmark
	DataDir string // of the server that is measured: the program finds address and token there
	// OnChange hears of every change of a job, one call at a time and in order.
	OnChange func(Job)
	Log      *slog.Logger
	// StopGrace is for tests; 0 is the usual one.
	StopGrace time.Duration
}

// Runner runs one job at a time. It is safe for concurrent use.
type Runner struct {
	cfg Config

	mu     sync.Mutex
	job    *Job
	child  *child.Child
	stop   chan struct{} // closed to stop the job that runs
	ended  chan struct{} // closed when that job has ended
	said   string        // what the program gave as the reason of its failure
	closed bool
}

// New makes a runner; Close ends it.
func New(c Config) *Runner {
	if c.StopGrace == 0 {
		c.StopGrace = stopGrace
	}
	return &Runner{cfg: c}
}

// Start starts a job.
func (r *Runner) Start(what Request) (Job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return Job{}, ErrClosed
	case r.job != nil && !r.job.over():
		return Job{}, ErrBusy
	}
	if info, err := os.Stat(r.cfg.Program); err != nil {
		return Job{}, &MissingError{r.cfg.Program, err}
	} else if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return Job{}, &MissingError{r.cfg.Program, fmt.Errorf("%s is no program", r.cfg.Program)}
	}
	cmd := exec.Command(r.cfg.Program, what.args(r.cfg.DataDir)...)
	cmd.Env = environment(os.Environ())
	c, err := child.Start(cmd, child.Ears{Started: func(int) {}, Stdout: func([]byte) {}, Stderr: r.hear, Ended: func(*os.ProcessState) {}})
	if err != nil {
		return Job{}, &StartError{r.cfg.Program, err}
	}
	// Not before it runs: Close waits for ended, which only a job that began closes.
	r.said, r.stop, r.ended = "", make(chan struct{}), make(chan struct{})
	r.child = c
	r.job = &Job{ID: "bench_" + strings.ToLower(rand.Text()[:16]), State: Running, Kind: what.Kind, StartedAt: time.Now().UTC().Truncate(time.Millisecond)}
	r.cfg.Log.Info("a benchmark began", "job", r.job.ID, "pid", c.PID())
	r.tell()
	go r.watch(c, r.stop, r.ended)
	return *r.job, nil
}

// over says whether a job has ended.
func (j *Job) over() bool { return j.State == Done || j.State == Failed }

// Current gives the job that runs or was the last; false when there was none.
func (r *Runner) Current() (Job, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.job == nil {
		return Job{}, false
	}
	return *r.job, true
}

// Stop ends the job that runs, which keeps what it measured; it does not wait for the end.
func (r *Runner) Stop() (Job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.job == nil || r.job.over() {
		return Job{}, ErrNone
	}
	if r.job.State == Running {
		r.job.State = Stopping
		close(r.stop)
		r.tell()
	}
	return *r.job, nil
}

// Close stops the job that runs and waits for its end. No other can be started.
func (r *Runner) Close() {
	r.mu.Lock()
	r.closed = true
	ended := r.ended
	r.mu.Unlock()
	r.Stop() // an error says that none runs
	if ended != nil {
		<-ended
	}
}

// watch follows the program to its end, and hurries that once it is to stop.
func (r *Runner) watch(c *child.Child, stop, ended chan struct{}) {
	defer close(ended)
	select {
	case <-c.Drained():
	case <-stop:
		// As Ctrl-C: it keeps what it measured. An error says that it has ended.
		if err := c.Signal(syscall.SIGINT); err == nil && !c.GoneWithin(context.Background(), r.cfg.StopGrace) {
			r.cfg.Log.Warn("a benchmark did not stop in time and was killed", "pid", c.PID())
			c.Kill()
		}
		<-c.Drained()
	}
	c.CloseStdin()
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.job
	stopped := j.State == Stopping
	switch {
	case j.RunID != nil:
		j.State, j.Detail = Done, r.said
	case r.said != "":
		j.State, j.Detail = Failed, r.said
	case stopped && c.Killed():
		j.State, j.Detail = Failed, "It did not stop in time and was ended; nothing of it is kept."
	case stopped: // it had not even begun to listen
		j.State, j.Detail = Failed, "It was stopped before anything was measured."
	default:
		j.State, j.Detail = Failed, fmt.Sprintf("The program mlx-benchmark ended before its time (%s); nothing of this run is kept.", c.State())
	}
	r.cfg.Log.Info("a benchmark ended", "job", j.ID, "state", string(j.State), "exit", c.State().String(), "detail", j.Detail)
	r.tell()
}

// tell is called with the lock held.
func (r *Runner) tell() { r.cfg.OnChange(*r.job) }

// line is what mlx-benchmark says with --progress json.
type line struct {
	What  *string `json:"what"`
	Done  *int    `json:"done"`
	Total *int    `json:"total"`
	Saved *int64  `json:"saved"`
	Error *string `json:"error"`
}

const maxSaid = 1000

// hear reads what the program says. What else it writes, such as a crash, is not for a log.
func (r *Runner) hear(text []byte) {
	var l line
	if json.Unmarshal(text, &l) != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.What != nil {
		r.job.What = *l.What
	}
	if l.Done != nil {
		r.job.Done = *l.Done
	}
	if l.Total != nil {
		r.job.Total = *l.Total
	}
	if l.Saved != nil {
		r.job.RunID = l.Saved
	}
	if l.Error != nil {
		r.said = sentence(*l.Error)
		return
	}
	r.tell()
}

// sentence begins with a capital and ends in a full stop, and is not without end.
func sentence(said string) string {
	if runes := []rune(said); len(runes) > maxSaid {
		said = string(runes[:maxSaid]) + "…"
	}
	if said == "" {
		return said
	}
	first, size := utf8.DecodeRuneInString(said)
	said = string(unicode.ToUpper(first)) + said[size:]
	if !strings.HasSuffix(said, ".") && !strings.HasSuffix(said, "…") {
		said += "."
	}
	return said
}

// inherited are the variables that the program is given; providers' keys are not its business.
var inherited = []string{"PATH", "HOME", "TMPDIR", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "GOMAXPROCS", "GORACE"}

// inheritedPrefixes are those of the programs' telemetry.
var inheritedPrefixes = []string{"LC_", "OTEL_", "LOGFIRE_"}

func environment(all []string) (kept []string) {
	for _, v := range all {
		name, _, _ := strings.Cut(v, "=")
		for _, n := range inherited {
			if name == n {
				kept = append(kept, v)
			}
		}
		for _, p := range inheritedPrefixes {
			if strings.HasPrefix(name, p) {
				kept = append(kept, v)
			}
		}
	}
	return kept
}
