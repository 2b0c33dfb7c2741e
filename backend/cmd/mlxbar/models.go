package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mlxbar/backend/datadir"
	"mlxbar/backend/engine/runtime"
	"mlxbar/backend/models"
)

func modelsCommand(f *flags) *cobra.Command {
	return group("models", "Models on this machine", &cobra.Command{
		Use:   "list",
		Short: "List the models, and the files that cannot be loaded",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			paths, err := f.paths()
			if err != nil {
				return err
			}
			return listModels(c, paths)
		},
	})
}

func listModels(c *cobra.Command, paths datadir.Paths) error {
	catalog := models.NewCatalog(models.NewLibrary(paths.Models), runtime.Starter{DataDir: paths.Root})
	list, err := catalog.List()
	if err != nil {
		return err
	}
	broken, err := catalog.Broken()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		fmt.Fprintf(c.ErrOrStderr(), "No models yet: put a GGUF file into %s, or run `mlxbar setup` for the starter model.\n", paths.Models)
	} else {
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tFORMAT\tSIZE")
		for _, m := range list {
			fmt.Fprintf(w, "%s\t%s\t%.1f MB\n", m.Name, m.Format, float64(m.Size)/1e6)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	for _, m := range list {
		if m.Path == "" {
			fmt.Fprintf(c.ErrOrStderr(), "%s is fetched at its first request, or by `mlxbar setup`.\n", m.Name)
		}
	}
	for _, b := range broken {
		fmt.Fprintln(c.ErrOrStderr(), b.Error())
	}
	return nil
}
