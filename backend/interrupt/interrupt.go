// Package interrupt has a program end in order at the first signal, and at once at the second.
package interrupt

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Context ends at the first Ctrl-C or SIGTERM. By the time that it has ended, a second one has the system's
// effect, which is the program's end. stop is called when the program is over.
func Context() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-signals:
			signal.Stop(signals) // first of all: who sees the program end may send the second one
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
		<-ended
	}
}
