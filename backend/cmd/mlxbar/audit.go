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
	var to exportFlags
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
			format, err := to.parsed()
			if err != nil {
				return err
			}
			filter, faults := audit.ParseFilter(func(name string) string { return *values[name] })
			if len(faults) > 0 {
				return flagError(faults[0])
			}
			return exportRecords(c, paths, format, filter, to.output)
		},
	}
	to.add(c)
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

// exportFlags say what an export is written as and where.
type exportFlags struct{ format, output string }

func (e *exportFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&e.format, "format", "csv", "csv or jsonl")
	c.Flags().StringVarP(&e.output, "output", "o", "", "file to write (default: standard output)")
}

func (e *exportFlags) parsed() (export.Format, error) {
	format, err := export.ParseFormat(e.format)
	if err != nil {
		return "", fmt.Errorf("--format %q: it is csv or jsonl", e.format)
	}
	return format, nil
}

// flagError is a fault of a parameter that a flag gave.
func flagError(fault audit.FieldError) error {
	return fmt.Errorf("--%s %q: it %s", fault.Location, fault.Value, fault.Detail)
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
