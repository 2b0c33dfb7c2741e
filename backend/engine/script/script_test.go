package script_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlxbar/backend/engine/script"
)

func TestTheChildsEnvironmentHoldsNoSecret(t *testing.T) {
	kept := []string{
		"PATH=/usr/bin", "HOME=/home/me", "LC_ALL=C", "TMPDIR=/tmp", "CUDA_VISIBLE_DEVICES=0", "MLX_METAL_GPU_ARCH=x", "OMP_NUM_THREADS=2",
		"LD_LIBRARY_PATH=/opt/lib", "MALLOC_ARENA_MAX=2", "GGML_METAL_PATH_RESOURCES=/x", "XDG_CACHE_HOME=/c=d",
	}
	dropped := []string{
		"OPENAI_API_KEY=sk-1", "MY_PROVIDER=sk-2", "HF_TOKEN=hf-3", "GITHUB_PAT=4", "DATABASE_URL=postgres://me:5@db", "XDG_SECRET=6",
		"CUDA_KEY=7", "LLAMA_ARG_MODEL=/other", "LLAMA_API_KEY=8", "PYTHONPATH=/evil", "PYTHONSTARTUP=/evil", "LD_PRELOAD=/evil.so",
		"HTTPS_PROXY=http://me:9@proxy", "AWS_SECRET_ACCESS_KEY=10", "path=/lower", "", "=C:=", "NOTHING",
	}
	got := script.Environ(slices.Concat(dropped[:9], kept, dropped[9:]))
	if diff := cmp.Diff(kept, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheReadyLine(t *testing.T) {
	for line, want := range map[string]string{
		`{"event": "ready", "address": "http://127.0.0.1:40123"}`: "http://127.0.0.1:40123",
		`{"event":"ready","address":"http://[::1]:1","more":2}`:   "http://[::1]:1",
		`{"event": "ready"}`:                                    "",
		`{"event": "ready", "address`:                           "",
		`{"event": "loading", "address": "http://127.0.0.1:1"}`: "",
		`{"event": 1, "address": "http://127.0.0.1:1"}`:         "",
		`ready http://127.0.0.1:1`:                              "",
		`["ready"]`:                                             "",
		``:                                                      "",
		`null`:                                                  "",
	} {
		if got, ok := script.Ready([]byte(line)); got != want || ok != (want != "") {
			t.Errorf("Ready(%s) gives %q, %v", line, got, ok)
		}
	}
}

func TestAProgramIsWrittenAnewOnlyWhenItDiffers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data folder")
	path, err := script.Write(dir, "engine.py", []byte("print(1)"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil || before.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", before, err)
	}
	if again, err := script.Write(dir, "engine.py", []byte("print(1)")); err != nil || again != path {
		t.Errorf("again it is %s, %v", again, err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the same program was written again: %v", err)
	}
	if _, err := script.Write(dir, "engine.py", []byte("print(2)")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "print(2)" {
		t.Errorf("after an upgrade it is %q, %v", text, err)
	}
}
