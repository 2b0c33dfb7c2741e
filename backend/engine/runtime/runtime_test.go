package runtime_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mlxbar/backend/engine/runtime"
	"mlxbar/backend/testkit"
)

// useUV lets the real uv work without a network: from a folder of wheels, and with
// a cache of its own.
func useUV(t *testing.T, wheels string) {
	t.Helper()
	uv := filepath.Join(testkit.Root(t), "build", "bin", "uv")
	if _, err := os.Stat(uv); err != nil {
		t.Fatal("uv is not prepared: run make setup")
	}
	for name, value := range map[string]string{
		"MLXBAR_UV": uv, "MLXBAR_PYTHON": "", "UV_CACHE_DIR": t.TempDir(), "UV_NO_CONFIG": "1",
		"UV_NO_INDEX": "1", "UV_FIND_LINKS": wheels, "UV_INDEX": "", "UV_DEFAULT_INDEX": "", "UV_INDEX_URL": "", "UV_EXTRA_INDEX_URL": "",
	} {
		t.Setenv(name, value)
	}
}

// wheel writes a wheel of a package that is called tiny, and gives its lock.
func wheel(t *testing.T, dir, platform, code string) runtime.Lock {
	t.Helper()
	var file bytes.Buffer
	z := zip.NewWriter(&file)
	for _, f := range [][2]string{
		{"tiny/__init__.py", code},
		{"tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"},
		{"tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: " + platform + "\n"},
		{"tiny-1.0.dist-info/RECORD", "tiny/__init__.py,,\ntiny-1.0.dist-info/METADATA,,\ntiny-1.0.dist-info/WHEEL,,\ntiny-1.0.dist-info/RECORD,,\n"},
	} {
		w, err := z.Create(f[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tiny-1.0-"+platform+".whl"), file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return runtime.Lock{Name: "tiny", Module: "tiny", Text: fmt.Appendf(nil, "tiny==1.0 --hash=sha256:%x\n", sha256.Sum256(file.Bytes()))}
}

const anywhere = "py3-none-any"

// tiny prepares uv, a wheel that installs, and a data folder whose path is awkward.
func tiny(t *testing.T) (dataDir string, lock runtime.Lock) {
	t.Helper()
	wheels := t.TempDir()
	useUV(t, wheels)
	return awkward(t), wheel(t, wheels, anywhere, "answer = 42\n")
}

func awkward(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "my [data", "folder")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// reports collects what is told.
type reports struct {
	mu    sync.Mutex
	lines []string
}

func (r *reports) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

func (r *reports) count(part string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lines {
		if strings.Contains(l, part) {
			n++
		}
	}
	return n
}

// works runs the environment's Python.
func works(t *testing.T, env runtime.Env) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), env.Python, "-I", "-c", "import tiny; print(tiny.answer)").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "42" {
		t.Errorf("the environment says %q, %v", out, err)
	}
}

// leftovers gives what is half made.
func leftovers(t *testing.T, dataDir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dataDir, "runtimes"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), runtime.StagingPrefix) {
			names = append(names, e.Name())
		}
	}
	return names
}

func expectProblem(t *testing.T, err error, want string) {
	t.Helper()
	var problem *runtime.Error
	if !errors.As(err, &problem) || !strings.HasPrefix(problem.Problem, want) {
		t.Fatalf("error %v, want one that begins with %q", err, want)
	}
	if problem.Cause == nil {
		t.Error("the problem has no cause for the log")
	}
	if strings.Contains(problem.Problem, os.TempDir()) {
		t.Errorf("the sentence holds a path: %s", problem.Problem)
	}
}

func TestEnsureMakesAnEnvironmentOnce(t *testing.T) {
	dataDir, lock := tiny(t)
	if _, ok := runtime.Find(dataDir, lock); ok {
		t.Fatal("there is an environment before it was made")
	}
	var told reports
	env, err := runtime.Ensure(t.Context(), dataDir, lock, told.add)
	if err != nil {
		t.Fatal(err)
	}
	works(t, env)
	if told.count("Making the Python environment of tiny") != 1 || told.count("is ready") != 1 {
		t.Errorf("what was told is %q", told.lines)
	}
	if found, ok := runtime.Find(dataDir, lock); !ok || found != env {
		t.Errorf("Find gives %+v, %v; Ensure gave %+v", found, ok, env)
	}
	// What is whole needs neither uv nor a word.
	t.Setenv("MLXBAR_UV", filepath.Join(dataDir, "no uv"))
	told = reports{}
	if again, err := runtime.Ensure(t.Context(), dataDir, lock, told.add); err != nil || again != env || len(told.lines) != 0 {
		t.Errorf("a second Ensure gives %+v, %v and says %q", again, err, told.lines)
	}
	if left := leftovers(t, dataDir); left != nil {
		t.Errorf("left half made: %q", left)
	}
}

