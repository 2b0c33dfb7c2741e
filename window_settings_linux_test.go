package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
func (n *native) chatTimeout() string {
	n.t.Helper()
	raw, err := os.ReadFile(n.host.Paths.Settings)
	if err != nil {
		n.t.Fatal(err)
	}
	return gjson.GetBytes(raw, "timeouts.chat").String()
}

// moveChat moves the slider one minute at a time to the right and saves, until settings.json says want. A
// page that is still being drawn takes no keys, so what it has not taken is pressed again.
func (n *native) moveChat(window string, minutes int, want string) {
	n.t.Helper()
	n.press("windowfocus", "--sync", window, "key", "ctrl+comma")
	n.command(window, "Chat")
	for range minutes {
		n.press("key", "Right")
	}
	n.press("key", "ctrl+s")
	n.Eventually("settings.json to say "+want, func() bool { return n.chatTimeout() == want })
}

// What a person sets with the keyboard in the window outlives both the window and the server, and the audit
// is saved from the same page.
func TestSettingsOfTheWindowAreKept(t *testing.T) {
	n := newNative(t)
	app, window := n.open()
	n.moveChat(window, 3, "18m")
	n.keep(window, "settings.png")

	if err := n.Quit(window); err != nil {
		t.Fatal(err)
	}
	if err := app.Wait(); err != nil {
		t.Errorf("the closed window's program ended with %v", err)
	}
	for _, program := range []string{"mlxbar-tray", "mlxbar"} { // in this order, or the tray would start the server anew
		for _, p := range n.Programs(program) {
			if err := p.Terminate(); err != nil {
				t.Fatal(err)
			}
		}
		n.Eventually("the end of "+program, func() bool { return len(n.Programs(program)) == 0 })
	}

	_, window = n.open()
	n.moveChat(window, 1, "19m") // from the 18 that were kept
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
