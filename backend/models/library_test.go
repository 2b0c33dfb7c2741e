package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// write puts a file there that nobody has written to for long, with the folders that it lies in.
func write(t *testing.T, dir, file string, data []byte) {
	t.Helper()
	path := filepath.Join(dir, file)
	long := time.Now().Add(-time.Hour)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600), os.Chtimes(path, long, long)); err != nil {
		t.Fatal(err)
	}
	for at := filepath.Dir(path); at != dir; at = filepath.Dir(at) {
		if err := os.Chtimes(at, long, long); err != nil {
			t.Fatal(err)
		}
	}
}

// describe writes what a library offers and refuses as lines that read well.
func describe(t *testing.T, l *Library) []string {
	t.Helper()
	c, err := l.Contents()
	if err != nil {
		t.Fatal(err)
	}
	return lines(c)
}

func lines(c Contents) []string {
	lines := []string{}
	for _, m := range c.Models {
		lines = append(lines, fmt.Sprintf("%s %d", m.Name, m.Size))
	}
	for _, b := range c.Broken {
		mark := "!"
		if b.Arriving {
			mark = "~"
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", mark, b.File, b.Problem))
	}
	return lines
}

func TestLibraryOffersWholeModels(t *testing.T) {
	whole := smallModel()
	size := len(whole)
	part := smallModel(func(g *ggufFile) { g.uintKey("split.count", 2) })
	projector := &ggufFile{}
	projector.stringKey("general.architecture", "clip")

	for name, c := range map[string]struct {
		files map[string][]byte
		want  []string
	}{
		"names in lower case, by name": {
			map[string][]byte{"Zeta-7B.Q4.gguf": whole, "alpha.GGUF": whole},
			[]string{fmt.Sprint("alpha ", size), fmt.Sprint("zeta-7b.q4 ", size)},
		},
		"other and hidden files do not count": {
			map[string][]byte{"notes.txt": nil, ".half.gguf": nil, "m.gguf.part": nil, "m.gguf": whole},
			[]string{fmt.Sprint("m ", size)},
		},
		"a file half copied is told apart": {
			map[string][]byte{"m.gguf": whole, "half.gguf": whole[:size-4]},
			[]string{fmt.Sprint("m ", size), fmt.Sprintf("! half.gguf: it is cut off: %d of at least %d bytes are there", size-4, size)},
		},
		"what is no model says so": {
			map[string][]byte{"page.gguf": []byte("<!doctype html>"), "empty.gguf": nil},
			[]string{"! empty.gguf: it is cut off", "! page.gguf: it is not a GGUF file"},
		},
		"two names that differ in case": {
			map[string][]byte{"A.gguf": whole, "a.gguf": whole},
			[]string{fmt.Sprint("a ", size), "! a.gguf: another file has the same name but for its case"},
		},
		"a split model is one": {
			map[string][]byte{"Big-00001-of-00002.gguf": part, "Big-00002-of-00002.gguf": part},
			[]string{fmt.Sprint("big ", 2*len(part))},
		},
		"a split model that lacks a part": {
			map[string][]byte{"big-00001-of-00002.gguf": part},
			[]string{"! big-00001-of-00002.gguf: its part 2 of 2 is missing"},
		},
		"a vision projector is no model of its own": {
			map[string][]byte{"mmproj.gguf": projector.bytes()},
			[]string{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, data := range c.files {
				write(t, dir, file, data)
			}
			if diff := cmp.Diff(c.want, describe(t, NewLibrary(dir))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What a person does in the folder counts at the next call, however soon it comes.
func TestLibraryFollowsTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "models")
	l := NewLibrary(dir)
	whole := smallModel()
	size := len(whole)
	steps := []struct {
		do   func() error
		want []string
	}{
		{func() error { return nil }, []string{}},
		{func() error { return os.Mkdir(dir, 0o700) }, []string{}},
		{func() error { return os.WriteFile(filepath.Join(dir, "m.gguf"), whole[:size-9], 0o600) }, []string{fmt.Sprintf("~ m.gguf: it is still being written, and so far it is cut off: %d of at least %d bytes are there", size-9, size)}},
		{func() error { return os.WriteFile(filepath.Join(dir, "m.gguf"), whole, 0o600) }, []string{fmt.Sprint("m ", size)}},
		{func() error { return os.Symlink("m.gguf", filepath.Join(dir, "n.gguf")) }, []string{fmt.Sprint("m ", size), fmt.Sprint("n ", size)}},
		{func() error { return os.Remove(filepath.Join(dir, "n.gguf")) }, []string{fmt.Sprint("m ", size)}},
		{func() error { return os.RemoveAll(dir) }, []string{}},
	}
	for i, step := range steps {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, describe(t, l)); diff != "" {
			t.Errorf("step %d: %s", i, diff)
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "Good.gguf", smallModel())
	write(t, dir, "bad.gguf", []byte("GGUF"))
	l := NewLibrary(dir)

	if m, err := l.Find("GOOD"); err != nil || m.Path != filepath.Join(dir, "Good.gguf") {
		t.Errorf("Find(GOOD) = %+v, %v", m, err)
	}
	if _, err := l.Find("absent"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Find(absent) = %v, want ErrUnknown", err)
	}
	_, err := l.Find("bad")
	var broken *BrokenError
	if !errors.As(err, &broken) || strings.Contains(broken.Error(), dir) {
		t.Errorf("Find(bad) = %v, want a *BrokenError without a path", err)
	}
}

// A Hugging Face cache of 50 repositories, as GET /v1/models has it looked through.
func BenchmarkListOfACache(b *testing.B) {
	dir := b.TempDir()
	for i := range 50 {
		at := filepath.Join(dir, fmt.Sprintf("models--org--m%d", i), "snapshots", "abc")
		long := time.Now().Add(-time.Hour)
		err := errors.Join(os.MkdirAll(at, 0o700), os.WriteFile(filepath.Join(at, fmt.Sprintf("m%d.gguf", i)), smallModel(), 0o600), os.Chtimes(at, long, long), os.Chtimes(filepath.Dir(at), long, long))
		if err != nil {
			b.Fatal(err)
		}
	}
	l := NewLibrary(b.TempDir(), func() []string { return []string{dir} })
	for b.Loop() {
		if list, err := l.List(); err != nil || len(list) != 50 {
			b.Fatal(len(list), err)
		}
	}
}

// A request for a model that is not loaded looks for it, as a list looks at them all.
func BenchmarkFind(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		for _, eyed := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d models, projector %v", n, eyed), func(b *testing.B) { findAmong(b, n, eyed) })
		}
	}
}

func findAmong(b *testing.B, n int, eyed bool) {
	dir, model := b.TempDir(), smallModel(func(g *ggufFile) { g.uintKey("llama.embedding_length", 64) })
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("m%d.gguf", i)), model, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	if eyed {
		if err := os.WriteFile(filepath.Join(dir, "mmproj-f16.gguf"), eyes(64), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	l := NewLibrary(dir)
	for b.Loop() {
		if _, err := l.Find("m7"); err != nil {
			b.Fatal(err)
		}
	}
}
