package child

import (
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/testkit"
)

const asChild = "CHILD_TEST_AS_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(asChild) {
	case "echo": // says what it is told until it is told no more
		io.Copy(os.Stderr, io.TeeReader(os.Stdin, os.Stdout))
		os.Exit(3)
	case "deaf":
		select {}
	}
	goleak.VerifyTestMain(m)
}

// heard collects what a child says.
type heard struct {
	mu   sync.Mutex
	text strings.Builder
}

func (h *heard) hear(line []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.Write(append(line, '\n'))
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

func start(t *testing.T, role string) (c *Child, stdout, stderr *heard, ended <-chan string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asChild+"="+role, "GORACE=atexit_sleep_ms=0")
	end, pid := make(chan string, 1), 0
	stdout, stderr = &heard{}, &heard{}
	c, err = Start(cmd, Ears{Started: func(p int) { pid = p }, Stdout: stdout.hear, Stderr: stderr.hear, Ended: func(s *os.ProcessState) { end <- s.String() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Kill(); <-c.Drained() })
	if pid != c.PID() || pid == 0 {
		t.Errorf("it began with pid %d, and is %d", pid, c.PID())
	}
	return c, stdout, stderr, end
}

func TestAChildIsHeardAndEndsWithItsStdin(t *testing.T) {
	c, stdout, stderr, ended := start(t, "echo")
	long := strings.Repeat("x", MaxLine)
	for _, text := range []string{"one\ntwo", " and more\n", long + "TAIL\n", "no end of line"} {
		if err := c.Tell([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	c.CloseStdin()
	if !c.GoneWithin(t.Context(), testkit.Patience) {
		t.Fatal("it does not end")
	}
	want := "one\ntwo and more\n" + long + "\nno end of line\n"
	if stdout.String() != want || stderr.String() != want {
		t.Errorf("heard %.100q and %.100q", stdout, stderr)
	}
	if got := testkit.Receive(t, ended); got != "exit status 3" || c.State().ExitCode() != 3 || c.Exit() == nil || c.Killed() {
		t.Errorf("it ended by %q", got)
	}
	if err := c.Tell([]byte("who is there?")); err != nil {
		t.Errorf("telling one that has ended: %v", err)
	}
	if c.Signal(syscall.SIGTERM) == nil {
		t.Error("one that has ended took a signal")
	}
}

func TestADeafChildIsKilled(t *testing.T) {
	c, _, _, _ := start(t, "deaf")
	c.CloseStdin()
	if c.GoneWithin(t.Context(), 20*time.Millisecond) {
		t.Fatal("it ended by itself")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c.GoneWithin(ctx, testkit.Patience) {
		t.Fatal("it ended by itself")
	}
	if own, err := syscall.Getpgid(c.PID()); err != nil || own != c.PID() { // Ctrl-C in a terminal is not for it
		t.Errorf("its process group is %d, %v", own, err)
	}
	c.Kill()
	<-c.Drained()
	if !c.Killed() {
		t.Errorf("it ended by %s", c.State())
	}
}

func TestAProgramThatIsNotThere(t *testing.T) {
	_, err := Start(exec.Command("/no/such/program"), Ears{Started: func(int) { t.Error("it began") }})
	if err == nil {
		t.Error("it was started")
	}
}
