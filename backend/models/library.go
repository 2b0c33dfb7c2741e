// Package models is the library of models on disk: which there are, and whether
// their files are whole.
package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// StarterName is the model that a fresh install answers with.
const StarterName = "smollm2-135m-instruct"

// Format is how a model's weights are stored.
type Format string

// GGUF is llama.cpp's file format.
const GGUF Format = "gguf"

// Model is one whole model on disk, or one that a Source offers.
type Model struct {
	Name   string // the file's name without extension, in lower case
	Path   string // of the first file, when there are several; "" while it is only offered
	Size   int64  // of all its files
	Format Format
	Facts  Facts
}

// ErrUnknown says that the library has no model of that name.
var ErrUnknown = errors.New("no such model")

// BrokenError is a file that is not offered, and why. Problem holds no path.
type BrokenError struct {
	Name    string // the name that it would have as a model
	File    string // its base name
	Problem string // the end of a sentence that begins with the file: "it is cut off"
}

func (e *BrokenError) Error() string { return fmt.Sprintf("model file %s: %s", e.File, e.Problem) }

// CleanName is the form in which models are named: lower case.
func CleanName(name string) string { return strings.ToLower(name) }

// Library is the models of one folder. It looks at the disk on each call, so a
// file that a person copies in or removes counts at once; what costs time, reading
// a file's header, is done once per size and modification time.
type Library struct {
	dir string

	mu      sync.Mutex
	listed  time.Time // the folder's modification time when entries were read; zero: not to be trusted
	names   []string  // of the *.gguf files
	headers map[string]inspected
}

type inspected struct {
	size     int64
	modified time.Time
	header   header
	err      error
}

// NewLibrary looks at dir, which may not exist yet.
func NewLibrary(dir string) *Library {
	return &Library{dir: dir, headers: map[string]inspected{}}
}

// List gives the models that can be loaded, by name.
func (l *Library) List() ([]Model, error) {
	found, _, err := l.scan()
	return found, err
}

// Broken gives the files that look like models and cannot be loaded.
func (l *Library) Broken() ([]*BrokenError, error) {
	_, broken, err := l.scan()
	return broken, err
}

// Find gives the model of that name, in any case; ErrUnknown or a *BrokenError
// when there is none to load.
func (l *Library) Find(name string) (Model, error) {
	found, broken, err := l.scan()
	if err != nil {
		return Model{}, err
	}
	name = CleanName(name)
	for _, m := range found {
		if m.Name == name {
			return m, nil
		}
	}
	for _, b := range broken {
		if b.Name == name {
			return Model{}, b
		}
	}
	return Model{}, fmt.Errorf("%w: %q", ErrUnknown, name)
}

func (l *Library) scan() ([]Model, []*BrokenError, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.list(); err != nil {
		return nil, nil, fmt.Errorf("read the models folder: %w", err)
	}
	var found []Model
	var broken []*BrokenError
	taken := map[string]bool{}
	for _, file := range l.names {
		part, ok := parsePart(file)
		if ok && part.number > 1 {
			continue // counted with the first
		}
		m, err := l.model(file, part)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, errHelper) {
			continue
		}
		if err == nil && taken[m.Name] {
			err = errors.New("another file has the same name but for its case")
		}
		if err != nil {
			broken = append(broken, &BrokenError{Name: part.name, File: file, Problem: problemOf(err)})
			continue
		}
		taken[m.Name] = true
		found = append(found, m)
	}
	slices.SortFunc(found, func(a, b Model) int { return strings.Compare(a.Name, b.Name) })
	return found, broken, nil
}

// list reads the folder's entries, unless its modification time tells that they
// are those of last time.
func (l *Library) list() error {
	info, err := os.Stat(l.dir)
	if errors.Is(err, os.ErrNotExist) {
		l.names, l.listed = nil, time.Time{}
		clear(l.headers)
		return nil
	}
	if err != nil {
		return err
	}
	modified := info.ModTime()
	if !l.listed.IsZero() && modified.Equal(l.listed) {
		return nil
	}
	now := time.Now()
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	l.names = l.names[:0]
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && strings.EqualFold(filepath.Ext(e.Name()), ".gguf") {
			l.names = append(l.names, e.Name())
		}
	}
	for file := range l.headers {
		if !slices.Contains(l.names, file) {
			delete(l.headers, file)
		}
	}
	// A change in the same tick of the file system's clock would not show.
	if l.listed = modified; now.Sub(modified) < time.Second {
		l.listed = time.Time{}
	}
	return nil
}

// errHelper marks a file that only serves beside a model, such as a vision projector.
var errHelper = errors.New("it is no language model")

// model looks at a file and, when the model is split, at those that follow it.
func (l *Library) model(file string, part part) (Model, error) {
	first, err := l.inspect(file)
	if err != nil {
		return Model{}, err
	}
	if first.header.Architecture == "clip" {
		return Model{}, errHelper
	}
	m := Model{Name: part.name, Path: filepath.Join(l.dir, file), Size: first.size, Format: GGUF, Facts: first.header.Facts}
	if first.header.splitCount > 1 && part.total != first.header.splitCount {
		return Model{}, errors.New("it is one part of a split model and was renamed")
	}
	for n := 2; n <= part.total; n++ {
		next, err := l.inspect(part.file(n))
		if errors.Is(err, os.ErrNotExist) {
			return Model{}, fmt.Errorf("its part %d of %d is missing", n, part.total)
		}
		if err != nil {
			return Model{}, fmt.Errorf("its part %d of %d cannot be used: %w", n, part.total, err)
		}
		m.Size += next.size
	}
	return m, nil
}

// inspect reads a file's header, unless it is the file of last time.
func (l *Library) inspect(file string) (inspected, error) {
	path := filepath.Join(l.dir, file)
	info, err := os.Stat(path)
	if err != nil {
		return inspected{}, err
	}
	known, ok := l.headers[file]
	if ok && known.size == info.Size() && known.modified.Equal(info.ModTime()) {
		return known, known.err
	}
	known = inspected{size: info.Size(), modified: info.ModTime()}
	known.header, known.err = readFile(path, info)
	// A file still being written is read again, whatever its times say.
	if time.Since(info.ModTime()) >= time.Second || known.err == nil {
		l.headers[file] = known
	}
	return known, known.err
}

func readFile(path string, info os.FileInfo) (header, error) {
	if !info.Mode().IsRegular() {
		return header{}, errors.New("it is not a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	h, err := readHeader(f)
	if err != nil {
		return header{}, err
	}
	if info.Size() < h.minSize {
		return header{}, fmt.Errorf("it is cut off: %d of at least %d bytes are there", info.Size(), h.minSize)
	}
	return h, nil
}

// problemOf keeps a path, which errors of the file system carry, to itself.
func problemOf(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return "it cannot be read: " + path.Err.Error()
	}
	return err.Error()
}
