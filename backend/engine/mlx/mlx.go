// Package mlx starts mlx_lm's own HTTP server as a child that ends when its stdin closes,
// has a key, and runs one model.
package mlx

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"os"
	goruntime "runtime"
	"strconv"

	"mlxbar/backend/engine"
	"mlxbar/backend/engine/runtime"
	"mlxbar/backend/engine/script"
	"mlxbar/backend/models"
)

// Name is what the engine is called in the status.
const Name = "mlx"

const (
	scriptName = "mlx-serve.py"
	// parallel is how many requests it answers at once unless it is told otherwise.
	parallel = 8
	// keptUnknown is how many bytes of prompts are kept where the model's files do not tell what a token takes.
	keptUnknown = 256 << 20
	// step is how many tokens of cache mlx_lm makes room for at a time.
	step = 256
)

//go:embed serve.py
var serve []byte

var program = script.Program(serve)

// Suits says whether this machine is one that MLX is made for.
func Suits() bool { return goruntime.GOOS == "darwin" && goruntime.GOARCH == "arm64" }

// Options say whether and how a model is run.
type Options struct {
	Off         bool // the engine is switched off
	ContextSize int  // tokens of a prompt and its answer at most; 0 leaves it to the model
	Parallel    int  // requests answered at once; 0 is eight
}

// Engine is engine.Engine for MLX folders.
type Engine struct {
	dataDir string
	options func(model string) (Options, error)
}

// New makes the engine of a data folder. options is asked at each load.
func New(dataDir string, options func(model string) (Options, error)) *Engine {
	return &Engine{dataDir: dataDir, options: options}
}

// Name is "mlx".
func (e *Engine) Name() string { return Name }

// Off is why a model is not loaded while the engine is switched off.
const Off = "The engine mlx is off on this machine: set engines.mlx.enabled to on to run models of the format mlx."

// Prepare makes the Python environment.
func (e *Engine) Prepare(ctx context.Context, report func(string)) error {
	if o, err := e.options(""); err == nil && o.Off {
		return &runtime.Error{Problem: Off}
	}
	_, err := runtime.Ensure(ctx, e.dataDir, runtime.MLX, report)
	return err
}

// Scope is what mlx_lm's server lacks, or would pass over in silence.
func (e *Engine) Scope() engine.Scope {
	return engine.Scope{
		Endpoints: []string{"/v1/chat/completions", "/v1/completions"},
		TextOnly:  true, Freely: true, TellsUsageWhenAsked: true,
	}
}

// Launch says how to start a child for model.
func (e *Engine) Launch(model models.Model) (engine.Spec, error) {
	env, ok := runtime.Find(e.dataDir, runtime.MLX)
	if !ok {
		return engine.Spec{}, fmt.Errorf("launch %s: the Python environment is not there", model.Name)
	}
	path, err := script.Write(e.dataDir, scriptName, program)
	if err != nil {
		return engine.Spec{}, fmt.Errorf("launch %s: %w", model.Name, err)
	}
	o, err := e.options(model.Name)
	if err != nil {
		return engine.Spec{}, err
	}
	holds := model.Facts.ContextLength
	if o.ContextSize > 0 && (holds == 0 || o.ContextSize < holds) {
		holds = o.ContextSize
	}
	slots := cmp.Or(o.Parallel, parallel)
	key, identity := rand.Text(), rand.Text()
	return engine.Spec{
		Command: env.Python,
		// -I: neither the environment nor the current folder adds to what is imported.
		Args: []string{"-I", "-u", path, "--model", model.Path, "--alias", model.Name,
			"--context", strconv.Itoa(holds), "--parallel", strconv.Itoa(slots), "--kept", strconv.FormatInt(kept(model, holds), 10)},
		Env:      script.Environ(os.Environ()),
		Stdin:    []byte(key + "\n" + identity + "\n"),
		APIKey:   key,
		Ready:    script.Ready,
		Slots:    slots,
		Health:   "/v1/models",
		Identity: identity,
		Token:    engine.OneToken,
		LogLine:  loggable,
		Explain:  explain,
	}, nil
}

// kept bounds what is kept of prompts that were read before, together with those being answered: the cache of one whole context, which is
// what the estimate of the model's memory counts.
func kept(model models.Model, holds int) int64 {
	if model.Facts.CacheBytes <= 0 || holds <= 0 {
		return keptUnknown
	}
	return model.Facts.CacheBytes * int64((holds+2*step-1)/step*step)
}
