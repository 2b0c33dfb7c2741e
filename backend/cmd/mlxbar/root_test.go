package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

func TestVersionGoesToStdout(t *testing.T) {
	if o := newHouse(t).mlxbar("version"); o != (outcome{stdout: "mlxbar 0.1.0-dev\n"}) {
		t.Errorf("version: %+v", o)
	}
}

func TestWhatIsUnknownIsAnError(t *testing.T) {
	h := newHouse(t)
	for _, args := range []string{"nope", "audit nope", "models nope", "serve nope", "version nope", "stop nope"} {
		h.refused(strings.Fields(args), `"nope"`)
	}
	for _, args := range []string{"--nope", "serve --nope", "audit --nope", "models list --nope"} {
		h.refused(strings.Fields(args), "--nope")
	}
	h.refused([]string{"serve", "--data-dir"}, "--data-dir")
}

// every calls f for each command that a person may type.
func every(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		every(sub, f)
	}
}

func TestEveryCommandHelps(t *testing.T) {
	h := newHouse(t)
	n := 0
	every(newRoot(), func(c *cobra.Command) {
		n++
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the summary %q is none, or ends in a full stop", c.CommandPath(), c.Short)
		}
		for usage := range strings.Lines(c.LocalFlags().FlagUsages()) {
			if _, help, _ := strings.Cut(strings.TrimSpace(usage), "   "); help == "" { // the columns lie three apart
				t.Errorf("%s has a flag without help: %q", c.CommandPath(), usage)
			}
		}
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		if o := h.mlxbar(args...); o.code != 0 || o.stderr != "" || !strings.HasPrefix(o.stdout, c.Short+"\n") || !strings.Contains(o.stdout, "--data-dir") {
			t.Errorf("mlxbar %v: %+v", args, o)
		}
	})
	if n < 10 {
		t.Errorf("only %d commands", n)
	}
	if got := h.good("audit"); !strings.Contains(got, "export") {
		t.Errorf("mlxbar audit says %q", got)
	}
	if _, err := os.Stat(h.paths.Root); !os.IsNotExist(err) {
		t.Errorf("asking for help made a data folder: %v", err)
	}
}

func TestModelsList(t *testing.T) {
	h := newHouse(t)
	if o := h.mlxbar("models", "list"); o.code != 0 || !strings.Contains(o.stdout, models.StarterName) || !strings.Contains(o.stderr, "first request") {
		t.Errorf("with a fresh data folder: %+v", o)
	}
	if _, err := os.Stat(h.paths.Root); !os.IsNotExist(err) {
		t.Errorf("listing models made a data folder: %v", err)
	}
	// The starter was brought once, and a person has deleted it.
	err := errors.Join(os.MkdirAll(h.paths.Models, 0o700), os.WriteFile(filepath.Join(h.paths.Models, "."+models.StarterName+".sha256"), nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if o := h.mlxbar("models", "list"); o.code != 0 || o.stdout != "" || !strings.Contains(o.stderr, h.paths.Models) || !strings.Contains(o.stderr, "mlxbar setup") {
		t.Errorf("with no models: %+v", o)
	}
	prepared := testkit.Prepared(t)
	if err := os.WriteFile(filepath.Join(prepared, "models", "half.gguf"), []byte("GGUF"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(prepared, "models", "a-folder")
	err = errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "config.json"), []byte(`{"model_type": "llama"}`), 0o600),
		os.WriteFile(filepath.Join(folder, "model.safetensors"), []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	o := h.mlxbar("models", "list", "--data-dir", prepared)
	lines := strings.Split(o.stdout, "\n")
	if o.code != 0 || len(lines) != 4 || strings.Join(strings.Fields(lines[0]), " ") != "NAME FORMAT ENGINE ARCHITECTURE PARAMETERS QUANTIZATION CONTEXT LICENSE SIZE MEMORY" {
		t.Fatalf("%+v", o)
	}
	if got := strings.Join(strings.Fields(lines[2]), " "); !strings.HasPrefix(got, models.StarterName+" gguf llamacpp llama 135M Q4_1 8192 apache-2.0 98 MB 1.0 GB") {
		t.Errorf("the starter model is listed as %q", lines[2])
	}
	if !strings.HasPrefix(lines[1], "a-folder ") || !strings.Contains(o.stderr, "a-folder would run on the engine mlx") {
		t.Errorf("the folder is listed as %q, with %q", lines[1], o.stderr)
	}
	if !strings.Contains(o.stderr, "half.gguf") {
		t.Errorf("the broken file is not named: %q", o.stderr)
	}
}
