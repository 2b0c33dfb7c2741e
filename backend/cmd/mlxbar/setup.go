package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mlxbar/backend/server"
)

func setupCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "setup",
		Short: "Make the engine's runtime and the starter model ready ahead of the first request",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			paths, err := f.paths()
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			return server.Prepare(c.Context(), paths.Root, func(step string) { fmt.Fprintln(out, step) })
		},
	}
}
