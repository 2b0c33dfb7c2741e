package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

var (
	// errHelper marks a file that only serves beside a model, such as a vision projector.
	errHelper = errors.New("it is no language model")
	// errPending marks a file that some program says it is still bringing.
	errPending = errors.New("a program is still bringing it")
	// errHoles is a file of its whole length with parts that nobody wrote.
	errHoles = errors.New("parts of it are not there")
)

// inspected is what was read of a file, as long as size and time stay.
type inspected struct {
	size     int64
	modified time.Time
	found    any
	err      error
}

// inspect reads what read finds in a file, unless it is the file of last time.
func (w *walk) inspect(path string, read func(*os.File, os.FileInfo) (any, error)) (inspected, error) {
	info, err := os.Stat(path)
	if err != nil {
		return inspected{}, err
	}
	w.inspected[path] = true
	known, ok := w.library.files[path]
	if ok && known.size == info.Size() && known.modified.Equal(info.ModTime()) {
		return known, known.err
	}
	known = inspected{size: info.Size(), modified: info.ModTime()}
	known.found, known.err = open(path, info, read)
	// A file still being written is read again, whatever its times say.
	if time.Since(info.ModTime()) >= time.Second || known.err == nil {
		w.library.files[path] = known
	}
	return known, known.err
}

func open(path string, info os.FileInfo, read func(*os.File, os.FileInfo) (any, error)) (any, error) {
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f, info)
}

func readGGUF(f *os.File, info os.FileInfo) (any, error) {
	h, err := readHeader(f)
	if err == nil && info.Size() < h.minSize {
		err = cutAt(info.Size(), h.minSize)
	}
	return h, err
}

func cutAt(size, least int64) error {
	return fmt.Errorf("%w: %d of at least %d bytes are there", errCut, size, least)
}

// gguf looks at a file and, when the model is split, at those that follow it. It gives when one
// of them was written to last.
func (w *walk) gguf(c candidate, m *Model) (latest time.Time, err error) {
	m.Path = filepath.Join(c.dir, c.file)
	first, err := w.inspect(m.Path, readGGUF)
	if err != nil {
		return first.modified, err
	}
	h := first.found.(header)
	if h.Architecture == "clip" {
		return first.modified, errHelper
	}
	m.Size, m.Facts, latest = first.size, h.Facts, first.modified
	switch {
	case c.part.Number > 1:
		return latest, fmt.Errorf("its part 1 of %d is missing", c.part.Total)
	case h.splitCount > 1 && c.part.Total != h.splitCount:
		return latest, errors.New("it is one part of a split model and was renamed")
	}
	if err := w.arrived(c, c.file, first); err != nil {
		return latest, err
	}
	for n := 2; n <= c.part.Total; n++ {
		file := c.part.File(n)
		next, err := w.inspect(filepath.Join(c.dir, file), readGGUF)
		if later := next.modified; later.After(latest) {
			latest = later
		}
		if errors.Is(err, os.ErrNotExist) {
			return latest, fmt.Errorf("its part %d of %d is missing", n, c.part.Total)
		}
		if err == nil {
			err = w.arrived(c, file, next)
		}
		if err != nil {
			return latest, fmt.Errorf("its part %d of %d cannot be used: %w", n, c.part.Total, err)
		}
		m.Size += next.size
		m.Facts.Parameters = sum(m.Facts.Parameters, next.found.(header).Parameters)
	}
	m.Projector, m.ProjectorSize = w.projector(c, h.width)
	return latest, nil
}

// controlFile ends the name of what aria2 keeps beside a file of its whole length that it has not
// brought all of. Other programs that do so give the file itself another name until it is whole.
const controlFile = ".aria2"

// arrived says whether a file that is long enough has been written, too: some programs take the whole
// length first and fill it in any order.
func (w *walk) arrived(c candidate, file string, is inspected) error {
	if slices.Contains(c.names, file+controlFile) {
		return errPending
	}
	if age := time.Since(is.modified); age < 0 || age >= quiet {
		return nil // a hole that stays is a hole that was meant: zeros
	}
	f, err := os.Open(filepath.Join(c.dir, file))
	if err != nil {
		return err
	}
	defer f.Close()
	if hole, err := f.Seek(0, seekHole); err == nil && hole < is.size {
		return errHoles
	}
	return nil // also where the file system does not tell
}

func isSafetensors(name string) bool { return strings.EqualFold(filepath.Ext(name), ".safetensors") }
