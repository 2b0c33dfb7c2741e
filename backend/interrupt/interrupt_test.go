package interrupt

import (
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheFirstSignalEndsTheContextAndTheSecondIsTheSystems(t *testing.T) {
	signal.Ignore(syscall.SIGHUP) // has the runtime's signal goroutine there before goleak looks
	ctx, stop := Context()
	defer stop()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	// What the system would do now is end this very process; that nobody is told is what shows it. Programs' own
	// tests send the second one to a process of its own.
	if signal.Ignored(syscall.SIGTERM) {
		t.Error("a second signal is ignored")
	}
	stop() // twice does no harm
}
