package main

import (
	"errors"
	"fmt"

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
			if _, err := host.Find(c.Context()); errors.Is(err, desktop.ErrNotRunning) {
				fmt.Fprintln(c.OutOrStdout(), "mlxbar was not running.")
				return nil
			} else if err != nil {
				return err
			}
			if err := host.Stop(c.Context()); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "mlxbar is stopped.")
			return nil
		},
	}
}
