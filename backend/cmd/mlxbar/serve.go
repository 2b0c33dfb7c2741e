package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"mlxbar/backend/cpuprofile"
	"mlxbar/backend/desktop"
	"mlxbar/backend/server"
)

func serveCommand(f *flags) *cobra.Command {
	var addr, level string
	var noLink bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server: gateway, audit and engines",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			paths, err := f.paths()
			if err != nil {
				return err
			}
			opts := server.Options{
				DataDir: paths.Root, Addr: addr, NoLoginLink: noLink,
				Stdout: os.Stdout, Stderr: os.Stderr, LogToStderr: isTerminal(os.Stderr),
			}
			if err := opts.LogLevel.UnmarshalText([]byte(level)); err != nil {
				return fmt.Errorf("--log-level %q: it is debug, info, warn or error", level)
			}
			if err := keepNoCore(); err != nil {
				return err
			}
			stop, err := cpuprofile.Start(os.Getenv(cpuprofile.Env))
			if err != nil {
				return err
			}
			return errors.Join(server.Run(c.Context(), opts), stop())
		},
	}
	c.Flags().StringVar(&addr, "addr", "", "host:port to listen on, port 0 for a free one (default: server.addr of the settings, 127.0.0.1:10242)")
	c.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	// Tray and window keep what the server says in a file, where no link may stand.
	c.Flags().BoolVar(&noLink, desktop.NoLoginLink, false, "print no login link")
	if err := c.Flags().MarkHidden(desktop.NoLoginLink); err != nil {
		panic(err) // there is no such flag
	}
	return c
}

// isTerminal says whether a person reads f as it is written.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
