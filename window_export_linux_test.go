package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mlxbar/backend/audit"
	"mlxbar/backend/audit/export"
	"mlxbar/backend/testkit/records"
	"mlxbar/backend/testkit/session"
)

// fill has the audit hold n records before the window opens.
func (n *native) fill(count int) {
	n.t.Helper()
	if err := records.Fill(n.t.Context(), n.host.Paths.Database, records.Options{Count: count, Newest: time.Now().UTC()}); err != nil {
		n.t.Fatal(err)
	}
}

func TestAFullDiskIsSaidInTheWindowAndNothingIsLost(t *testing.T) {
	n := newNative(t)
	const recorded = 20_000
	n.fill(recorded)
	reader, disk := n.Reader(), n.Disk()
	app, window := n.open()
	words := map[error]string{unix.ENOSPC: "is full, and no file was written", unix.EFBIG: "takes no file as large as this one"}[disk.Fill(app.Process.Pid)]

	file := filepath.Join(disk.Dir, "audit.csv")
	n.Eventually("the page to say that the disk is full", func() bool {
		n.saveAs(file, func() { n.choose(reader, window, "Export CSV", saving) })
		return reader.Says(words)
	})
	if left := disk.Files(); len(left) != 0 {
		t.Errorf("of the export %q is left", left)
	}
	n.keep(window, "disk full.png")

	disk.Clear(app.Process.Pid)
	n.Eventually("the same export, with room", func() bool {
		n.saveAs(file, func() { n.choose(reader, window, "Export CSV", saving) })
		return len(disk.Files()) > 0
	})
	n.Eventually("the page to say that it is saved", func() bool { return reader.Says("Saved as " + file) })
	saved, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	now, err := export.Count(t.Context(), n.host.Paths.Database, audit.Filter{})
	if lines := int64(bytes.Count(saved, []byte("\n"))); err != nil || lines < recorded+1 || lines > now+1 {
		t.Errorf("the file has %d lines, want a head and %d to %d records (%v)", lines, recorded, now, err)
	}
	if left := disk.Files(); len(left) != 1 {
		t.Errorf("beside the export there is %q", left)
	}
	n.keep(window, "disk full no more.png")
}

// An export that takes its time shows how far it is, and can be cancelled from the keyboard.
func TestALongExportIsCancelledFromTheKeyboard(t *testing.T) {
	n := newNative(t)
	n.fill(500_000)
	reader := n.Reader()
	app, window := n.open()
	n.choose(reader, window, "Audit Logs")
	button := "Export JSONL"
	n.walkTo(reader, button)

	folder := t.TempDir()
	file := filepath.Join(folder, "audit"+export.JSONL.Extension())
	n.Eventually("the page to say that the export was cancelled", func() bool {
		n.saveAs(file, func() { n.press("key", "space") })
		defer n.Hamper(app.Process.Pid)()
		started := func() bool { // by one look, for the export goes on meanwhile
			things := reader.Read()
			return slices.ContainsFunc(things, func(t session.Thing) bool { return t.Role == "progress bar" && t.Name == "Export" && t.Value > 0 }) &&
				slices.ContainsFunc(things, func(t session.Thing) bool { return t.Button("Cancel") })
		}
		for !started() {
			if err := os.Remove(file); err == nil || n.window(saving) != "" { // it was over before it was seen, or has not begun
				return false
			}
		}
		n.keep(window, "exporting.png")
		n.press("key", "shift+Tab") // back from the button: the other format's, then Cancel
		for range 2 {
			n.press("key", "shift+Tab")
			if reader.Focus().Button("Cancel") {
				n.press("key", "space")
				break
			}
		}
		for range 100 {
			if reader.Says("Export cancelled; no file was written.") {
				return true
			}
			if err := os.Remove(file); err == nil {
				n.walkTo(reader, button)
				return false
			}
		}
		return false
	})
	n.keep(window, "cancelled.png")
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 0 {
		t.Errorf("of the export there is %v, %v", entries, err)
	}
	n.Eventually("the keyboard to be where it began", func() bool { return reader.Focus().Button(button) })
}

// choose runs a command of the palette once that is there: what is typed sooner would go elsewhere. It does nothing when
// the dialog comes that an earlier try has asked for, and that lets no palette open.
func (n *native) choose(reader *session.Reader, window, words string, dialog ...string) {
	n.t.Helper()
	came := false
	n.Eventually("the palette", func() bool {
		if came = len(dialog) > 0 && n.window(dialog[0]) != ""; came {
			return true
		}
		if _, open := reader.Find(func(t session.Thing) bool { return t.Role == "dialog" && t.Name == "Command palette" }); !open {
			n.press("windowfocus", "--sync", window, "key", "ctrl+k")
			return false
		}
		return reader.Focus().Role == "list item" // of the one that its field has chosen, once the keyboard is there
	})
	if came {
		return
	}
	n.press("type", "--delay", "30", words)
	n.press("key", "Return")
}

// walkTo goes to a button with the keyboard alone.
func (n *native) walkTo(reader *session.Reader, button string) {
	n.t.Helper()
	n.walk(reader, button, func(at session.Thing) bool { return at.Button(button) })
}

// walk goes to what is meant with the keyboard alone.
func (n *native) walk(reader *session.Reader, what string, is func(session.Thing) bool) {
	n.t.Helper()
	var been []string
	n.Eventually("the keyboard to come to "+what, func() bool {
		at := reader.Focus()
		if is(at) {
			return true
		}
		been = append(been, at.Role+" "+at.Name)
		if len(been) > 200 {
			n.t.Fatalf("the keyboard goes by: %s", strings.Join(been, ", "))
		}
		n.press("key", "Tab")
		return false
	})
}
