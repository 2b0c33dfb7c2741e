// Package llamacpp starts llama.cpp's own HTTP server, out of the xllamacpp
// wheel, as a child that ends when its stdin closes.
package llamacpp

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"

	"mlxbar/backend/engine"
	"mlxbar/backend/engine/runtime"
	"mlxbar/backend/models"
)

// Name is what the engine is called in the status.
const Name = "llamacpp"

const (
	scriptName = "llamacpp-serve.py"
	// A text to embed must fit into one batch. A chat model's batch costs memory in
	// proportion to its vocabulary, an embeddings model's does not.
	chatBatch     = 1024
	maxEmbedBatch = 8192
)

//go:embed serve.py
var script []byte

// Options say how a model is run; zero leaves a choice to llama.cpp.
type Options struct {
	Command     string // a llama-server in place of the one of the wheel; "" for none
	ContextSize int    // per slot
	Parallel    int
	Threads     int
	Draft       string   // the file of the model that drafts; "" for none
	Arguments   []string // as llama-server takes them; the settings have checked them
}

// Engine is engine.Engine for GGUF models.
type Engine struct {
	dataDir string
	options func(model string) (Options, error)
}

// New makes the engine of a data folder. options is asked at each launch; of its errors an *engine.LoadError is
// told as it is.
func New(dataDir string, options func(model string) (Options, error)) *Engine {
	return &Engine{dataDir: dataDir, options: options}
}

// Name is "llamacpp".
func (e *Engine) Name() string { return Name }

// Prepare makes the Python environment, which a llama-server of the user's own does without.
func (e *Engine) Prepare(ctx context.Context, report func(string)) error {
	if o, err := e.options(""); err == nil && o.Command != "" {
		return nil
	}
	_, err := runtime.Ensure(ctx, e.dataDir, runtime.LlamaCPP, report)
	return err
}

// Launch says how to start a child for model.
func (e *Engine) Launch(model models.Model) (engine.Spec, error) {
	options, err := e.options(model.Name)
	if err != nil {
		return engine.Spec{}, err
	}
	if options.Command != "" {
		return launchOwn(model, options)
	}
	env, ok := runtime.Find(e.dataDir, runtime.LlamaCPP)
	if !ok {
		return engine.Spec{}, fmt.Errorf("launch %s: the Python environment is not there", model.Name)
	}
	program, err := e.program()
	if err != nil {
		return engine.Spec{}, fmt.Errorf("launch %s: %w", model.Name, err)
	}
	key := rand.Text()
	return engine.Spec{
		Command: env.Python,
		// -I: neither the environment nor the current folder adds to what is imported.
		Args:    append([]string{"-I", "-u", program}, arguments(model, options)...),
		Env:     childEnviron(os.Environ()),
		Stdin:   []byte(key + "\n"),
		APIKey:  key,
		Ready:   parseReady,
		Slots:   slots(options),
		Health:  "/v1/models", // which asks for the key, unlike /health
		LogLine: loggable,
		Explain: explain,
	}, nil
}

// slots is how many requests llama.cpp answers at once.
func slots(o Options) int { return max(o.Parallel, 1) }

// program writes the script where Python can read it, unless it is there.
func (e *Engine) program() (string, error) {
	dir := filepath.Join(e.dataDir, "run")
	path := filepath.Join(dir, scriptName)
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, script) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return path, renameio.WriteFile(path, script, 0o600)
}

func arguments(model models.Model, o Options) []string {
	args := []string{
		"--model", model.Path, "--alias", model.Name,
		"--context-size", strconv.Itoa(o.ContextSize),
		"--parallel", strconv.Itoa(slots(o)),
		"--threads", strconv.Itoa(o.Threads),
	}
	if o.Draft != "" {
		args = append(args, "--draft", o.Draft)
	}
	pooling := "mean"
	if model.Facts.HasPooling {
		pooling = "model"
	}
	args = append(args, "--pooling", pooling, "--batch", strconv.Itoa(batch(model, o)))
	return append(args, o.Arguments...)
}

// batch is how many tokens are read at once. llama.cpp ends with a failed assertion where the means of embeddings are
// to be taken of a batch that its slots do not divide.
func batch(model models.Model, o Options) int {
	size := chatBatch
	if model.Facts.HasPooling {
		size = model.Facts.ContextLength
		if o.ContextSize > 0 {
			size = min(size, o.ContextSize)
		}
		size = max(512, min(size, maxEmbedBatch))
	}
	n := slots(o)
	return (size + n - 1) / n * n
}

// What a child is given of the environment: where things are, and what the user
// tells the drivers of a processor. A list of what to give and not of what to keep
// back, because a provider's key may stand in a variable of any name.
var (
	given       = []string{"HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"}
	givenPrefix = []string{"LC_", "XDG_", "GGML_", "OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "METAL_", "MTL_", "CUDA_", "NVIDIA_", "HIP_", "HSA_", "ROCR_", "VK_"}
	secrets     = []string{"KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"}
)

func childEnviron(environ []string) []string {
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

// parseReady reads the script's one line of JSON.
func parseReady(line []byte) (baseURL string, ok bool) {
	var said struct{ Event, Address string }
	if json.Unmarshal(line, &said) != nil || said.Event != "ready" || said.Address == "" {
		return "", false
	}
	return said.Address, true
}
