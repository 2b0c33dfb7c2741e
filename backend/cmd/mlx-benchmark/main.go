// Command mlx-benchmark measures a server of language models from a client's view.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"mlxbar/backend/bench/cli"
	"mlxbar/backend/bench/machine"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	info, err := os.Stderr.Stat()
	app := cli.App{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Terminal: err == nil && info.Mode()&os.ModeCharDevice != 0, Getenv: os.Getenv, Probe: machine.Local{}}
	return app.Run(ctx, os.Args[1:])
}
