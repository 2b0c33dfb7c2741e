package main

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"mlxbar/backend/testkit/session"
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
	n.quit(app, window)

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
	n.quit(app, window)
	if _, err := os.Stat(n.host.Paths.Draft); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was saved is kept as unsaved: %v", err)
	}
}

// The same holds of what is set for one model alone.
func TestUnsavedSettingsOfAModelAreThereInTheNextWindow(t *testing.T) {
	const model = "smollm2-135m-instruct"
	n := newNative(t)
	reader := n.Reader()
	context := func() int64 { // what settings.json says of it
		raw, err := os.ReadFile(n.host.Paths.Settings)
		if err != nil {
			t.Fatal(err)
		}
		return gjson.GetBytes(raw, `models.each.#(name=="`+model+`").context_size`).Int()
	}
	isContext := func(at session.Thing) bool { return at.Name == "Context" }

	app, window := n.open()
	n.choose(reader, window, "Models")
	n.walkTo(reader, model)
	n.press("key", "Return")
	n.walk(reader, "the model's context", isContext)
	n.press("type", "--delay", "30", "640")
	n.Eventually("the word that it is not saved", func() bool { return reader.Says("not saved") })
	n.keep(window, "model unsaved.png")
	n.quit(app, window)

	_, window = n.open()
	n.Eventually("the word that something is unsaved", func() bool {
		return reader.Says("What you had changed for " + model + " is there, not saved yet.")
	})
	if now := context(); now != 0 {
		t.Errorf("without having been saved it is in force: %d", now)
	}
	n.keep(window, "model unsaved again.png")
	n.press("windowfocus", "--sync", window)
	n.walkTo(reader, "Show")
	n.press("key", "Return")
	n.walk(reader, "the model's context", isContext)
	n.keep(window, "model unsaved on its page.png")
	n.press("key", "Return")
	n.Eventually("the change to be saved", func() bool { return context() == 640 })
}
