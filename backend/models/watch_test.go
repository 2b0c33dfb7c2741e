package models

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds a failing test.
const patience = 30 * time.Second

// watched follows a library and sends what Watch tells.
func watched(t *testing.T, l *Library) <-chan []string {
	t.Helper()
	told := make(chan []string, 64)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Watch(ctx, func(c Contents) { told <- names(c) }, func(err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}()
	t.Cleanup(func() { stop(); <-ended })
	return told
}

// names are those of the models, and of what is broken (!) or arrives (~).
func names(c Contents) []string {
	list := []string{}
	for _, line := range lines(c) {
		name, _, _ := strings.Cut(line, ":")
		if !strings.HasPrefix(line, "!") && !strings.HasPrefix(line, "~") {
			name, _, _ = strings.Cut(line, " ")
		}
		list = append(list, name)
	}
	return list
}

// until waits for what is told to be want, and gives all that was told on the way.
func until(t *testing.T, told <-chan []string, want ...string) (all [][]string) {
	t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case got := <-told:
			all = append(all, got)
			if slices.Equal(got, want) {
				return all
			}
		case <-deadline:
			t.Fatalf("%q was not told; %q was", want, all)
		}
	}
}

func TestAFileDroppedInIsTold(t *testing.T) {
	dir := t.TempDir()
	told := watched(t, NewLibrary(dir))
	until(t, told)
	path, whole := filepath.Join(dir, "m.gguf"), smallModel()
	must(t, os.WriteFile(path, whole[:20], 0o600))
	until(t, told, "~ m.gguf")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	for _, part := range [][]byte{whole[20:40], whole[40:]} { // a copy goes on
		_, err := f.Write(part)
		must(t, err)
	}
	must(t, f.Close())
	for _, step := range until(t, told, "m") {
		if !slices.Equal(step, []string{"m"}) && !slices.Equal(step, []string{"~ m.gguf"}) {
			t.Errorf("on the way %q was told", step)
		}
	}
	must(t, os.Rename(path, filepath.Join(dir, "n.gguf")))
	until(t, told, "n")
	must(t, os.Remove(filepath.Join(dir, "n.gguf")))
	until(t, told)
}

// A copy that was given up is broken some moments later, though nothing happens any more.
func TestACopyThatWasGivenUpIsTold(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.gguf")
	must(t, os.WriteFile(path, smallModel()[:50], 0o600))
	told := watched(t, NewLibrary(dir))
	until(t, told, "~ m.gguf")
	until(t, told, "! m.gguf")
}

// Folders that appear below are followed, and those that the settings add.
func TestFoldersThatAppearAreFollowed(t *testing.T) {
	own, added := t.TempDir(), t.TempDir()
	var folders atomic.Pointer[[]string]
	folders.Store(&[]string{})
	l := NewLibrary(own, func() []string { return *folders.Load() })
	told := watched(t, l)
	until(t, told)
	write(t, own, "publisher/name/m.gguf", smallModel())
	until(t, told, "m")
	folders.Store(&[]string{added})
	l.Look()
	until(t, told, "m")
	write(t, added, "models--org--name/snapshots/1/n.gguf", smallModel())
	until(t, told, "m", "n")
	must(t, os.RemoveAll(filepath.Join(own, "publisher")))
	until(t, told, "n")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
