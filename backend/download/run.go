package download

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"

	"mlxbar/backend/hub"
)

const (
	// block is read at once; it is also what a bandwidth limit lets through in one go.
	block = 64 << 10
	// mostTries without a single new byte between them, and a download has failed.
	mostTries = 12
)

// errHash says that a file was fetched whole and is another one.
var errHash = errors.New("what came is not the file that the Hub tells of: its hash differs. It was removed; try again")

// run brings a job to its end: done, failed, or halted by who changed its state.
func (m *Manager) run(ctx context.Context, j *job) {
	err := m.bring(ctx, j)
	m.mu.Lock()
	defer m.mu.Unlock()
	halted := ctx.Err() != nil
	j.cancel()
	j.cancel = nil
	close(j.ended)
	switch {
	case err == nil:
		m.set(j, Done, "")
		if err := m.discard(j); err != nil {
			m.Log.Error("what a finished download leaves behind", "id", j.state.ID, "cause", err)
		}
	case halted: // whoever did it said what is now
	default:
		m.Log.Warn("a download failed", "id", j.state.ID, "cause", err)
		m.set(j, Failed, sentence(err))
	}
	m.schedule()
}

// sentence is what a person reads of a failure; it holds no path.
func sentence(err error) string {
	var fromHub *hub.Error
	var space *SpaceError
	var exists *ExistsError
	var inPath *os.PathError
	switch {
	case errors.As(err, &fromHub):
		return fromHub.Error()
	case errors.Is(err, syscall.ENOSPC):
		return "The disk is full. Make room and try again; what is there stays."
	case errors.As(err, &space):
		return space.Error()
	case errors.As(err, &exists):
		return exists.Error()
	case errors.As(err, &inPath):
		return "The models folder cannot be written: " + inPath.Err.Error()
	}
	return err.Error()
}

