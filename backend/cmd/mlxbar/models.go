package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mlxbar/backend/datadir"
	"mlxbar/backend/engine/runtime"
	"mlxbar/backend/memory"
	"mlxbar/backend/models"
	"mlxbar/backend/server"
	"mlxbar/backend/settings"
	"mlxbar/backend/units"
)

func modelsCommand(f *flags) *cobra.Command {
	return group("models", "Models on this machine", &cobra.Command{
		Use:   "list",
		Short: "List the models with what is known of them, and the files that cannot be loaded",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			paths, err := f.paths()
			if err != nil {
				return err
			}
			return listModels(c, paths)
		},
	}, modelsPull(f), modelsRemove(f), modelsLogin(), modelsLogout())
}

func listModels(c *cobra.Command, paths datadir.Paths) error {
	set, err := settings.Read(paths.Settings)
	if err != nil {
		return err
	}
	library := models.NewLibrary(paths.Models, func() []string { return set.Models.Folders })
	all, err := models.NewCatalog(library, runtime.Starter{DataDir: paths.Root}).Contents()
	if err != nil {
		return err
	}
	notes := c.ErrOrStderr()
	if len(all.Models) == 0 {
		fmt.Fprintf(notes, "No models yet: `mlxbar models pull` fetches one, or put a GGUF file into %s, or run `mlxbar setup` for the starter model.\n", paths.Models)
	} else if err := writeModels(c.OutOrStdout(), all.Models, func(m models.Model) string { return memoryOf(m, set, library.Find) }); err != nil {
		return err
	}
	for _, m := range all.Models {
		if m.Path == "" {
			fmt.Fprintf(notes, "%s is fetched at its first request, or by `mlxbar setup`.\n", m.Name)
		}
		if !server.Runs(m.Format, set) {
			fmt.Fprintf(notes, "%s would run on the engine %s, which is off on this machine: engines.%[2]s.enabled switches it on.\n", m.Name, m.Format.Engine())
		}
	}
	for _, b := range all.Broken {
		fmt.Fprintln(notes, b.Error())
	}
	for _, f := range all.Folders {
		if f.Problem != "" {
			fmt.Fprintf(notes, "folder %s: %s\n", f.Path, f.Problem)
		}
	}
	return nil
}

func writeModels(out io.Writer, list []models.Model, memory func(models.Model) string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tFORMAT\tENGINE\tARCHITECTURE\tPARAMETERS\tQUANTIZATION\tCONTEXT\tLICENSE\tSIZE\tMEMORY")
	for _, m := range list {
		context := "-"
		if m.Facts.ContextLength > 0 {
			context = strconv.Itoa(m.Facts.ContextLength)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Name, m.Format, m.Format.Engine(), cmp.Or(m.Facts.Architecture, "-"), count(m.Facts.Parameters),
			cmp.Or(m.Facts.Quantization, "-"), context, cmp.Or(m.Facts.License, "-"), units.Bytes(m.Size), memory(m))
	}
	return w.Flush()
}

// memoryOf is what a model is expected to take, its share of what this machine can give, and whether it may have that.
func memoryOf(m models.Model, set settings.Settings, find func(string) (models.Model, error)) string {
	need := memory.Of(m, set, find)
	text := units.Bytes(need.Bytes)
	if need.Tokens == 0 {
		text = "over " + text
	}
	if machine := memory.Machine(); machine > 0 {
		text += fmt.Sprintf(" (%.0f%%)", 100*float64(need.Bytes)/float64(machine))
		if need.Bytes > memory.Limit(set) {
			text += ", too large"
		}
	}
	return text
}

func count(n int64) string {
	switch {
	case n <= 0:
		return "-"
	case n >= 1e9:
		return fmt.Sprintf("%.1fB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.0fM", float64(n)/1e6)
	}
	return strconv.FormatInt(n, 10)
}
