package download

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/shirou/gopsutil/v4/disk"

	"mlxbar/backend/hub"
	"mlxbar/backend/split"
	"mlxbar/backend/units"
)

// Request is what a person wants.
type Request struct {
	Repo     string
	File     string // a path, a file's name or a quantisation; "" for the only one or the usual one
	Revision string // "" for the main branch
}

// ExistsError says that the models folder has a file of the name that a download would have.
type ExistsError struct{ Name string }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("the models folder has %s already; remove it first with mlxbar models rm", e.Name)
}

// SpaceError says that the disk cannot take a download.
type SpaceError struct{ Need, Free int64 }

func (e *SpaceError) Error() string {
	return fmt.Sprintf("the disk has %s free and %s are needed with what else is being downloaded and 0.5 GB to spare", units.Bytes(e.Free), units.Bytes(e.Need))
}

// spare is what a download leaves free, for the database and the system.
const spare = 500_000_000

// orSystem asks the system for the free space where nothing else is to be asked.
func orSystem(free func(string) (uint64, error)) func(string) (uint64, error) {
	if free != nil {
		return free
	}
	return func(dir string) (uint64, error) {
		usage, err := disk.Usage(dir)
		if err != nil {
			return 0, fmt.Errorf("see how much the disk has free: %w", err)
		}
		return usage.Free, nil
	}
}

// Add begins a download, or goes on with an unfinished one of the same files.
func (m *Manager) Add(ctx context.Context, r Request) (Job, error) {
	m.adding.Lock()
	defer m.adding.Unlock()
	m.mu.Lock()
	refused, closed := m.Limits.Refused, m.closed
	m.mu.Unlock()
	if closed {
		return Job{}, ErrClosed
	}
	if refused != nil {
		return Job{}, refused
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	repo, err := m.Hub.Repo(ctx, r.Repo, r.Revision)
	if err != nil {
		return Job{}, err
	}
	offer, err := repo.Choose(r.File)
	if err != nil {
		return Job{}, err
	}
	s := &state{
		Version: stateVersion, ID: newID(), Repo: r.Repo, Commit: repo.Commit, File: offer.File, Folder: offer.Folder,
		Files: offer.Files, Verified: make([]bool, len(offer.Files)), Status: Queued, CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
	}
	s.Model = modelName(s)
	if j, err := m.unfinished(s); j != nil || err != nil {
		if err != nil {
			return Job{}, err
		}
		return m.Resume(j.state.ID)
	}
	if err := m.free(s); err != nil {
		return Job{}, err
	}
	return m.begin(s)
}

// free looks whether there is room for s, in the folder and on the disk.
func (m *Manager) free(s *state) error {
	for _, name := range s.targets() {
		if strings.HasPrefix(name, ".") {
			return &hub.NameError{Field: "file", Detail: "is hidden by its name, and the library does not show hidden files"}
		}
		if _, err := os.Lstat(filepath.Join(m.Dir, name)); err == nil {
			return &ExistsError{name}
		} else if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("look into the models folder: %w", err)
		}
	}
	return m.room(s, 0)
}

// room looks whether the disk can take what is missing of s and of all that is being downloaded.
func (m *Manager) room(s *state, here int64) error {
	need := s.total() - here + spare
	m.mu.Lock()
	for _, j := range m.jobs {
		if j.state.ID != s.ID && !j.state.Status.Resting() {
			need += j.state.total() - j.done
		}
	}
	m.mu.Unlock()
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return fmt.Errorf("make the models folder: %w", err)
	}
	free, err := m.Free(m.Dir)
	if err != nil {
		return err
	}
	if uint64(need) > free {
		return &SpaceError{need, int64(free)}
	}
	return nil
}

// unfinished finds a job of the same files, in this manager or on disk.
func (m *Manager) unfinished(s *state) (*job, error) {
	same := func(other *state) bool {
		return other.Repo == s.Repo && other.Folder == s.Folder && slices.Equal(other.Files, s.Files)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		if same(&j.state) && j.state.Status != Done {
			return j, nil
		}
		if j.state.Status != Done && slices.ContainsFunc(j.state.targets(), func(name string) bool { return slices.Contains(s.targets(), name) }) {
			return nil, fmt.Errorf("%w: a file of the same name is being downloaded", ErrState)
		}
	}
	dirs, err := m.left()
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		other, err := readState(dir)
		if err != nil || !same(other) || slices.ContainsFunc(m.jobs, func(j *job) bool { return j.dir == dir }) {
			continue
		}
		j, err := m.take(dir)
		if errors.Is(err, errElsewhere) {
			return nil, fmt.Errorf("%w: %w", ErrState, err)
		}
		if err != nil {
			return nil, err
		}
		m.jobs = append(m.jobs, j)
		return j, nil
	}
	return nil, nil
}

// begin makes the job's folder and lets it run.
func (m *Manager) begin(s *state) (Job, error) {
	j := &job{dir: filepath.Join(m.Dir, Folder, s.ID), state: *s}
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return Job{}, fmt.Errorf("make room for the download: %w", err)
	}
	j.lock = flock.New(filepath.Join(j.dir, lockFile))
	if held, err := j.lock.TryLock(); err != nil || !held {
		return Job{}, errors.Join(fmt.Errorf("lock the download: %w", err), os.RemoveAll(j.dir))
	}
	if err := j.state.write(j.dir); err != nil {
		return Job{}, errors.Join(err, m.discard(j))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return Job{}, errors.Join(ErrClosed, m.discard(j))
	}
	m.jobs = append(m.jobs, j)
	m.set(j, Queued, "")
	m.schedule()
	return j.seen(time.Now()), nil
}

// targets are the names that the job will have in the models folder.
func (s *state) targets() (names []string) {
	if s.Folder != "" {
		return []string{s.Folder}
	}
	for _, f := range s.Files {
		names = append(names, path.Base(f.Path))
	}
	return names
}

// modelName is what the library will call the model.
func modelName(s *state) string {
	name := s.targets()[0]
	if s.Folder == "" {
		part, _ := split.Parse(name)
		name = part.Base
	}
	return strings.ToLower(name)
}
