package main

import (
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
	root.AddCommand(serveCommand(f), setupCommand(f), stopCommand(f), auditCommand(f), modelsCommand(f), openAPICommand(), versionCommand())
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run:   func(c *cobra.Command, _ []string) { c.Println("mlxbar " + server.Version) },
	}
}
