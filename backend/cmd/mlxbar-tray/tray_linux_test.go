package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mlxbar/backend/desktop"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/session"
)

// A desk is a desktop with the real tray in its bar, over a data folder of its own.
type desk struct {
	*session.Session
	t    *testing.T
	host *desktop.Host
	bar  *session.Bar
	bin  string
	env  []string // more of it, for the programs that start
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data folder")
	s := session.New(t)
	d := &desk{Session: s, t: t, host: desktop.NewHost(dir), bar: s.Bar(), bin: filepath.Join(testkit.Root(t), "build", "bin")}
	t.Cleanup(d.host.Close)
	for _, program := range []string{"mlxbar", "mlxbar-app", "mlxbar-tray"} {
		if _, err := os.Stat(filepath.Join(d.bin, program)); err != nil {
			t.Fatalf("%v: run make setup", err)
		}
	}
	if err := d.host.Paths.EnsureDirs(); err != nil {
		t.Fatal(err)
	}
	// Never the port that the person's own server may hold.
	if err := os.WriteFile(filepath.Join(dir, "settings.json"), []byte(`{"server":{"addr":"127.0.0.1:0"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) start(program string, args ...string) *exec.Cmd {
	d.t.Helper()
	cmd := d.Command(filepath.Join(d.bin, program), append(args, "--data-dir", d.host.Paths.Root)...)
	cmd.Env = append(cmd.Env, d.env...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	return cmd
}

// wait waits for a menu that begins so, and gives the whole of it.
func (d *desk) wait(icon *session.Icon, begin string) (menu string) {
	d.t.Helper()
	d.Eventually("a menu that begins "+begin, func() bool { menu = icon.Menu(); return strings.HasPrefix(menu, begin) })
	return menu
}

func (d *desk) server() desktop.Server {
	d.t.Helper()
	s, err := d.host.Find(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

const rest = " | Open mlxbar | Copy Address | — | Quit"

func TestTrayStartsStopsAndQuits(t *testing.T) {
	d := newDesk(t)
	tray := d.start("mlxbar-tray")
	icon := d.bar.Icon()
	if icon.Status != "Active" {
		t.Errorf("the icon is %q", icon.Status)
	}
	if info, err := os.Stat(icon.Picture); err != nil || info.Size() == 0 {
		t.Errorf("the icon's picture: %v", err)
	}
	menu := d.wait(icon, "(Running · ")
	first := d.server()
	if want := "(Running · " + first.Addr + ") | — | Stop" + rest; menu != want {
		t.Errorf("the menu is %s, want %s", menu, want)
	}

	icon.Click("Stop")
	menu = d.wait(icon, "(Stopped)")
	if want := "(Stopped) | — | Start | Open mlxbar | (Copy Address) | — | Quit"; menu != want {
		t.Errorf("the menu is %s, want %s", menu, want)
	}
	if left := d.Programs("mlxbar"); len(left) != 0 {
		t.Errorf("%d servers after Stop", len(left))
	}

	icon.Click("Start")
	d.wait(icon, "(Running · ")
	if again := d.server(); again.PID == first.PID {
		t.Error("Start found the server that Stop ended")
	}

	icon.Click("Quit")
	if err := tray.Wait(); err != nil {
		t.Errorf("the tray ended with %v", err)
	}
	if left := d.Programs(""); len(left) != 0 {
		name, _ := left[0].Exe()
		t.Errorf("%d programs after Quit, %s among them", len(left), name)
	}
	if d.host.StoppedOnPurpose() {
		t.Error("Quit counts as a stop on purpose: the next tray would not start the server")
	}
}

func TestTrayRestartsAServerThatWasKilled(t *testing.T) {
	d := newDesk(t)
	d.start("mlxbar-tray")
	icon := d.bar.Icon()
	d.wait(icon, "(Running · ")
	for range 2 {
		killed := d.server()
		if err := syscall.Kill(killed.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		d.Eventually("another server", func() bool {
			s, err := d.host.Find(t.Context())
			return err == nil && s.PID != killed.PID
		})
		d.Eventually("a word about the restart", func() bool {
			return strings.Contains(icon.Menu(), d.server().Addr+") | (Restarted at ")
		})
	}
}

func TestTrayLeavesAStoppedServerAlone(t *testing.T) {
	d := newDesk(t)
	d.start("mlxbar-tray")
	icon := d.bar.Icon()
	d.wait(icon, "(Running · ")
	if err := d.host.Stop(t.Context()); err != nil { // by the window or the command line
		t.Fatal(err)
	}
	d.wait(icon, "(Stopped) | — | Start")

	// The next tray leaves it alone too, and starts it when it is told to.
	icon.Click("Quit")
	d.Eventually("the tray's end", func() bool { return len(d.Programs("mlxbar-tray")) == 0 })
	d.start("mlxbar-tray")
	icon = d.bar.Icon()
	d.wait(icon, "(Stopped) | — | Start")
	if _, err := d.host.Find(t.Context()); !errors.Is(err, desktop.ErrNotRunning) {
		t.Errorf("a server runs: %v", err)
	}
	icon.Click("Start")
	d.wait(icon, "(Running · ")
}

func TestTrayFindsAServerThatRuns(t *testing.T) {
	d := newDesk(t)
	server := d.start("mlxbar", "serve")
	d.Eventually("the server", func() bool { _, err := d.host.Find(t.Context()); return err == nil })
	tray := d.start("mlxbar-tray")
	icon := d.bar.Icon()
	d.wait(icon, "(Running · "+d.server().Addr)
	if found := d.server(); found.PID != server.Process.Pid {
		t.Errorf("the tray shows process %d, want %d", found.PID, server.Process.Pid)
	}

	// A second tray on the same folder sees that it is one too many.
	if err := d.start("mlxbar-tray").Wait(); err != nil {
		t.Errorf("the second tray ended with %v", err)
	}
	// A tray that is ended, or killed, takes nobody with it.
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := tray.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		tray.Wait() // its code tells which of them it was
		if found := d.server(); found.PID != server.Process.Pid {
			t.Errorf("after %v of the tray process %d serves", signal, found.PID)
		}
		tray = d.start("mlxbar-tray")
		icon = d.bar.Icon()
		d.wait(icon, "(Running · ")
	}
	// The server ends in order, from its terminal: the tray does not fight it.
	if err := server.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	d.wait(icon, "(Stopped) | — | Start")
}

func TestTrayOpensTheWindowAndQuitClosesIt(t *testing.T) {
	d := newDesk(t)
	tray := d.start("mlxbar-tray")
	icon := d.bar.Icon()
	d.wait(icon, "(Running · ")
	window := func() bool {
		_, err := d.Run("xdotool", "search", "--onlyvisible", "--name", "^mlxbar$")
		return err == nil
	}
	icon.Click("Open mlxbar")
	d.Eventually("the window", window)
	icon.Click("Open mlxbar") // raises it
	d.Eventually("one window's program", func() bool { return window() && len(d.Programs("mlxbar-app")) == 1 })

	icon.Click("Quit")
	if err := tray.Wait(); err != nil {
		t.Errorf("the tray ended with %v", err)
	}
	d.Eventually("all programs to end", func() bool { return len(d.Programs("")) == 0 })
}

// Those that are opened a moment before Quit come up while it works: each as the one that raises the first, or in
// its place.
func TestQuitEndsWindowsThatAreJustBeingOpened(t *testing.T) {
	d := newDesk(t)
	tray := d.start("mlxbar-tray")
	icon := d.bar.Icon()
	d.wait(icon, "(Running · ")
	icon.Click("Open mlxbar")
	d.Eventually("the window's program", func() bool { return len(d.Programs("mlxbar-app")) == 1 })
	for range 3 {
		icon.Click("Open mlxbar")
	}
	icon.Click("Quit")
	if err := tray.Wait(); err != nil {
		t.Errorf("the tray ended with %v", err)
	}
	d.Eventually("all programs to end", func() bool { return len(d.Programs("")) == 0 })
}

func TestTrayCopiesTheAddress(t *testing.T) {
	d := newDesk(t)
	// A clipboard's program as this test can read it: none is on every desktop.
	fake := filepath.Join(t.TempDir(), "bin")
	copied := filepath.Join(t.TempDir(), "copied")
	if err := os.MkdirAll(fake, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(fake, "xclip"), []byte("#!/bin/sh\ncat >'"+copied+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", fake+string(os.PathListSeparator)+os.Getenv("PATH"))
	d.start("mlxbar-tray")
	icon := d.bar.Icon()
	d.wait(icon, "(Running · ")
	icon.Click("Copy Address")
	d.Eventually("the copied address", func() bool {
		raw, err := os.ReadFile(copied)
		return err == nil && string(raw) == d.server().URL+"/v1"
	})
}

func TestTraySaysWhyTheServerDoesNotStart(t *testing.T) {
	d := newDesk(t)
	settings := filepath.Join(d.host.Paths.Root, "settings.json")
	good, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	other := newDesk(t) // whose server holds the port
	other.start("mlxbar-tray")
	other.wait(other.bar.Icon(), "(Running · ")
	taken := other.server().Addr
	if err := os.WriteFile(settings, []byte(`{"server":{"addr":"`+taken+`"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start("mlxbar-tray")
	icon := d.bar.Icon()
	menu := d.wait(icon, "(Not running) | (Port ")
	if !strings.Contains(menu, "is taken by mlxbar") {
		t.Errorf("the menu says %s", menu)
	}
	if err := os.WriteFile(settings, good, 0o600); err != nil { // and it goes on by itself
		t.Fatal(err)
	}
	d.wait(icon, "(Running · ")
	if err := d.host.Drain(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}
