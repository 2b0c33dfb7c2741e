// Package llamacpp starts llama.cpp's own HTTP server, out of the xllamacpp
// wheel, as a child that ends when its stdin closes.
package llamacpp

import (
	"context"

	"mlxbar/backend/engine"
	"mlxbar/backend/models"
)

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
func (e *Engine) Name() string { return "llamacpp" }

// Prepare makes the Python environment.
func (e *Engine) Prepare(ctx context.Context, report func(string)) error { return nil }

// Launch says how to start a child for model.
func (e *Engine) Launch(model models.Model) (engine.Spec, error) { return engine.Spec{}, nil }
