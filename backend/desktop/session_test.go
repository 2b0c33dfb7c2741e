package desktop

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
)

// startWindow starts a window in the session, and waits until it says so.
func startWindow(t *testing.T, h *Host, session, until string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, session)
	cmd.Env = append(os.Environ(), windowOn+"="+h.Paths.Root)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() }) // an error says that it has ended
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == until {
			return cmd
		}
	}
	t.Fatalf("the window never said %q", until)
	return nil
}

// Of several that are opened while mlxbar is quit none stays: neither the one that takes the first one's
// place at once, nor one that comes later and was started before.
func TestQuitEndsEveryWindowOfItsSession(t *testing.T) {
	h := newHost(t, "good")
	if err := h.Enter(""); err != nil {
		t.Fatal(err)
	}
	windows := []*exec.Cmd{startWindow(t, h, h.session, "up")}
	for range 4 {
		windows = append(windows, startWindow(t, h, h.session, "begun"))
	}
	if err := h.QuitWindow(t.Context()); err != nil {
		t.Fatal(err)
	}
	windows = append(windows, startWindow(t, h, h.session, "begun"))
	for i, w := range windows {
		if err := w.Wait(); err != nil {
			t.Errorf("window %d ended with %v", i, err)
		}
	}
	if over, err := h.Over(); !over || err != nil {
		t.Errorf("after Quit the session is over: %t, %v", over, err)
	}

	next := NewHost(h.Paths.Root) // as somebody starts it
	defer next.Close()
	if err := next.Enter(""); err != nil {
		t.Fatal(err)
	}
	if over, err := next.Over(); over || err != nil {
		t.Errorf("the next session is over before it began: %t, %v", over, err)
	}
	again := startWindow(t, next, "", "up")
	if err := next.QuitWindow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := again.Wait(); err != nil {
		t.Errorf("the next window ended with %v", err)
	}
}

func TestQuitWithoutAWindowEndsTheSessionToo(t *testing.T) {
	h := newHost(t, "good")
	if err := h.Enter(""); err != nil {
		t.Fatal(err)
	}
	if over, err := h.Over(); over || err != nil {
		t.Errorf("before Quit: %t, %v", over, err)
	}
	if err := h.QuitWindow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if over, err := h.Over(); !over || err != nil {
		t.Errorf("after Quit: %t, %v", over, err)
	}
}
