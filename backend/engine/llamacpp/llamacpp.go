// Package llamacpp starts llama.cpp's own HTTP server, out of the xllamacpp
// wheel, as a child that ends when its stdin closes.
package llamacpp

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"mlxbar/backend/engine"
	"mlxbar/backend/engine/runtime"
	"mlxbar/backend/engine/script"
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
var serve []byte

var program = script.Program(serve)

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

// Scope says that llama.cpp gets the pictures that a request names by their addresses, whatever these are.
func (e *Engine) Scope() engine.Scope { return engine.Scope{Fetches: true} }

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
	path, err := script.Write(e.dataDir, scriptName, program)
	if err != nil {
		return engine.Spec{}, fmt.Errorf("launch %s: %w", model.Name, err)
	}
	key, identity := rand.Text(), rand.Text()
	return engine.Spec{
		Command: env.Python,
		// -I: neither the environment nor the current folder adds to what is imported.
		Args:   append([]string{"-I", "-u", path}, arguments(model, options)...),
		Env:    tuned(script.Environ(os.Environ())),
		Stdin:  []byte(key + "\n" + identity + "\n"),
		APIKey: key,
		Ready:  script.Ready,
		Slots:  slots(options),
		Health: "/v1/models", // which asks for the key, unlike /health
		// A tag of the model, which stands in that list and in no answer of a model.
		Identity: identity,
		Turning:  "/metrics", // which waits for the end of the step that is being computed
		Token:    question(model),
		LogLine:  loggable,
		Explain:  explain,
	}, nil
}

// slots is how many requests llama.cpp answers at once.
func slots(o Options) int { return max(o.Parallel, 1) }

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
	if model.Projector != "" {
		args = append(args, "--mmproj", model.Projector)
	}
	args = append(args, "--pooling", cmp.Or(pooling(model), "model"), "--batch", strconv.Itoa(batch(model, o)))
	return append(args, o.Arguments...)
}

// pooling is what llama.cpp is to make of the tokens of a text, "" to leave that to the model. It ranks texts only where it is told to.
func pooling(model models.Model) string {
	switch {
	case model.Facts.Ranks:
		return "rank"
	case model.Facts.HasPooling:
		return ""
	}
	return "mean"
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

// tuned has the C libraries below llama.cpp do what serves a machine that other programs use too, unless a person has chosen.
//
// Threads that wait for each other give up their processor soon. Where llama.cpp is made with OpenMP, as on Linux, they
// look for longer than a process's turn lasts before they sleep. Where another engine loads or answers beside them, each of the hundreds
// of such waits of a token then costs a turn, and a stream stands still for seconds. With the number that libgomp itself takes where
// threads are more than processors, a token comes as fast on a machine that is theirs alone (docs/PERFORMANCE.md).
//
// And all threads share one heap. glibc gives each of those that answer requests one of its own, up to eight for each processor, and what a prompt of
// megabytes took stays in the heap of whichever read it.
func tuned(env []string) []string {
	const spins, heaps = "GOMP_SPINCOUNT", "MALLOC_ARENA_MAX"
	chosen := func(names ...string) bool {
		return slices.ContainsFunc(env, func(entry string) bool {
			name, _, _ := strings.Cut(entry, "=")
			return slices.Contains(names, name)
		})
	}
	if !chosen(spins, "OMP_WAIT_POLICY") {
		env = append(env, spins+"=1000")
	}
	if !chosen(heaps) {
		env = append(env, heaps+"=1")
	}
	return env
}
