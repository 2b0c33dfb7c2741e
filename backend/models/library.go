// Package models is the library of models on disk: which there are, in the models folder and
// in others that a person adds, what they say about themselves, and whether their files are whole.
package models

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// StarterName is the model that a fresh install answers with.
const StarterName = "smollm2-135m-instruct"

// Format is how a model's weights are stored.
type Format string

// GGUF is llama.cpp's file format. MLX is a folder with a config.json and safetensors files, which
// is also how the transformers library keeps its models.
const (
	GGUF Format = "gguf"
	MLX  Format = "mlx"
)

// Engine names what runs models of the format, whether it is to be had here or not.
func (f Format) Engine() string {
	if f == MLX {
		return "mlx"
	}
	return "llamacpp"
}

// Model is one whole model on disk, or one that a Source offers.
type Model struct {
	Name   string // the file's or the folder's name without extension, in lower case; after its publisher's where that is taken
	Path   string // of the folder (MLX) or the first file (GGUF); "" while it is only offered
	Size   int64  // of all its files
	Format Format
	Facts  Facts
	Folder string // the library's folder that it lies in; "" while it is only offered
	Copies int    // how many more of the same lie in the library

	Projector     string // the file beside a GGUF that gives it eyes or ears; "" without one
	ProjectorSize int64
}

// ErrUnknown says that the library has no model of that name.
var ErrUnknown = errors.New("no such model")

// BrokenError is a file or folder that is not offered, and why. Problem holds no path.
type BrokenError struct {
	Name     string // the name that it would have as a model
	File     string // its base name
	Path     string // as a model's
	Folder   string // the library's folder that it lies in
	Problem  string // the end of a sentence that begins with the file: "it is cut off"
	Arriving bool   // it was written to a moment ago: it may become whole by itself
}

func (e *BrokenError) Error() string { return fmt.Sprintf("model file %s: %s", e.File, e.Problem) }

// Folder is one that the library looks into.
type Folder struct {
	Path string
	// Added is a folder that the settings name: read, and never written to.
	Added   bool
	Problem string // why nothing or not all of it is seen; the end of a sentence, or ""
}

// Contents is all that a library knows at one moment.
type Contents struct {
	Models  []Model        // those that are whole, by name
	Broken  []*BrokenError // by folder and path
	Folders []Folder       // in the order in which they are looked into
}

// CleanName is the form in which models are named: lower case.
func CleanName(name string) string { return strings.ToLower(name) }

// Library is the models of some folders. It looks at the disk on each call, so a
// file that a person copies in or removes counts at once; what costs time, reading
// a folder or a file's header, is done once per modification time.
type Library struct {
	dir   string
	added func() []string
	nudge chan struct{} // has Watch look now

	mu       sync.Mutex
	listings map[string]listing
	files    map[string]inspected
}

// NewLibrary looks at dir, which may not exist yet, and after it at the folders that added
// gives, if it is not nil.
func NewLibrary(dir string, added ...func() []string) *Library {
	l := &Library{dir: dir, added: func() []string { return nil }, nudge: make(chan struct{}, 1), listings: map[string]listing{}, files: map[string]inspected{}}
	if len(added) > 0 {
		l.added = added[0]
	}
	return l
}

// List gives the models that are whole, by name.
func (l *Library) List() ([]Model, error) {
	c, err := l.Contents()
	return c.Models, err
}

// Contents gives those, what is broken, and the folders.
func (l *Library) Contents() (Contents, error) {
	c, _, err := l.scan()
	return c, err
}

// Find gives the model of that name, in any case; ErrUnknown or a *BrokenError
// when there is none to load.
func (l *Library) Find(name string) (Model, error) {
	c, err := l.Contents()
	if err != nil {
		return Model{}, err
	}
	name = CleanName(name)
	for _, m := range c.Models {
		if m.Name == name {
			return m, nil
		}
	}
	for _, b := range c.Broken {
		if b.Name == name {
			return Model{}, b
		}
	}
	return Model{}, fmt.Errorf("%w: %q", ErrUnknown, name)
}

// quiet is how long a file must not have been written to before what is wrong with it is
// believed to be more than that it is not all there yet.
const quiet = 10 * time.Second

// scan looks at every folder. It also gives those that were read, which is where changes show.
func (l *Library) scan() (Contents, []string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &walk{library: l, read: map[string]bool{}, inspected: map[string]bool{}}
	shelf := newShelf()
	var folders []Folder
	for _, f := range l.folders() {
		w.begin(f)
		err := w.look(f.Path, origin{})
		if err != nil && !f.Added && !errors.Is(err, os.ErrNotExist) {
			return Contents{}, nil, fmt.Errorf("read the models folder: %w", err)
		}
		for _, c := range w.candidates {
			shelf.put(l.model(w, c))
		}
		f.Problem = w.problem(err)
		folders = append(folders, f)
	}
	w.forgetOthers()
	c := shelf.contents()
	c.Folders = folders
	return c, slices.Sorted(maps.Keys(w.read)), nil
}

// folders are the library's own and those that are added, each once.
func (l *Library) folders() []Folder {
	list := []Folder{{Path: l.dir}}
	for _, path := range l.added() {
		path = expand(path)
		if !slices.ContainsFunc(list, func(f Folder) bool { return f.Path == path }) {
			list = append(list, Folder{Path: path, Added: true})
		}
	}
	return list
}

// model looks at what a candidate is: a Model, a *BrokenError, or nothing of either.
func (l *Library) model(w *walk, c candidate) (candidate, Model, error) {
	m := Model{Name: CleanName(c.name), Folder: c.folder}
	latest, err := time.Time{}, error(nil)
	if c.file == "" {
		m.Format, m.Path = MLX, c.dir
		latest, err = w.mlx(c, &m)
	} else {
		m.Format = GGUF
		latest, err = w.gguf(c, &m)
	}
	if err == nil || errors.Is(err, os.ErrNotExist) || errors.Is(err, errHelper) {
		return c, m, err
	}
	b := &BrokenError{Name: m.Name, File: c.title(), Path: c.path(), Folder: c.folder, Problem: problemOf(err)}
	if age := time.Since(latest); errors.Is(err, errPending) || age >= 0 && age < quiet {
		b.Arriving, b.Problem = true, "it is still being written, and so far "+b.Problem
	}
	return c, m, b
}

// problemOf keeps a path, which errors of the file system carry, to itself.
func problemOf(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return "it cannot be read: " + path.Err.Error()
	}
	return err.Error()
}
