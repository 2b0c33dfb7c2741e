package filewatch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds a failing test.
const patience = 30 * time.Second

// contents follows path and sends what the file holds at each call.
func contents(t *testing.T, path string) (seen <-chan string, watched <-chan error) {
	t.Helper()
	changes, states := make(chan string, 64), make(chan error, 64)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		Follow(ctx, path, func() {
			raw, _ := os.ReadFile(path) // a file that is not there holds nothing
			changes <- string(raw)
		}, func(err error) { states <- err })
	}()
	t.Cleanup(func() { stop(); <-ended })
	return changes, states
}

func waitFor[T comparable](t *testing.T, from <-chan T, want T) {
	t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case got := <-from:
			if got == want {
				return
			}
		case <-deadline:
			t.Fatalf("%v did not come", want)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAChangeIsToldHoweverItIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	seen, watched := contents(t, path)
	waitFor(t, watched, nil)
	waitFor(t, seen, "") // as it stood at first
	must(t, os.WriteFile(path, []byte("written"), 0o600))
	waitFor(t, seen, "written")
	must(t, os.WriteFile(path+"~", []byte("renamed"), 0o600)) // as editors do
	must(t, os.Rename(path+"~", path))
	waitFor(t, seen, "renamed")
	must(t, os.Remove(path))
	waitFor(t, seen, "")
}

func TestAFolderThatGoesAndComesBackIsWatchedAgain(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "folder")
	path := filepath.Join(folder, "a.json")
	must(t, os.Mkdir(folder, 0o700))
	seen, watched := contents(t, path)
	waitFor(t, watched, nil)
	must(t, os.Remove(folder))
	select {
	case err := <-watched:
		if err == nil {
			t.Fatal("nothing is said of a folder that is gone")
		}
	case <-time.After(patience):
		t.Fatal("nothing is said of a folder that is gone")
	}
	must(t, os.Mkdir(folder, 0o700))
	must(t, os.WriteFile(path, []byte("back"), 0o600))
	waitFor(t, watched, nil)
	waitFor(t, seen, "back")
}
