package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// command runs a command of the palette, as who does not use a mouse does.
func (n *native) command(window, words string) {
	n.t.Helper()
	n.press("windowfocus", "--sync", window, "key", "ctrl+k")
	n.press("type", "--delay", "30", words)
	n.press("key", "Return")
}

// chatTimeout is what settings.json says of it.
func (n *native) chatTimeout() time.Duration {
	n.t.Helper()
	raw, err := os.ReadFile(n.host.Paths.Settings)
	if err != nil {
		n.t.Fatal(err)
	}
	said := gjson.GetBytes(raw, "timeouts.chat").String()
	if said == "" { // not set
		return 15 * time.Minute
	}
	limit, err := time.ParseDuration(said)
	if err != nil {
		n.t.Fatalf("settings.json says of timeouts.chat: %q", said)
	}
	return limit
}

// moveChat moves the slider one minute at a time to the right and saves, until settings.json says want. A
// page that is still being drawn takes no keys, so the minutes that are missing are tried again. It returns the
// least that was saved on the way.
func (n *native) moveChat(window string, want time.Duration) (least time.Duration) {
	n.t.Helper()
	least = want
	n.press("windowfocus", "--sync", window, "key", "ctrl+comma")
	n.Eventually("settings.json to say "+want.String(), func() bool {
		missing := int((want - n.chatTimeout()).Minutes())
		if missing == 0 {
			return true
		}
		key := "Right"
		if missing < 0 {
			key, missing = "Left", -missing
		}
		n.command(window, "Chat")
		for range missing {
			n.press("key", key)
		}
		n.press("key", "ctrl+s")
		before := n.chatTimeout()
		for wait := 0; wait < 100 && n.chatTimeout() == before; wait++ {
			time.Sleep(50 * time.Millisecond)
		}
		if n.chatTimeout() == before { // perhaps it was only the saving
			n.press("key", "Escape", "key", "ctrl+s")
			time.Sleep(time.Second)
		}
		least = min(least, n.chatTimeout())
		return n.chatTimeout() == want
	})
	return least
}

// What a person sets with the keyboard in the window outlives both the window and the server, and the audit
// is saved from the same page.
func TestSettingsOfTheWindowAreKept(t *testing.T) {
	n := newNative(t)
	app, window := n.open()
	n.moveChat(window, 18*time.Minute)
	n.keep(window, "settings.png")

	n.quit(app, window)
	n.end("mlxbar-tray") // in this order, or the tray would start the server anew
	n.end("mlxbar")

	_, window = n.open()
	if kept := n.chatTimeout(); kept != 18*time.Minute {
		t.Errorf("of the 18 minutes %v were kept", kept)
	}
	if least := n.moveChat(window, 19*time.Minute); least < 18*time.Minute {
		t.Errorf("the slider did not stand at the 18 minutes that were kept: %v were saved on the way to 19", least)
	}
	file := filepath.Join(t.TempDir(), "audit.csv")
	var saved []byte
	n.Eventually("the saved file", func() bool {
		n.saveAs(file, func() { n.command(window, "Export CSV") })
		var err error
		saved, err = os.ReadFile(file)
		return err == nil
	})
	if !strings.HasPrefix(string(saved), "id,") {
		t.Errorf("%s holds %.200q", filepath.Base(file), saved)
	}
	n.keep(window, "settings kept.png")
}
