package models

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestARemovedModelCanBeHadBack(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	part := smallModel(func(g *ggufFile) { g.uintKey("split.count", 2) })
	write(t, dir, "one.gguf", smallModel())
	write(t, dir, "maker/big/big-00001-of-00002.gguf", part)
	write(t, dir, "maker/big/big-00002-of-00002.gguf", part)
	write(t, dir, "page.gguf", []byte("<!doctype html>"))
	write(t, elsewhere, "theirs.gguf", smallModel())
	l := NewLibrary(dir, func() []string { return []string{elsewhere} })
	before := describe(t, l)
	trash, now := NewTrash(l), time.Now()

	for _, name := range []string{"ONE", "big"} {
		until, err := trash.Remove(name, false, now)
		if err != nil || !until.Equal(now.Add(UndoTime)) {
			t.Fatal(name, until, err)
		}
	}
	if _, err := trash.Remove("page", true, now); err != nil {
		t.Fatal(err)
	}
	if left := describe(t, l); len(left) != 1 || !strings.HasPrefix(left[0], "theirs ") {
		t.Errorf("the library shows %q", left)
	}
	for _, name := range []string{"one", "page"} {
		if err := trash.Restore(name, now.Add(UndoTime-1)); err != nil {
			t.Error(name, err)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "maker")); err != nil { // an empty folder that somebody cleared away
		t.Fatal(err)
	}
	if err := trash.Restore("big", now); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(before, describe(t, l)); diff != "" {
		t.Error(diff)
	}

	for name, want := range map[string]error{"none": ErrUnknown, "page": ErrUnknown, "theirs": ErrElsewhere} {
		if _, err := trash.Remove(name, false, now); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if err := trash.Restore("one", now); !errors.Is(err, ErrNothingToRestore) {
		t.Error(err)
	}
}

func TestNothingIsWrittenOverForAModelThatComesBack(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "one.gguf", smallModel())
	trash, now := NewTrash(NewLibrary(dir)), time.Now()
	if _, err := trash.Remove("one", false, now); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "one.gguf", []byte("another"))
	if err := trash.Restore("one", now); !errors.Is(err, ErrTaken) {
		t.Error(err)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "one.gguf")); err != nil || string(raw) != "another" {
		t.Errorf("%q, %v", raw, err)
	}
}

func TestTwoBrokenFilesOfOneNameAreLeftToThePerson(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/one.gguf", []byte("no model"))
	write(t, dir, "b/one.gguf", []byte("no model"))
	if _, err := NewTrash(NewLibrary(dir)).Remove("one", true, time.Now()); !errors.Is(err, ErrAmbiguous) {
		t.Error(err)
	}
}

func TestTheTrashIsEmptied(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one.gguf", "two.gguf"} {
		write(t, dir, name, smallModel())
	}
	trash := NewTrash(NewLibrary(dir))
	left := filepath.Join(dir, trashFolder)
	write(t, dir, trashFolder+"/earlier/old.gguf", []byte("of an earlier run"))
	now := time.Now()
	if _, err := trash.Remove("one", false, now.Add(-UndoTime/2)); err != nil {
		t.Fatal(err)
	}
	if _, err := trash.Remove("two", false, now); err != nil {
		t.Fatal(err)
	}
	if next, err := trash.empty(now, false); err != nil || next != UndoTime/2 {
		t.Error(next, err)
	}
	if entries, err := os.ReadDir(left); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
	if next, err := trash.empty(now.Add(UndoTime/2), false); err != nil || next != UndoTime/2 {
		t.Error(next, err)
	}
	if err := trash.Restore("one", now); !errors.Is(err, ErrNothingToRestore) {
		t.Error(err)
	}
	// The end of the server is the end of that time.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	trash.Run(ctx, slog.New(slog.DiscardHandler))
	if _, err := os.Lstat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the trash is still there: %v", err)
	}
	if err := trash.Restore("two", now); !errors.Is(err, ErrNothingToRestore) {
		t.Error(err)
	}
}
