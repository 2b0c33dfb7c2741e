package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mlxbar/backend/admin"
	"mlxbar/backend/desktop"
)

func routeCommand(f *flags) *cobra.Command {
	return group("route", "Where requests go", &cobra.Command{
		Use:   "explain MODEL",
		Short: "Say where a request for a model would go, and why; nothing is asked",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.askServer(func(host *desktop.Host) error {
				var plan admin.RoutePlan
				if err := host.Ask(c.Context(), http.MethodGet, "/api/routes/explain?model="+url.QueryEscape(args[0]), nil, &plan); err != nil {
					return err
				}
				return explain(c, plan)
			})
		},
	})
}

func explain(c *cobra.Command, plan admin.RoutePlan) error {
	out := c.OutOrStdout()
	why := map[string]string{
		"order":  "the first one that can answers",
		"weight": "each is the first as often as its weight says; another answers for one that fails",
		"load":   "the one with the fewest requests for its weight is the first; another answers for one that fails",
	}
	if plan.Route == "" {
		fmt.Fprintf(out, "No route matches %s: it stays on this machine.\n", plan.Model)
	} else {
		fmt.Fprintf(out, "The route %s matches %s: %s.\n", plan.Route, plan.Model, why[plan.Spread])
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tPROVIDER\tMODEL\tWEIGHT\tRUNNING\t")
	place := 0
	for _, t := range plan.Targets {
		number, note := "-", t.Skip
		if t.Skip == "" {
			place++
			number = fmt.Sprint(place)
		}
		switch {
		case t.RetryAt != nil:
			note = fmt.Sprintf("%s; asked again at %s", t.Skip, t.RetryAt.Local().Format(time.TimeOnly))
		case t.Skip == "" && t.Provider == "local" && !t.Here:
			note = "there is no such model on this machine"
		case t.Skip == "" && t.Leaves:
			note = "leaves this machine"
		}
		if t.Unlisted && t.Skip == "" {
			note = strings.TrimPrefix(note+"; the provider does not list this model", "; ")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", number, t.Provider, t.Model, t.Weight, t.Running, note)
	}
	return w.Flush()
}
