// Command mlx-benchmark measures a server of language models from a client's view.
package main

import (
	"context"
	"log/slog"
	"os"

	"mlxbar/backend/bench/cli"
	"mlxbar/backend/bench/machine"
	"mlxbar/backend/interrupt"
	"mlxbar/backend/telemetry"
)

func main() { os.Exit(run()) }

func run() int {
	// net/http tells the standard logger, word for word, what a server sends after its answer.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	ctx, stop := interrupt.Context() // a second signal ends the program at once
	defer stop()
	info, err := os.Stderr.Stat()
	app := cli.App{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Terminal: err == nil && info.Mode()&os.ModeCharDevice != 0, Getenv: os.Getenv, Probe: machine.Local{},
		Telemetry: func(ctx context.Context) (*telemetry.Telemetry, error) {
			// What cannot be delivered is told once, at the end: in between stands the bar.
			return telemetry.Start(ctx, telemetry.Config{Service: "mlx-benchmark", Version: cli.Version})
		},
	}
	return app.Run(ctx, os.Args[1:])
}
