package main

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"
)

// What somebody changed in the settings and did not save is there when the window opens the next time, and is
// neither in force before it is saved nor kept longer.
func TestUnsavedSettingsAreThereInTheNextWindow(t *testing.T) {
	n := newNative(t)
	reader := n.Reader()
	app, window := n.open()
	n.choose(reader, window, "Chat")
	n.Eventually("a change of the slider", func() bool {
		n.press("key", "Right")
		return reader.Says("1 change")
	})
	n.keep(window, "unsaved.png")
	if err := n.Quit(window); err != nil {
		t.Fatal(err)
	}
	if err := app.Wait(); err != nil {
		t.Errorf("the closed window's program ended with %v", err)
	}

	app, window = n.open()
	n.Eventually("the word that something is unsaved", func() bool { return reader.Says("What you had changed in the settings is there, not saved yet.") })
	n.keep(window, "unsaved again.png")
	if now := n.chatTimeout(); now != 15*time.Minute {
		t.Errorf("without having been saved it is in force: %v", now)
	}
	n.press("windowfocus", "--sync", window, "key", "ctrl+comma")
	n.Eventually("the change in the settings", func() bool { return reader.Says("1 change, from before the window was closed") })
	n.keep(window, "unsaved in the settings.png")
	n.press("key", "ctrl+s")
	n.Eventually("the change to be saved", func() bool { return n.chatTimeout() > 15*time.Minute })
	n.Eventually("the word that it was", func() bool { return reader.Says("Saved") })
	if err := n.Quit(window); err != nil {
		t.Fatal(err)
	}
	if err := app.Wait(); err != nil {
		t.Errorf("the closed window's program ended with %v", err)
	}
	if _, err := os.Stat(n.host.Paths.Draft); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was saved is kept as unsaved: %v", err)
	}
}
