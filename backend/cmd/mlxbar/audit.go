package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"mlxbar/backend/audit"
	"mlxbar/backend/audit/export"
	"mlxbar/backend/datadir"
	"mlxbar/backend/desktop"
	"mlxbar/backend/storage"
)

func auditCommand(f *flags) *cobra.Command {
	return group("audit", "The record of requests", exportCommand(f))
}

func exportCommand(f *flags) *cobra.Command {
	var format, output string
	values := map[string]*string{}
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the records as CSV or JSONL, whether the server runs or not",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			paths, err := f.paths()
			if err != nil {
				return err
			}
			kind, err := export.ParseFormat(format)
			if err != nil {
				return fmt.Errorf("--format %q: it is csv or jsonl", format)
			}
			filter, faults := audit.ParseFilter(func(name string) string { return *values[name] })
			if len(faults) > 0 {
				return fmt.Errorf("--%s %q: it %s", faults[0].Location, faults[0].Value, faults[0].Detail)
			}
			return exportRecords(c, paths, kind, filter, output)
		},
	}
	c.Flags().StringVar(&format, "format", "csv", "csv or jsonl")
	c.Flags().StringVarP(&output, "output", "o", "", "file to write (default: standard output)")
	for name, usage := range map[string]string{
		"model":    "only requests for this model",
		"backend":  "only LOCAL, OPENAI or ANTHROPIC",
		"status":   "only success, error (every end but success), timeout, cancelled, interrupted or running",
		"endpoint": "only this path, such as /v1/chat/completions",
		"from":     "only requests that started at this time or later (RFC 3339)",
		"to":       "only requests that started before this time (RFC 3339)",
	} {
		values[name] = c.Flags().String(name, "", usage)
	}
	return c
}

// latest has a running server put its latest records into the database, which has to be there.
func latest(c *cobra.Command, paths datadir.Paths) error {
	if _, err := os.Stat(paths.Database); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no audit in %s yet; `mlxbar serve` makes one, and --data-dir names another folder", paths.Root)
	}
	host := desktop.NewHost(paths.Root)
	defer host.Close()
	if err := host.FlushAudit(c.Context()); err != nil {
		fmt.Fprintln(c.ErrOrStderr(), "mlxbar:", err)
	}
	return nil
}

func exportRecords(c *cobra.Command, paths datadir.Paths, format export.Format, filter audit.Filter, output string) error {
	if err := latest(c, paths); err != nil {
		return err
	}
	if output != "" {
		n, err := export.File(c.Context(), paths.Database, output, format, filter, nil)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.ErrOrStderr(), "%d records written to %s\n", n, output)
		return nil
	}
	db, err := storage.OpenReadOnly(c.Context(), paths.Database)
	if err != nil {
		return err
	}
	store := audit.NewStore(db)
	_, err = export.Write(c.Context(), c.OutOrStdout(), format, func(ctx context.Context, emit func(audit.Record) error) error {
		return store.Each(ctx, filter, emit)
	})
	return errors.Join(err, db.Close())
}
