// Package session gives a test a desktop of its own: a screen that nobody sees, a session bus that
// starts nothing by itself, and a home. Programs that begin there end with the test, those included
// that went into sessions of their own.
package session

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// Patience bounds a failing test. It is no measure of speed.
const Patience = 3 * time.Minute

const mark = "MLXBAR_TEST_SESSION" // in the environment of every program of a session

// A Session is one desktop.
type Session struct {
	t       testing.TB
	dir     string
	display string // such as :7
	bus     string // the bus's address

	readable bool // programs let themselves be read
}

// New starts a desktop that ends with the test.
func New(t testing.TB) *Session {
	t.Helper()
	// Not t.TempDir, whose long names do not fit into the address of a socket.
	dir, err := os.MkdirTemp("", "mlxbar")
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{t: t, dir: dir}
	t.Cleanup(func() {
		s.endPrograms()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	for _, folder := range []string{"home", "run", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.startScreen()
	s.startBus()
	return s
}

// Bus is the address of the session bus.
func (s *Session) Bus() string { return s.bus }

// startScreen starts an X server that chooses its own number.
func (s *Session) startScreen() {
	s.t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	defer read.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x800x24", "-fbdir", s.dir, "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{write}
	s.serve(cmd)
	write.Close()
	s.display = ":" + s.firstLine(read, "Xvfb")
}

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
`

// startBus starts a session bus that knows no services to start.
func (s *Session) startBus() {
	s.t.Helper()
	config := filepath.Join(s.dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, filepath.Join(s.dir, "bus")), 0o600); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--print-address=1")
	said, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.serve(cmd)
	s.bus = s.firstLine(said, "dbus-daemon")
}

// serve starts a part of the desktop, which ends after everything that was started on it.
func (s *Session) serve(cmd *exec.Cmd) {
	s.t.Helper()
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("%v: run make setup", err)
	}
	s.t.Cleanup(func() {
		s.endPrograms()
		if err := cmd.Process.Kill(); err != nil {
			s.t.Errorf("end %s: %v", cmd.Path, err)
		}
		cmd.Wait() // says that it was killed
	})
}

func (s *Session) firstLine(from io.Reader, who string) string {
	s.t.Helper()
	line, err := bufio.NewReader(from).ReadString('\n')
	if err != nil {
		s.t.Fatalf("%s ended before it was ready", who)
	}
	return strings.TrimSpace(line)
}

// Command is a program on this desktop, begun at its home. Of the environment outside it sees only the path.
func (s *Session) Command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = filepath.Join(s.dir, "home")
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + filepath.Join(s.dir, "home"),
		"XDG_RUNTIME_DIR=" + filepath.Join(s.dir, "run"),
		"TMPDIR=" + filepath.Join(s.dir, "tmp"),
		"LANG=C.UTF-8",
		"DISPLAY=" + s.display,
		"DBUS_SESSION_BUS_ADDRESS=" + s.bus,
		"GDK_BACKEND=x11", "GSETTINGS_BACKEND=memory", "LIBGL_ALWAYS_SOFTWARE=1",
		// WebKit's sandbox needs rights that containers do not give; it shows our own page only.
		"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS=1", "WEBKIT_DISABLE_COMPOSITING_MODE=1",
		mark + "=" + s.dir,
	}
	if !s.readable {
		cmd.Env = append(cmd.Env, "NO_AT_BRIDGE=1")
	}
	return cmd
}

// Run runs a program on this desktop to its end and gives what it printed.
func (s *Session) Run(program string, args ...string) (string, error) {
	out, err := s.Command(program, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Programs are the programs that run on this desktop and whose executable has this name, all for "".
func (s *Session) Programs(name string) []*process.Process {
	all, err := process.Processes()
	if err != nil {
		s.t.Error(err)
	}
	var ours []*process.Process
	for _, p := range all {
		env, err := p.Environ()
		if err != nil || !containsMark(env, s.dir) { // another user's, or just gone
			continue
		}
		if exe, _ := p.Exe(); name == "" || filepath.Base(exe) == name {
			ours = append(ours, p)
		}
	}
	return ours
}

func containsMark(env []string, value string) bool {
	for _, e := range env {
		if e == mark+"="+value {
			return true
		}
	}
	return false
}

func (s *Session) endPrograms() {
	for deadline := time.Now().Add(Patience); ; time.Sleep(20 * time.Millisecond) {
		left := s.Programs("")
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Errorf("%d programs do not end", len(left))
			return
		}
		for _, p := range left {
			p.Kill() // it may have ended meanwhile, which the next look tells
		}
	}
}

// Picture keeps a picture of a window, or of the whole screen for "root", in file.
func (s *Session) Picture(window, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	_, err := s.Run("import", "-window", window, "png:"+file)
	return err
}

// Eventually waits until is holds.
func (s *Session) Eventually(what string, is func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(Patience)
	for !is() {
		if time.Now().After(deadline) {
			s.t.Fatal("waited in vain: " + what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