func (m *Manager) bring(ctx context.Context, j *job) error {
	if err := m.room(&j.state, j.state.here(j.dir)); err != nil {
		return err
	}
	for n := range j.state.Files {
		if err := m.file(ctx, j, n); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.place(j)
}

// file has one file of the job whole and verified. A hash that differs costs one more fetch from the first byte: what
// was there of it could have been hurt by a crash.
func (m *Manager) file(ctx context.Context, j *job, n int) error {
	for again := false; ; again = true {
		if j.state.Verified[n] {
			return nil
		}
		if err := m.fetchAll(ctx, j, n); err != nil {
			return err
		}
		good, err := m.verify(ctx, j, n)
		if err != nil {
			return err
		}
		if good {
			m.mu.Lock()
			j.state.Verified[n] = true
			err := j.state.write(j.dir)
			m.mu.Unlock()
			return err
		}
		if err := os.Remove(j.state.part(j.dir, n)); err != nil {
			return err
		}
		m.count(j)
		if again {
			return errHash
		}
		m.Log.Warn("a download has the wrong hash and is fetched once more", "id", j.state.ID)
	}
}

// fetchAll fetches what is missing of a file, through cuts and refusals that pass.
func (m *Manager) fetchAll(ctx context.Context, j *job, n int) error {
	wait := &backoff.ExponentialBackOff{InitialInterval: m.RetryFirst, RandomizationFactor: 0.2, Multiplier: 2, MaxInterval: m.RetryMost}
	wait.Reset()
	for tries := 1; ; tries++ {
		before := size(j.state.part(j.dir, n))
		err := m.fetch(ctx, j, n)
		if err == nil || ctx.Err() != nil {
			return err
		}
		var fromHub *hub.Error
		if !errors.As(err, &fromHub) || !fromHub.Passing() {
			return err
		}
		if size(j.state.part(j.dir, n)) > before {
			tries = 1
			wait.Reset()
		}
		if tries >= mostTries {
			return err
		}
		pause := max(wait.NextBackOff(), fromHub.RetryAfter)
		m.mu.Lock()
		if ctx.Err() == nil {
			j.retry = time.Now().Add(pause)
			m.set(j, Waiting, sentence(err))
		}
		m.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func size(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// fetch makes one try to get the rest of a file.
func (m *Manager) fetch(ctx context.Context, j *job, n int) (err error) {
	want := j.state.Files[n]
	f, err := os.OpenFile(j.state.part(j.dir, n), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	here, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if here > want.Size { // nothing that was written here
		if here, err = 0, startOver(f); err != nil {
			return err
		}
	}
	m.enter(ctx, j, Downloading)
	if here == want.Size {
		return f.Sync()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body, start, err := m.Hub.Open(ctx, j.state.Repo, j.state.Commit, want, here)
	if err != nil {
		return err
	}
	defer body.Close()
	if start != here {
		if here, err = 0, startOver(f); err != nil {
			return err
		}
		m.count(j)
	}
	if err := m.copy(ctx, cancel, j, f, body, want.Size-here); err != nil {
		return err
	}
	return f.Sync()
}

// startOver throws away what is in f.
func startOver(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return errors.Join(f.Truncate(0), err)
}

// errStalled ends a connection on which nothing comes.
var errStalled = &hub.Error{Kind: hub.Unreachable, Host: "The Hub", Cause: errors.New("nothing came for a while")}

// copy writes the rest of a file, as fast as may be.
func (m *Manager) copy(ctx context.Context, cut context.CancelCauseFunc, j *job, f *os.File, body io.Reader, rest int64) error {
	buffer := make([]byte, block)
	watch := time.AfterFunc(m.Stall, func() { cut(errStalled) })
	defer watch.Stop()
	for rest > 0 {
		watch.Reset(m.Stall)
		got, err := body.Read(buffer[:min(rest, m.atOnce())])
		watch.Stop() // writing and waiting is ours
		if got > 0 {
			if _, err := f.Write(buffer[:got]); err != nil {
				return err
			}
			rest -= int64(got)
			m.progress(j, int64(got))
			if err := m.limiter.WaitN(ctx, got); err != nil {
				return context.Cause(ctx)
			}
		}
		switch {
		case rest == 0:
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == io.EOF:
			return &hub.Error{Kind: hub.Unreachable, Host: "The Hub", Cause: io.ErrUnexpectedEOF}
		case err != nil:
			return err
		}
	}
	return nil
}

// atOnce is how much is read in one go: under a low limit little, so that it comes steadily.
func (m *Manager) atOnce() int64 {
	if limit := m.limiter.Limit(); limit < 4*block {
		return max(int64(limit)/4, 1<<10)
	}
	return block
}

// verify holds a whole file against its hash: SHA-256, or for small ones git's.
func (m *Manager) verify(ctx context.Context, j *job, n int) (bool, error) {
	m.enter(ctx, j, Verifying)
	want := j.state.Files[n]
	f, err := os.Open(j.state.part(j.dir, n))
	if err != nil {
		return false, err
	}
	defer f.Close()
	var h hash.Hash
	wanted := want.SHA256
	if wanted != "" {
		h = sha256.New()
	} else {
		h, wanted = sha1.New(), want.BlobID
		fmt.Fprintf(h, "blob %d\x00", want.Size)
	}
	buffer := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		got, err := f.Read(buffer)
		h.Write(buffer[:got])
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, err
		}
	}
	return hex.EncodeToString(h.Sum(nil)) == wanted && wanted != "", nil
}

// place moves the whole model into the library. Of a split one the first part comes last, so that the library, which
// looks for the others from there, never sees it in part.
func (m *Manager) place(j *job) error {
	for _, name := range j.state.targets() {
		if _, err := os.Lstat(filepath.Join(m.Dir, name)); err == nil && !j.placed(m.Dir, name) {
			return &ExistsError{name}
		}
	}
	if j.state.Folder != "" {
		if j.placed(m.Dir, j.state.Folder) {
			return nil
		}
		return m.placeFolder(j)
	}
	for n := len(j.state.Files) - 1; n >= 0; n-- {
		if err := rename(j.state.part(j.dir, n), filepath.Join(m.Dir, path.Base(j.state.Files[n].Path))); err != nil {
			return fmt.Errorf("move the model into the library: %w", err)
		}
	}
	return nil
}

// placed says whether a file of the library is this job's own, which was moved there before a crash.
func (j *job) placed(dir, name string) bool {
	if j.state.Folder != "" {
		_, err := os.Stat(filepath.Join(j.dir, partsDir))
		_, there := os.Stat(filepath.Join(dir, name, "config.json"))
		return errors.Is(err, os.ErrNotExist) && there == nil && j.state.here(j.dir) == 0 && !slices.Contains(j.state.Verified, false)
	}
	for n, f := range j.state.Files {
		if _, err := os.Stat(j.state.part(j.dir, n)); path.Base(f.Path) == name && errors.Is(err, os.ErrNotExist) {
			return j.state.Verified[n] && size(filepath.Join(dir, name)) == f.Size
		}
	}
	return false
}

// placeFolder puts the files together under their names, out of sight, and renames the folder as a whole.
func (m *Manager) placeFolder(j *job) error {
	made := filepath.Join(j.dir, partsDir)
	for n, f := range j.state.Files {
		to := filepath.Join(made, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := rename(j.state.part(j.dir, n), to); err != nil {
			return fmt.Errorf("put the model's folder together: %w", err)
		}
	}
	if err := os.Rename(made, filepath.Join(m.Dir, j.state.Folder)); err != nil {
		return fmt.Errorf("move the model into the library: %w", err)
	}
	return nil
}

// rename is os.Rename that was possibly done already, before a crash.
func rename(from, to string) error {
	err := os.Rename(from, to)
	if errors.Is(err, os.ErrNotExist) {
		if _, there := os.Lstat(to); there == nil {
			return nil
		}
	}
	return err
}
