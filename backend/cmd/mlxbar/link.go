package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mlxbar/backend/desktop"
)

func linkCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "link",
		Short: "Print a link that shows the running server in a browser; it works once",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.askServer(func(host *desktop.Host) error {
				link, err := host.LoginLink(c.Context())
				if err != nil {
					return err
				}
				fmt.Fprintln(c.OutOrStdout(), link)
				return nil
			})
		},
	}
}
