// Package secrets gives a test a session bus of its own and, if it wants one, a real keychain on
// it: gnome-keyring's Secret Service with an empty, unlocked collection. Both end with the test.
package secrets

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const patience = 30 * time.Second

const (
	name       = "org.freedesktop.secrets"
	path       = "/org/freedesktop/secrets"
	collection = path + "/collection/login"
	password   = "password"
)

// Bus is a session bus that starts nothing by itself. It is this process' own while the test
// runs, and that of the processes which it starts.
type Bus struct {
	t   testing.TB
	dir string
	// Address is what DBUS_SESSION_BUS_ADDRESS is set to.
	Address string
	keyring *exec.Cmd
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

// NewBus starts a bus without a keychain.
func NewBus(t testing.TB) *Bus {
	t.Helper()
	// Not t.TempDir, whose long names do not fit into the address of a socket.
	dir, err := os.MkdirTemp("", "mlxbar")
	if err != nil {
		t.Fatal(err)
	}
	b := &Bus{t: t, dir: dir}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, filepath.Join(dir, "bus")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--print-address=1")
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	b.serve(cmd)
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		t.Fatal("dbus-daemon ended before it was ready")
	}
	b.Address = strings.TrimSpace(line)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", b.Address)
	return b
}

// New starts a bus with a keychain that is empty and open.
func New(t testing.TB) *Bus {
	t.Helper()
	b := NewBus(t)
	b.keyring = exec.Command("gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets", "--control-directory="+b.dir)
	b.keyring.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "XDG_DATA_HOME=" + b.dir, "XDG_RUNTIME_DIR=" + b.dir, "DBUS_SESSION_BUS_ADDRESS=" + b.Address}
	b.keyring.Stdin = strings.NewReader(password)
	b.serve(b.keyring)
	var there []dbus.ObjectPath
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := b.call(path, "org.freedesktop.Secret.Service.Unlock", []dbus.ObjectPath{collection}).Store(&there, new(dbus.ObjectPath))
		if err == nil && len(there) == 1 {
			return b
		}
		if time.Now().After(deadline) {
			t.Fatalf("gnome-keyring-daemon is not ready: %v, %v", there, err)
		}
	}
}

func (b *Bus) serve(cmd *exec.Cmd) {
	b.t.Helper()
	if err := cmd.Start(); err != nil {
		b.t.Fatalf("%v: run make setup", err)
	}
	b.t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			b.t.Errorf("end %s: %v", cmd.Path, err)
		}
		cmd.Wait() // says that it was killed
	})
}

func (b *Bus) call(at dbus.ObjectPath, method string, args ...any) *dbus.Call {
	b.t.Helper()
	conn, err := dbus.Connect(b.Address)
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	return conn.Object(name, at).Call(method, 0, args...)
}

// Lock locks the keychain: who reads then would have to give its password.
func (b *Bus) Lock() {
	b.t.Helper()
	if err := b.call(path, "org.freedesktop.Secret.Service.Lock", []dbus.ObjectPath{collection}).Err; err != nil {
		b.t.Fatal(err)
	}
}

// Unlock opens it again, as a person does who gives its password.
func (b *Bus) Unlock() {
	b.t.Helper()
	conn, err := dbus.Connect(b.Address)
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	service := conn.Object(name, path)
	var session dbus.ObjectPath
	if err := service.Call("org.freedesktop.Secret.Service.OpenSession", 0, "plain", dbus.MakeVariant("")).Store(new(dbus.Variant), &session); err != nil {
		b.t.Fatal(err)
	}
	given := struct { // a secret, as the service's methods take it
		Session           dbus.ObjectPath
		Parameters, Value []byte
		ContentType       string
	}{session, nil, []byte(password), "text/plain"}
	// gnome-keyring's own name for what its login window calls.
	if err := service.Call("org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface.UnlockWithMasterPassword", 0, dbus.ObjectPath(collection), given).Err; err != nil {
		b.t.Fatal(err)
	}
}

// Freeze has the keychain answer nobody any more.
func (b *Bus) Freeze() {
	b.t.Helper()
	if err := b.keyring.Process.Signal(syscall.SIGSTOP); err != nil {
		b.t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); !b.stopped(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatal("gnome-keyring-daemon does not stop")
		}
	}
}

// Thaw has it answer again, also what it was asked meanwhile.
func (b *Bus) Thaw() {
	b.t.Helper()
	if err := b.keyring.Process.Signal(syscall.SIGCONT); err != nil {
		b.t.Fatal(err)
	}
}

// stopped says whether each of the keychain's threads stands still: a signal takes its time.
func (b *Bus) stopped() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", b.keyring.Process.Pid))
	for _, thread := range threads {
		stat, readErr := os.ReadFile(thread)
		_, state, _ := strings.Cut(string(stat), ") ")
		if readErr != nil || !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return err == nil && len(threads) > 0
}
