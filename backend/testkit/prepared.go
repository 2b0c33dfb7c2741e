package testkit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/engine/runtime"
	"mlxbar/backend/models"
)

// Prepared gives a fresh data folder that has the runtime and the starter model,
// each linked from <repo>/build/cache/data, so that a test can add models or break
// things without another one's seeing it. Without them the test fails: what needs
// the real engine is never passed over.
func Prepared(t testing.TB) string {
	t.Helper()
	prepared := filepath.Join(Root(t), "build", "cache", "data")
	if _, ok := runtime.Find(prepared, runtime.LlamaCPP); !ok {
		t.Fatal("the llamacpp runtime is not prepared: run make setup")
	}
	if _, err := os.Stat(filepath.Join(prepared, "models", models.StarterName+".gguf")); err != nil {
		t.Fatal("the starter model is not prepared: run make setup")
	}
	dir := t.TempDir()
	for _, folder := range []string{"runtimes", "models"} {
		if err := linkEntries(filepath.Join(prepared, folder), filepath.Join(dir, folder)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// AddMLX links the starter model's weights in the format of MLX into a models folder, and gives the model's name.
// The runtime of the engine mlx is in what Prepared gives.
func AddMLX(t testing.TB, models string) (name string) {
	t.Helper()
	cache := filepath.Join(Root(t), "build", "cache")
	if _, ok := runtime.Find(filepath.Join(cache, "data"), runtime.MLX); !ok {
		t.Fatal("the mlx runtime is not prepared: run make setup")
	}
	name = "smollm2-135m-instruct-mlx"
	folder := filepath.Join(cache, "mlx", name)
	if _, err := os.Stat(filepath.Join(folder, "tokenizer_config.json")); err != nil {
		t.Fatal("the starter model is not prepared for MLX: run make setup")
	}
	if err := linkEntries(folder, filepath.Join(models, name)); err != nil {
		t.Fatal(err)
	}
	return name
}

// Root is the repository's folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("the test does not run inside the repository")
		}
		dir = parent
	}
}

// linkEntries makes a folder of links to what is in another. The lock file and what
// is half made stay behind.
func linkEntries(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if name == ".lock" || strings.HasPrefix(name, ".new-") {
			continue
		}
		if err := os.Symlink(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}