func TestWhatIsHalfMadeIsNotFoundAndIsReplaced(t *testing.T) {
	dataDir, lock := tiny(t)
	env, err := runtime.Ensure(t.Context(), dataDir, lock, nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }
	for name, spoil := range map[string]func() error{
		"without its mark":            func() error { return os.Remove(filepath.Join(env.Dir, runtime.Marker)) },
		"with the mark of another":    func() error { return write(filepath.Join(env.Dir, runtime.Marker), strings.Repeat("0", 64)) },
		"with an empty mark":          func() error { return write(filepath.Join(env.Dir, runtime.Marker), "") },
		"whose Python was taken away": func() error { return os.Remove(env.Python) },
		"a folder and nothing in it":  func() error { return errors.Join(os.RemoveAll(env.Dir), os.Mkdir(env.Dir, 0o700)) },
		"a file":                      func() error { return errors.Join(os.RemoveAll(env.Dir), write(env.Dir, "")) },
		"nothing":                     func() error { return os.RemoveAll(env.Dir) },
		"beside what a killed one left": func() error {
			return errors.Join(os.RemoveAll(env.Dir), os.MkdirAll(filepath.Join(dataDir, "runtimes", runtime.StagingPrefix+"tiny-1", "env"), 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			if _, ok := runtime.Find(dataDir, lock); ok {
				t.Error("it is found")
			}
			again, err := runtime.Ensure(t.Context(), dataDir, lock, nil)
			if err != nil {
				t.Fatal(err)
			}
			works(t, again)
			if left := leftovers(t, dataDir); left != nil {
				t.Errorf("left half made: %q", left)
			}
		})
	}
}

func TestWhoAsksAtOnceGetsOneEnvironment(t *testing.T) {
	dataDir, lock := tiny(t)
	var told reports
	const askers = 4
	results := make(chan error, askers)
	for range askers {
		go func() {
			_, err := runtime.Ensure(t.Context(), dataDir, lock, told.add)
			results <- err
		}()
	}
	for range askers {
		if err := testkit.Receive(t, results); err != nil {
			t.Error(err)
		}
	}
	if n := told.count("Making the Python environment"); n != 1 {
		t.Errorf("it was made %d times", n)
	}
	env, ok := runtime.Find(dataDir, lock)
	if !ok {
		t.Fatal("there is none")
	}
	works(t, env)
}

func TestWhatFailsASetUpIsToldInASentence(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, wheels string, lock *runtime.Lock)
		want   string
	}{
		"another file than the locked one": {func(_ *testing.T, _ string, l *runtime.Lock) {
			l.Text = []byte("tiny==1.0 --hash=sha256:" + strings.Repeat("0", 64) + "\n")
		}, "A downloaded package is not the one that this version of mlxbar was made with: its hash differs"},
		"a lock without a hash": {func(_ *testing.T, _ string, l *runtime.Lock) { l.Text = []byte("tiny==1.0\n") }, runtime.UVFailed},
		"no network": {func(t *testing.T, _ string, _ *runtime.Lock) {
			for name, value := range map[string]string{
				"UV_NO_INDEX": "", "UV_FIND_LINKS": "", "UV_DEFAULT_INDEX": "https://127.0.0.1:1/simple", "UV_HTTP_RETRIES": "0", "NO_PROXY": "127.0.0.1",
			} {
				t.Setenv(name, value)
			}
		}, "The Python package index cannot be reached: check the network connection and try again."},
		"no network by uv's own setting": {func(t *testing.T, _ string, _ *runtime.Lock) {
			for name, value := range map[string]string{"UV_NO_INDEX": "", "UV_FIND_LINKS": "", "UV_OFFLINE": "1"} {
				t.Setenv(name, value)
			}
		}, "The Python package index cannot be reached: check the network connection and try again."},
		"no build for this machine": {func(t *testing.T, wheels string, l *runtime.Lock) {
			if err := os.Remove(filepath.Join(wheels, "tiny-1.0-"+anywhere+".whl")); err != nil {
				t.Fatal(err)
			}
			*l = wheel(t, wheels, "cp27-cp27m-win32", "")
		}, "The engine has no build for this machine's processor, system or Python version."},
		"an engine that does not start": {func(t *testing.T, wheels string, l *runtime.Lock) {
			*l = wheel(t, wheels, anywhere, "raise ImportError('libcuda.so')\n")
		}, "The engine was installed but does not start on this machine; the log says why."},
		"no Python": {func(t *testing.T, _ string, _ *runtime.Lock) { t.Setenv("MLXBAR_PYTHON", "3.987") },
			"No Python 3.10 or later was found: install one"},
		"no uv": {func(t *testing.T, wheels string, _ *runtime.Lock) {
			t.Setenv("MLXBAR_UV", "")
			t.Setenv("PATH", wheels)
		}, "uv, which makes the Python environments, was not found: run make setup, or install uv"},
		"another uv than named": {func(t *testing.T, wheels string, _ *runtime.Lock) { t.Setenv("MLXBAR_UV", filepath.Join(wheels, "uv")) },
			"MLXBAR_UV names a program that cannot be run."},
	} {
		t.Run(name, func(t *testing.T) {
			wheels := t.TempDir()
			useUV(t, wheels)
			lock := wheel(t, wheels, anywhere, "")
			c.change(t, wheels, &lock)
			dataDir := awkward(t)
			_, err := runtime.Ensure(t.Context(), dataDir, lock, nil)
			expectProblem(t, err, c.want)
			if _, ok := runtime.Find(dataDir, lock); ok {
				t.Error("an environment is found")
			}
			if left := leftovers(t, dataDir); left != nil {
				t.Errorf("left half made: %q", left)
			}
		})
	}
}

func TestADataFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := runtime.Ensure(t.Context(), file, runtime.Lock{Name: "tiny"}, nil)
	expectProblem(t, err, "The data folder cannot be written to.")
}

// scriptUV puts a shell script in uv's place.
func scriptUV(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "uv")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nset -e\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MLXBAR_UV", path)
}

func TestASetUpCanBeBrokenOff(t *testing.T) {
	begun := filepath.Join(t.TempDir(), "begun")
	scriptUV(t, `: > "`+begun+`"; exec sleep 300`)
	dataDir := awkward(t)
	lock := runtime.Lock{Name: "tiny", Module: "tiny", Text: []byte("tiny==1.0\n")}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := runtime.Ensure(ctx, dataDir, lock, nil); first <- err }()
	for end := time.Now().Add(testkit.Patience); !there(begun); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("uv was not started")
		}
	}
	waiting := make(chan string, 10)
	go func() { _, err := runtime.Ensure(ctx, dataDir, lock, func(s string) { waiting <- s }); second <- err }()
	if said := testkit.Receive(t, waiting); !strings.HasPrefix(said, "Waiting for another mlxbar") {
		t.Errorf("who waits for the lock is told %q", said)
	}
	cancel()
	for _, c := range []chan error{first, second} {
		if err := testkit.Receive(t, c); !errors.Is(err, context.Canceled) {
			t.Errorf("broken off, it gives %v", err)
		}
	}
	if left := leftovers(t, dataDir); left != nil {
		t.Errorf("left half made: %q", left)
	}
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestUVGetsNoEnvironmentOfAnother(t *testing.T) {
	t.Setenv("VIRTUAL_ENV", "/another")
	t.Setenv("PYTHONPATH", "/another")
	t.Setenv("UV_PYTHON_DOWNLOADS", "automatic")
	got := strings.Join(runtime.UVEnviron(os.Environ()), "\n")
	if strings.Contains(got, "/another") || strings.Contains(got, "automatic") || !strings.Contains(got, "UV_PYTHON_DOWNLOADS=never") {
		t.Error("uv would work elsewhere, or download a Python")
	}
}

func TestUVGetsNoKeys(t *testing.T) {
	kept := []string{"PATH=/bin", "HOME=/home/a", "LC_ALL=C", "XDG_CACHE_HOME=/cache", "UV_INDEX_URL=https://index.example", "https_proxy=http://proxy", "HTTPS_PROXY=http://proxy", "SSL_CERT_FILE=/ca.pem"}
	dropped := []string{"OPENAI_API_KEY=sk-1", "MY_FAR_SERVER=sk-2", "LOGFIRE_TOKEN=pylf_1", "OTEL_EXPORTER_OTLP_HEADERS=Authorization=3", "DBUS_SESSION_BUS_ADDRESS=unix:path=/bus"}
	got := runtime.UVEnviron(slices.Concat(dropped[:2], kept, dropped[2:]))
	if !slices.Equal(got[:len(kept)], kept) || len(got) != len(kept)+3 {
		t.Errorf("uv gets %q", got)
	}
}
