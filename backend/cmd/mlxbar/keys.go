package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mlxbar/backend/access"
	"mlxbar/backend/admin"
	"mlxbar/backend/desktop"
	"mlxbar/backend/places"
)

func keysCommand(f *flags) *cobra.Command {
	return group("keys", "API keys for those who ask", keysCreate(f), keysList(f), keysRevoke(f))
}

func keysCreate(f *flags) *cobra.Command {
	var l access.Limits
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an API key and print it, this once",
		Args:  cobra.ExactArgs(1),

		Annotations: map[string]string{places.Alias: "models=model"},
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flag("model").Changed && len(l.Models) == 0 { // an empty variable of the shell must not give every model away
				return errors.New("--model: must be a model's name or a pattern; leave it out for every model")
			}
			return f.askServer(func(host *desktop.Host) error {
				var made admin.NewKey
				if err := host.Ask(c.Context(), http.MethodPost, "/api/keys", admin.KeyRequest{Name: args[0], Limits: l}, &made); err != nil {
					return err
				}
				fmt.Fprintf(c.ErrOrStderr(), "%s, for %s. It is shown this once:\n", made.Key.ID, made.Key.Name)
				fmt.Fprintln(c.OutOrStdout(), made.Secret)
				return nil
			})
		},
	}
	c.Flags().StringSliceVar(&l.Models, "model", nil, "a `model` or pattern that it may ask; may be given several times (default: every model)")
	c.Flags().IntVar(&l.RequestsPerMinute, "requests-per-minute", 0, "`requests` that it may send a minute (0: no limit)")
	c.Flags().Int64Var(&l.TokensPerDay, "tokens-per-day", 0, "`tokens` that it may use a day (0: no limit)")
	return c
}

func keysList(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the API keys; not the keys themselves, which are not kept",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.askServer(func(host *desktop.Host) error {
				var answer struct{ Keys []access.Key }
				if err := host.Ask(c.Context(), http.MethodGet, "/api/keys", nil, &answer); err != nil {
					return err
				}
				return listKeys(c, answer.Keys)
			})
		},
	}
}

func listKeys(c *cobra.Command, keys []access.Key) error {
	if len(keys) == 0 {
		fmt.Fprintln(c.ErrOrStderr(), "No API keys yet; `mlxbar keys create NAME` makes one.")
		return nil
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tENDS IN\tMODELS\tREQUESTS/MIN\tTOKENS/DAY\tCREATED\tLAST USED")
	limit := func(n int64) string {
		if n == 0 {
			return "any"
		}
		return fmt.Sprint(n)
	}
	for _, k := range keys {
		models, used := "all", "never"
		if len(k.Limits.Models) > 0 {
			models = strings.Join(k.Limits.Models, ",")
		}
		if k.LastUsedAt != nil {
			used = k.LastUsedAt.Local().Format("2006-01-02 15:04")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Hint, models,
			limit(int64(k.Limits.RequestsPerMinute)), limit(k.Limits.TokensPerDay), k.CreatedAt.Local().Format(time.DateOnly), used)
	}
	return w.Flush()
}

func keysRevoke(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Take an API key back; requests with it are refused from then on",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.askServer(func(host *desktop.Host) error {
				return host.Ask(c.Context(), http.MethodDelete, "/api/keys/"+url.PathEscape(args[0]), nil, nil)
			})
		},
	}
}

// askServer has ask talk to the running server.
func (f *flags) askServer(ask func(*desktop.Host) error) error {
	paths, err := f.paths()
	if err != nil {
		return err
	}
	host := desktop.NewHost(paths.Root)
	defer host.Close()
	return ask(host)
}
