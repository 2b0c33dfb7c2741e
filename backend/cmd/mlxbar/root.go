package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mlxbar/backend/datadir"
	"mlxbar/backend/server"
)

// flags are those that every command takes.
type flags struct{ dataDir string }

func (f *flags) paths() (datadir.Paths, error) {
	root, err := datadir.Resolve(f.dataDir)
	return datadir.At(root), err
}

func newRoot() *cobra.Command {
	f := &flags{}
	root := &cobra.Command{
		Use:           "mlxbar",
		Short:         "One local, private, observable address for language models",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&f.dataDir, "data-dir", "", "folder for settings, database, models and runtimes (or $"+datadir.Env+")")
	root.AddCommand(serveCommand(f), setupCommand(f), stopCommand(f), linkCommand(f), auditCommand(f), ledgerCommand(f), modelsCommand(f), providersCommand(f), routeCommand(f), keysCommand(f), connectCommand(f), telemetryCommand(f), openAPICommand(), versionCommand())
	return root
}

// group is a command that only has others below it. Left alone, cobra answers an
// unknown one of those with the help and a success.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(commands...)
	return c
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), "mlxbar", server.Version)
			return err
		},
	}
}
