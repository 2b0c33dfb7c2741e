package main

import (
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mlxbar/backend/audit/export"
	"mlxbar/backend/datadir"
	"mlxbar/backend/ledger"
)

func ledgerCommand(f *flags) *cobra.Command {
	values := map[string]*string{}
	c := &cobra.Command{
		Use:   "ledger",
		Short: "Tell what left this machine and what it cost, by day and provider, whether the server runs or not",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			paths, query, err := f.ledgerQuery(values)
			if err != nil {
				return err
			}
			if err := latest(c, paths); err != nil {
				return err
			}
			report, err := export.ReadLedger(c.Context(), paths.Database, query)
			if err != nil {
				return err
			}
			return tellLedger(c, report)
		},
	}
	for name, usage := range map[string]string{
		"from": "the first day, such as 2026-01-31 (default: 29 days before the last)",
		"to":   "the last day (default: today)",
		"zone": "the time zone whose days they are, such as Europe/Berlin (default: this machine's)",
	} {
		values[name] = c.PersistentFlags().String(name, "", usage)
	}
	c.AddCommand(ledgerExport(f, values))
	return c
}

func ledgerExport(f *flags, values map[string]*string) *cobra.Command {
	var to exportFlags
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the ledger as CSV or JSONL",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			format, err := to.parsed()
			if err != nil {
				return err
			}
			paths, query, err := f.ledgerQuery(values)
			if err != nil {
				return err
			}
			if err := latest(c, paths); err != nil {
				return err
			}
			if to.output != "" {
				n, err := export.LedgerFile(c.Context(), paths.Database, to.output, format, query)
				if err != nil {
					return err
				}
				fmt.Fprintf(c.ErrOrStderr(), "%d lines written to %s\n", n, to.output)
				return nil
			}
			report, err := export.ReadLedger(c.Context(), paths.Database, query)
			if err != nil {
				return err
			}
			_, err = export.WriteLedger(c.Context(), c.OutOrStdout(), format, report)
			return err
		},
	}
	to.add(c)
	return c
}

// ledgerQuery is what the flags ask for, by the prices and settings in the data folder.
func (f *flags) ledgerQuery(values map[string]*string) (datadir.Paths, ledger.Query, error) {
	paths, err := f.paths()
	if err != nil {
		return paths, ledger.Query{}, err
	}
	period, faults := ledger.ParsePeriod(func(name string) string { return *values[name] }, time.Now())
	if len(faults) > 0 {
		return paths, ledger.Query{}, flagError(faults[0])
	}
	query, err := ledger.NewQuery(period, paths.Prices, paths.Settings)
	return paths, query, err
}

func tellLedger(c *cobra.Command, r ledger.Report) error {
	out := c.OutOrStdout()
	fmt.Fprintf(out, "%s to %s\n\n", r.From, r.To)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DAY\tPROVIDER\tREQUESTS\tFAILED\tTOKENS\tBYTES OUT\tBYTES IN\tCOST\t")
	for _, l := range r.Lines {
		if l.Left {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t\n", l.Day, l.Provider, l.Requests, l.Failed, l.PromptTokens+l.CompletionTokens, l.BytesOut, l.BytesIn, dollars(l.CostUSD, l.Unpriced))
		}
	}
	if r.Left.Requests == 0 {
		fmt.Fprintln(out, "Nothing left this machine.")
	} else if err := w.Flush(); err != nil {
		return err
	}
	for _, p := range r.Providers {
		if p.Left {
			fmt.Fprintf(out, "\n%s to %s: %d requests, %d tokens", dollars(p.CostUSD, p.Unpriced), p.Provider, p.Requests, p.PromptTokens+p.CompletionTokens)
		}
	}
	if r.Left.Repeated > 0 {
		fmt.Fprintf(out, "\n%d requests left in all; what was sent on from one provider to another counts at each, its tokens and cost where the answer came from", r.Left.Requests)
	}
	fmt.Fprintf(out, "\n%d requests on this machine", r.Here.Requests)
	switch {
	case r.Here.WouldHaveCostUSD != nil:
		fmt.Fprintf(out, "; at %s they would have cost %s", r.CompareWith, dollars(r.Here.WouldHaveCostUSD, 0))
	case r.CompareWith != "":
		fmt.Fprintf(out, "; %s, with which ledger.compare_with compares them, has no price then", r.CompareWith)
	}
	_, err := fmt.Fprintln(out, ".")
	return err
}

// dollars writes an amount, to two digits of what is less than a cent.
func dollars(usd *float64, unpriced int64) string {
	text := "not known"
	if usd != nil {
		text = "$" + strconv.FormatFloat(*usd, 'f', 2, 64)
		if *usd > 0 && *usd < 0.01 {
			text = "$" + strconv.FormatFloat(*usd, 'g', 2, 64)
			if *usd < 0.0001 {
				text = "under $0.0001"
			}
		}
	}
	if usd != nil && unpriced > 0 {
		text += fmt.Sprintf(" (+%d not known)", unpriced)
	}
	return text
}
