// Command mlxbar is the command-line program and, as `mlxbar serve`, the server.
package main

import (
	"fmt"
	"log/slog"
	"os"

	"mlxbar/backend/interrupt"
	"mlxbar/backend/places"
)

func main() { os.Exit(run()) }

func run() int {
	// net/http tells the standard logger, word for word, what an upstream sends after
	// its answer. What mlxbar itself has to say goes to loggers that it is handed.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	ctx, stop := interrupt.Context() // a second signal does not wait for the first one's drain
	defer stop()
	if c, err := newRoot().ExecuteContextC(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mlxbar:", places.In(c, err.Error()))
		return 1
	}
	return 0
}
