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

// Options tune the engine; zero leaves a choice to llama.cpp.
type Options struct {
	ContextSize int // per slot
	Parallel    int
	Threads     int
}

// Engine is engine.Engine for GGUF models.
type Engine struct {
	dataDir string
	options func() Options
}

// New makes the engine of a data folder. options is asked at each launch.
func New(dataDir string, options func() Options) *Engine {
	return &Engine{dataDir: dataDir, options: options}
}

// Name is "llamacpp".
func (e *Engine) Name() string { return Name }

// Prepare makes the Python environment.
func (e *Engine) Prepare(ctx context.Context, report func(string)) error {
	_, err := runtime.Ensure(ctx, e.dataDir, runtime.LlamaCPP, report)
	return err
}

// Launch says how to start a child for model.
func (e *Engine) Launch(model models.Model) (engine.Spec, error) {
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
		Args:    append([]string{"-I", "-u", program}, arguments(model, e.options())...),
		Env:     childEnviron(os.Environ()),
		Stdin:   []byte(key + "\n"),
		APIKey:  key,
		Ready:   parseReady,
		Health:  "/v1/models", // which asks for the key, unlike /health
		LogLine: mayBeLogged,
		Explain: explain,
	}, nil
}

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
		"--parallel", strconv.Itoa(max(o.Parallel, 1)),
		"--threads", strconv.Itoa(o.Threads),
	}
	if !model.Facts.HasPooling {
		return append(args, "--pooling", "mean", "--batch", strconv.Itoa(chatBatch))
	}
	batch := model.Facts.ContextLength
	if o.ContextSize > 0 {
		batch = min(batch, o.ContextSize)
	}
	return append(args, "--pooling", "model", "--batch", strconv.Itoa(max(512, min(batch, maxEmbedBatch))))
}

// secrets are how variables are named that a child has no use for.
var secrets = []string{"KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"}

// childEnviron leaves out the keys of providers, and whatever would set
// parameters of llama.cpp behind the settings' back.
func childEnviron(environ []string) []string {
	kept := []string{}
next:
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		upper := strings.ToUpper(name)
		if strings.HasPrefix(upper, "LLAMA_ARG_") || strings.HasPrefix(upper, "PYTHON") {
			continue
		}
		for _, s := range secrets {
			if strings.Contains(upper, s) {
				continue next
			}
		}
		kept = append(kept, entry)
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
