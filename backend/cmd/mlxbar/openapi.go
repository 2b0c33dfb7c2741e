package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mlxbar/backend/admin"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/server"
)

// openAPICommand lets the frontend's types be made without a running server.
func openAPICommand() *cobra.Command {
	return &cobra.Command{
		Use:    "openapi",
		Short:  "Print the admin API's OpenAPI description",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			raw, err := admin.Register(problem.NewMux(), admin.Config{Version: server.Version}).OpenAPI()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", raw)
			return err
		},
	}
}
