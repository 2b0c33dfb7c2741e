package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"mlxbar/backend/desktop"
)

func stopCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "stop",
		Short: "Stop the server after the requests that it is serving",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			paths, err := f.paths()
			if err != nil {
				return err
			}
			host := desktop.NewHost(paths.Root)
			defer host.Close()
			said := "mlxbar is stopped."
			if _, err := host.Find(c.Context()); errors.Is(err, desktop.ErrNotRunning) {
				said = "mlxbar was not running."
				if _, err := os.Stat(paths.Run); errors.Is(err, fs.ErrNotExist) {
					fmt.Fprintln(c.OutOrStdout(), said)
					return nil // nothing was ever here: leave nothing behind
				}
			} else if err != nil {
				return err
			}
			// Also when none runs: the tray may be about to start one that has died.
			if err := host.Stop(c.Context()); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), said)
			return nil
		},
	}
}
