package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"mlxbar/backend/datadir"
	"mlxbar/backend/testkit/records"
)

// fillCommand makes a data folder's audit full.
const fillCommand = "fill"

func runFill(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o := records.Options{}
	var dir, newest string
	f := flag.NewFlagSet("gateway-bench fill", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&dir, "data-dir", "", "the data `folder`; no server may run on it")
	f.IntVar(&o.Count, "records", 1_000_000, "how many records to make")
	f.Uint64Var(&o.Seed, "seed", 1, "the same seed and newest make the same records")
	f.IntVar(&o.Days, "days", 30, "how many days they are spread over")
	f.StringVar(&newest, "newest", "", "about when the newest began, as RFC 3339 `time` (default: now)")
	if err := f.Parse(args); err != nil {
		return err
	}
	if dir == "" || f.NArg() > 0 || o.Count < 1 {
		return errors.New("gateway-bench fill --data-dir FOLDER [--records N] [--seed N] [--days N] [--newest TIME]")
	}
	o.Newest = time.Now().UTC()
	if newest != "" {
		at, err := time.Parse(time.RFC3339, newest)
		if err != nil {
			return fmt.Errorf("--newest %q is no time of RFC 3339", newest)
		}
		o.Newest = at.UTC()
	}
	paths := datadir.At(dir)
	if err := paths.EnsureDirs(); err != nil {
		return err
	}
	start := time.Now()
	if err := records.Fill(ctx, paths.Database, o); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d records in %s, in %.1f s\n", o.Count, paths.Database, time.Since(start).Seconds())
	return nil
}
