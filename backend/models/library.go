// Package models is the library of models on disk: which there are, and whether
// their files are whole.
package models

import (
	"errors"
	"fmt"
)

// StarterName is the model that a fresh install answers with.
const StarterName = "smollm2-135m-instruct"

// Format is how a model's weights are stored.
type Format string

// GGUF is llama.cpp's file format.
const GGUF Format = "gguf"

// Model is one whole model on disk.
type Model struct {
	Name   string // the file's name without extension, in lower case
	Path   string // of the first file, when there are several
	Size   int64  // of all its files
	Format Format
	Facts  Facts
}

// Facts is what a model's file says about itself.
type Facts struct {
	Architecture  string
	ContextLength int
	HasPooling    bool // it names the way in which its embeddings are pooled
}

// ErrUnknown says that the library has no model of that name.
var ErrUnknown = errors.New("no such model")

// BrokenError is a file that is not offered, and why. Problem holds no path.
type BrokenError struct {
	Name    string // the name that it would have as a model
	File    string // its base name
	Problem string // one sentence
}

func (e *BrokenError) Error() string { return fmt.Sprintf("model file %s: %s", e.File, e.Problem) }

// Library is the models of one folder.
type Library struct{ dir string }

// NewLibrary looks at dir, which may not exist yet.
func NewLibrary(dir string) *Library { return &Library{dir: dir} }

// List gives the models that can be loaded, by name.
func (l *Library) List() ([]Model, error) { return nil, nil }

// Broken gives the files that look like models and cannot be loaded.
func (l *Library) Broken() ([]*BrokenError, error) { return nil, nil }

// Find gives the model of that name, in any case; ErrUnknown or a *BrokenError
// when there is none to load.
func (l *Library) Find(name string) (Model, error) { return Model{}, ErrUnknown }
