package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"mlxbar/backend/admin"
	"mlxbar/backend/gateway/problem"
)

// openAPICommand lets the frontend's types be made without a running server.
func openAPICommand() *cobra.Command {
	return &cobra.Command{
		Use:    "openapi",
		Short:  "Print the admin API's OpenAPI description",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			// Without the version of this build: the copy that the frontend keeps stays the
			// same until the API changes.
			raw, err := admin.Register(problem.NewMux(), admin.Config{Version: "1"}).OpenAPI()
			if err != nil {
				return err
			}
			var indented bytes.Buffer
			if err := json.Indent(&indented, raw, "", " "); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", &indented)
			return err
		},
	}
}
