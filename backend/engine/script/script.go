// Package script is what the engines share that are programs of ours in Python: the
// program's file, the environment that it is given, and the line by which it tells that it is ready.
package script

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

//go:embed child.py
var child []byte

// Program is the text of an engine's program with what all begin with before it. They are one file, because Python that is
// isolated from its surroundings imports nothing that lies beside a program.
func Program(text []byte) []byte { return slices.Concat(child, []byte("\n\n"), text) }

// Write writes a program where Python can read it, unless it is there, and gives its path.
func Write(dataDir, name string, text []byte) (string, error) {
	dir := filepath.Join(dataDir, "run")
	path := filepath.Join(dir, name)
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, text) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return path, renameio.WriteFile(path, text, 0o600)
}

// What a child is given of the environment: where things are, and what the user
// tells the drivers of a processor. A list of what to give and not of what to keep
// back, because a provider's key may stand in a variable of any name.
var (
	given       = []string{"HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"}
	givenPrefix = []string{"LC_", "XDG_", "GGML_", "MLX_", "OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "METAL_", "MTL_", "CUDA_", "NVIDIA_", "HIP_", "HSA_", "ROCR_", "VK_"}
	secrets     = []string{"KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"}
)

// Environ is what a child is given of the environment.
func Environ(environ []string) []string {
	kept := []string{}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		startsWith := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		holds := func(word string) bool { return strings.Contains(strings.ToUpper(name), word) }
		if (slices.Contains(given, name) || slices.ContainsFunc(givenPrefix, startsWith)) && !slices.ContainsFunc(secrets, holds) {
			kept = append(kept, entry)
		}
	}
	return kept
}

// Ready reads a program's one line of JSON.
func Ready(line []byte) (baseURL string, ok bool) {
	var said struct{ Event, Address string }
	if json.Unmarshal(line, &said) != nil || said.Event != "ready" || said.Address == "" {
		return "", false
	}
	return said.Address, true
}
