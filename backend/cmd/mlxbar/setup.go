package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mlxbar/backend/server"
)

func setupCommand(f *flags) *cobra.Command {
	var further bool
	c := &cobra.Command{
		Use:   "setup",
		Short: "Make the engine's runtime and the starter model ready ahead of the first request",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			paths, err := f.paths()
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			return server.Prepare(c.Context(), paths.Root, further, func(step string) { fmt.Fprintln(out, step) })
		},
	}
	c.Flags().BoolVar(&further, "mlx", false, "also the runtime of the engine mlx, which otherwise comes with the first model of its format")
	return c
}
