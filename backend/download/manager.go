// Package download brings models from the Hugging Face Hub into the models folder: several at once, each of which goes
// on where it stood after a cut, a crash or a restart. What is not whole lies in a hidden folder, models/.downloads/ID, as
// .part files beside state.json, which says what they are to become; a model's files are verified by their hashes and
// then renamed into the library.
package download

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"mlxbar/backend/hub"
)

// Folder is where downloads lie in the models folder while they are not whole.
const Folder = ".downloads"

var (
	// ErrNotFound says that there is no download of that id.
	ErrNotFound = errors.New("no such download")
	// ErrState says that a download cannot do what is asked in its present state.
	ErrState = errors.New("not in this state")
	// ErrClosed says that the manager has ended.
	ErrClosed = errors.New("downloads have ended")
)

// Hub is where models come from.
type Hub interface {
	Repo(ctx context.Context, name, revision string) (*hub.Repo, error)
	Open(ctx context.Context, repo, commit string, f hub.File, offset int64) (io.ReadCloser, int64, error)
}

// Limits are what a person has set.
type Limits struct {
	Parallel       int   // downloads at once
	BytesPerSecond int64 // of all together; 0: as fast as they come
	Refused        error // why nothing may be fetched; nil when it may
}

// Config is what a manager needs.
type Config struct {
	Dir    string // the models folder
	Hub    Hub
	Limits Limits
	// Adopt takes up what earlier runs left: all that is unfinished and that nobody else is at.
	Adopt    bool
	OnChange func(Job) // is told of each change of state at once, and of progress once a second; must not block
	Log      *slog.Logger
	// Free is how many bytes the disk of a folder has to give; nil asks the system.
	Free func(dir string) (uint64, error)
	// For tests; zero takes the usual.
	RetryFirst, RetryMost, Stall time.Duration
}

// Manager runs downloads. It is safe for concurrent use. Close it when done.
type Manager struct {
	Config
	limiter *rate.Limiter
	ctx     context.Context
	stop    context.CancelFunc
	work    sync.WaitGroup

	adding sync.Mutex // one Add at a time: they look at what the others are about to bring
	mu     sync.Mutex
	jobs   []*job // in the order of their making
	closed bool
}

// job is a download with what it does at the moment. All but what never changes is guarded by the manager's mu.
type job struct {
	dir    string
	state  state
	done   int64 // bytes
	speed  speed
	retry  time.Time
	told   time.Time
	lock   *flock.Flock
	cancel context.CancelFunc // nil when it does not run
	ended  chan struct{}      // closed when it runs no more
}

// Open makes a manager of the models folder.
func Open(c Config) (*Manager, error) {
	c.Free = orSystem(c.Free)
	c.RetryFirst, c.RetryMost, c.Stall = cmp.Or(c.RetryFirst, time.Second), cmp.Or(c.RetryMost, time.Minute), cmp.Or(c.Stall, time.Minute)
	if c.OnChange == nil {
		c.OnChange = func(Job) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	m := &Manager{Config: c, limiter: rate.NewLimiter(rate.Inf, block)}
	m.ctx, m.stop = context.WithCancel(context.Background())
	if c.Adopt {
		if err := m.adopt(); err != nil {
			return nil, err
		}
	}
	m.SetLimits(c.Limits)
	return m, nil
}

// adopt takes up what is there.
func (m *Manager) adopt() error {
	dirs, err := m.left()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		j, err := m.take(dir)
		if err != nil {
			m.Log.Warn("an unfinished download was not taken up", "id", filepath.Base(dir), "cause", err)
			continue
		}
		m.jobs = append(m.jobs, j)
	}
	slices.SortStableFunc(m.jobs, func(a, b *job) int { return a.state.CreatedAt.Compare(b.state.CreatedAt) })
	return nil
}

// left gives the folders of downloads that are on disk.
func (m *Manager) left() (dirs []string, err error) {
	entries, err := os.ReadDir(filepath.Join(m.Dir, Folder))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for unfinished downloads: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, filepath.Join(m.Dir, Folder, e.Name()))
		}
	}
	return dirs, nil
}

var errElsewhere = errors.New("another program of mlxbar is at it")

// take makes a job of what lies in dir and holds its lock.
func (m *Manager) take(dir string) (*job, error) {
	lock := flock.New(filepath.Join(dir, lockFile))
	if held, err := lock.TryLock(); err != nil {
		return nil, err
	} else if !held {
		return nil, errElsewhere
	}
	s, err := readState(dir)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if !s.Status.Resting() {
		s.Status = Queued
	}
	return &job{dir: dir, state: *s, done: s.here(dir), lock: lock}, nil
}

// Close ends what runs; it goes on with the next manager of the folder.
func (m *Manager) Close() error {
	m.stop() // what is being added, too
	m.adding.Lock()
	defer m.adding.Unlock()
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.work.Wait()
	var errs []error
	for _, j := range m.jobs {
		if j.lock != nil {
			errs = append(errs, j.lock.Close())
		}
	}
	return errors.Join(errs...)
}

