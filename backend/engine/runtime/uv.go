package runtime

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	oldestPython = "3.10" // what locks are resolved for from, unless they say otherwise
	uvMissing    = "uv, which makes the Python environments, was not found: run make setup, or install uv (https://docs.astral.sh/uv) and see that it is on PATH, or name it in MLXBAR_UV."
	keepOfOutput = 8 << 10
)

// uv is the program that makes Python environments, and whom to tell about it.
type uv struct {
	path   string
	report func(string)
}

// findUV looks where a person said, beside this program, and on PATH.
func findUV(report func(string)) (*uv, error) {
	if named := os.Getenv("MLXBAR_UV"); named != "" {
		path, err := exec.LookPath(named)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			return nil, &Error{"MLXBAR_UV names a program that cannot be run.", err}
		}
		return &uv{path, report}, nil
	}
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), "uv")); err == nil {
			return &uv{path, report}, nil
		}
	}
	path, err := exec.LookPath("uv")
	if err != nil {
		return nil, &Error{uvMissing, err}
	}
	return &uv{path, report}, nil
}

func (u *uv) say(text string) {
	if u.report != nil {
		u.report(text)
	}
}

// venv makes an environment with a Python of the version oldest, or a later one.
func (u *uv) venv(ctx context.Context, dir, oldest string) error {
	python := os.Getenv("MLXBAR_PYTHON")
	switch {
	case python == "":
		python = ">=" + oldest
	case strings.ContainsRune(python, filepath.Separator): // else a name or a version, which uv resolves
		var err error
		if python, err = filepath.Abs(python); err != nil {
			return &Error{"MLXBAR_PYTHON names a program that cannot be found.", err}
		}
	}
	// Relocatable, because the environment is renamed once it is whole.
	err := u.run(ctx, "venv", "--no-project", "--relocatable", "--python-preference", "system", "--python", python, dir)
	var failed *Error
	if errors.As(err, &failed) && failed.Problem == pythonMissing {
		failed.Problem = fmt.Sprintf(pythonMissing, oldest)
	}
	return err
}

func (u *uv) sync(ctx context.Context, python, requirements string) error {
	return u.run(ctx, "pip", "sync", "--python", python, "--require-hashes", "--only-binary", ":all:",
		"--link-mode", linkMode(), "--compile-bytecode", requirements)
}

// unpack puts the wheels of requirements, without what they depend on, into dir.
func (u *uv) unpack(ctx context.Context, python, requirements, dir string) error {
	return u.run(ctx, "pip", "install", "--python", python, "--require-hashes", "--only-binary", ":all:",
		"--link-mode", linkMode(), "--no-deps", "--target", dir, "-r", requirements)
}

// linkMode shares blocks with uv's cache where that is safe: uv falls back to
// copies, and a link into the cache that a person may clear is never wanted.
func linkMode() string {
	if goruntime.GOOS == "darwin" {
		return "clone"
	}
	return "hardlink"
}

func (u *uv) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, u.path, args...)
	cmd.Dir = os.TempDir() // away from any project's own uv settings
	cmd.Env = uvEnviron(os.Environ())
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return &Error{uvFailed, err}
	}
	if err := cmd.Start(); err != nil {
		return &Error{uvFailed, err}
	}
	output := u.follow(pipe)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("uv %s: %w", args[0], ctx.Err())
	case err != nil:
		return &Error{explain(output), fmt.Errorf("uv %s: %w: %s", args[0], err, tail(output))}
	}
	return nil
}

// follow reads uv's words to their end and passes on the one kind that says
// something while one waits.
func (u *uv) follow(r io.Reader) []byte {
	var kept []byte
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if text := strings.TrimSpace(string(line)); strings.HasPrefix(text, "Downloading ") {
			u.say(text)
		}
		if kept = append(kept, line...); len(kept) > 2*keepOfOutput {
			kept = append([]byte(nil), kept[len(kept)-keepOfOutput:]...)
		}
		if err != nil {
			return kept
		}
	}
}

// What uv and the interpreters that it makes are given of the environment: where things are, and
// how a package index is reached. A list of what to give and not of what to keep back, because a
// provider's key may stand in a variable of any name.
var (
	given = []string{"HOME", "LANG", "LANGUAGE", "LOGNAME", "NETRC", "PATH", "SHELL", "TMPDIR", "TZ", "USER",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"}
	givenPrefix = []string{"LC_", "XDG_", "UV_"}
	proxies     = []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"} // small letters are as good
	ours        = []string{"UV_PYTHON_DOWNLOADS", "UV_PROJECT_ENVIRONMENT"}      // said below, or of another environment
)

func uvEnviron(environ []string) []string {
	kept := []string{}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		startsWith := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		wanted := slices.Contains(given, name) || slices.ContainsFunc(givenPrefix, startsWith) || slices.Contains(proxies, strings.ToUpper(name))
		if wanted && !slices.Contains(ours, name) {
			kept = append(kept, entry)
		}
	}
	return append(kept, "UV_PYTHON_DOWNLOADS=never", "UV_NO_PROGRESS=1", "NO_COLOR=1")
}

// pythonMissing is completed with the oldest version that does.
const pythonMissing = "No Python %s or later was found: install one (brew install python, or apt install python3), or name it in MLXBAR_PYTHON."

const uvFailed = "Setting up the Python environment failed; the log says why."

// explanations turn uv's words into a sentence; the first that fits counts.
var explanations = []struct {
	signs    []string
	sentence string
}{
	{[]string{"Hash mismatch"}, "A downloaded package is not the one that this version of mlxbar was made with: its hash differs, and it was not installed."},
	{[]string{"No space left on device"}, "The disk is full."},
	{[]string{"No interpreter found", "not found in search path"}, pythonMissing},
	{[]string{"no usable wheels", "no wheels with a matching", "has no wheels"}, "The engine has no build for this machine's processor, system or Python version."},
	{[]string{"Failed to fetch", "error sending request", "dns error", "network was disabled", "tcp connect error", "operation timed out"}, "The Python package index cannot be reached: check the network connection and try again."},
}

func explain(output []byte) string {
	for _, e := range explanations {
		for _, sign := range e.signs {
			if bytes.Contains(output, []byte(sign)) {
				return e.sentence
			}
		}
	}
	return uvFailed
}

// tail is the end of a program's words, for a log.
func tail(output []byte) error {
	if len(output) > keepOfOutput {
		output = output[len(output)-keepOfOutput:]
	}
	return errors.New(strings.TrimSpace(string(output)))
}