// List gives the downloads, the oldest first: those that are unfinished, and those of this run that are done.
func (m *Manager) List() []Job {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := []Job{}
	for _, j := range m.jobs {
		list = append(list, j.seen(time.Now()))
	}
	return list
}

// SetLimits puts changed settings in force, for what runs too.
func (m *Manager) SetLimits(l Limits) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Limits = l
	m.setRate()
	if l.Refused != nil {
		for _, j := range m.jobs {
			if !j.state.Status.Resting() {
				m.hold(j, l.Refused.Error())
			}
		}
	}
	m.schedule()
}

func (m *Manager) setRate() {
	limit := rate.Inf
	if n := m.Limits.BytesPerSecond; n > 0 {
		limit = rate.Limit(n)
	}
	m.limiter.SetLimit(limit)
}

// Pause stops a download; what is there of it stays.
func (m *Manager) Pause(id string) (Job, error) {
	return m.change(id, func(j *job) error {
		if j.state.Status == Done || j.state.Status == Failed {
			return fmt.Errorf("%w: it is %s", ErrState, j.state.Status)
		}
		if j.state.Status != Paused {
			m.hold(j, "")
		}
		return nil
	})
}

// Resume has a download go on that was paused or failed, or that waits.
func (m *Manager) Resume(id string) (Job, error) {
	return m.change(id, func(j *job) error {
		switch {
		case m.Limits.Refused != nil:
			return m.Limits.Refused
		case j.state.Status == Done:
			return fmt.Errorf("%w: it is done", ErrState)
		case j.state.Status == Waiting:
			m.halt(j)
		}
		if j.state.Status == Waiting || j.state.Status.Resting() {
			m.set(j, Queued, "")
		}
		m.schedule()
		return nil
	})
}

func (m *Manager) change(id string, do func(*job) error) (Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j, err := m.find(id)
	if err != nil {
		return Job{}, err
	}
	if err := do(j); err != nil {
		return Job{}, err
	}
	return j.seen(time.Now()), nil
}

func (m *Manager) find(id string) (*job, error) {
	if m.closed {
		return nil, ErrClosed
	}
	i := slices.IndexFunc(m.jobs, func(j *job) bool { return j.state.ID == id })
	if i < 0 {
		return nil, ErrNotFound
	}
	return m.jobs[i], nil
}

// Cancel ends a download and removes what there is of it. One that is done only leaves the list.
func (m *Manager) Cancel(id string) error {
	m.mu.Lock()
	j, err := m.find(id)
	if err != nil {
		m.mu.Unlock()
		return err
	}
	done := j.state.Status == Done
	m.jobs = slices.DeleteFunc(m.jobs, func(other *job) bool { return other == j })
	m.halt(j)
	ended := j.ended
	m.mu.Unlock()
	if ended != nil {
		<-ended // it writes no more
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	done = done || j.state.Status == Done // it was faster
	err = m.discard(j)
	if !done {
		j.state.Status, j.state.Problem = Cancelled, ""
	}
	m.OnChange(j.seen(time.Now()))
	m.schedule()
	return err
}

// discard removes a job's folder.
func (m *Manager) discard(j *job) error {
	if j.lock == nil {
		return nil
	}
	err := errors.Join(os.RemoveAll(j.dir), j.lock.Close())
	j.lock = nil
	if err != nil {
		return fmt.Errorf("remove what was downloaded: %w", err)
	}
	return nil
}

// hold pauses j, with the lock held.
func (m *Manager) hold(j *job, why string) {
	m.halt(j)
	m.set(j, Paused, why)
}

// halt ends what j does at the moment, with the lock held. Its goroutine sees that and changes no state.
func (m *Manager) halt(j *job) {
	if j.cancel != nil {
		j.cancel()
	}
}

// set changes the state of j, with the lock held, keeps it and tells of it.
func (m *Manager) set(j *job, s Status, problem string) {
	j.state.Status, j.state.Problem = s, problem
	if s != Waiting {
		j.retry = time.Time{}
	}
	if s != Downloading {
		j.speed = speed{}
	}
	if j.lock != nil && s != Done {
		if err := j.state.write(j.dir); err != nil {
			m.Log.Error("the state of a download could not be kept", "id", j.state.ID, "cause", err)
		}
	}
	j.told = time.Now()
	m.OnChange(j.seen(j.told))
}

// schedule starts what may run, with the lock held.
func (m *Manager) schedule() {
	running := 0
	for _, j := range m.jobs {
		if j.cancel != nil {
			running++
		}
	}
	for _, j := range m.jobs {
		if m.closed || m.Limits.Refused != nil || running >= max(m.Limits.Parallel, 1) {
			return
		}
		if j.state.Status != Queued || j.cancel != nil {
			continue
		}
		running++
		ctx, cancel := context.WithCancel(m.ctx)
		j.cancel, j.ended = cancel, make(chan struct{})
		m.work.Go(func() { m.run(ctx, j) })
	}
}

func newID() string { return strings.ReplaceAll(uuid.NewString(), "-", "")[:12] }
