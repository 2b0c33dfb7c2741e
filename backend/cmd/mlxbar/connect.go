package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mlxbar/backend/admin"
	"mlxbar/backend/connect"
	"mlxbar/backend/desktop"
)

// answerGrace is what the server has to say that a check took too long.
const answerGrace = 5 * time.Second

func connectCommand(f *flags) *cobra.Command {
	var model string
	var check bool
	c := &cobra.Command{
		Use:   "connect [TOOL]",
		Short: "Show how a tool is pointed at this server, or check that it can ask",
		Long: "Show how a tool is pointed at this server, or check that it can ask\n\nWithout TOOL it lists the tools that are known. With --check it asks the server once as the tool does;\n" +
			"an API key is taken from $" + connect.KeyVariable + " where that is set.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.askServer(func(host *desktop.Host) error {
				var answer admin.Connect
				if err := host.Ask(c.Context(), http.MethodGet, "/api/connect?model="+url.QueryEscape(model), nil, &answer); err != nil {
					return err
				}
				if len(args) == 0 {
					return listTools(c.OutOrStdout(), answer)
				}
				tool, err := toolOf(answer, args[0])
				if err != nil {
					return err
				}
				if check {
					return checkTool(c, host, tool, answer.Model)
				}
				showTool(c, answer, tool)
				return nil
			})
		},
	}
	c.Flags().StringVar(&model, "model", "", "`model` to name (default: one that is loaded, else the first)")
	c.Flags().BoolVar(&check, "check", false, "ask as the tool does, and say how that goes")
	return c
}

func toolOf(answer admin.Connect, id string) (admin.ConnectTool, error) {
	for _, t := range answer.Tools {
		if t.ID == id {
			return t, nil
		}
	}
	return admin.ConnectTool{}, fmt.Errorf("no tool %q is known; `mlxbar connect` lists those that are", id)
}

func listTools(out io.Writer, answer admin.Connect) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TOOL\tNAME\tWHERE")
	for _, t := range answer.Tools {
		fmt.Fprintf(w, "%s\t%s\t%s\n", t.ID, t.Name, t.Snippets[0].Where)
	}
	return w.Flush()
}

// showTool writes the snippets to stdout and all that is said about them to stderr, so that they can be piped.
func showTool(c *cobra.Command, answer admin.Connect, t admin.ConnectTool) {
	out, words := c.OutOrStdout(), c.ErrOrStderr()
	for i, s := range t.Snippets {
		if i > 0 {
			fmt.Fprintln(words)
		}
		fmt.Fprintf(words, "# %s: %s\n", s.Title, s.Where)
		fmt.Fprint(out, s.Text)
	}
	for _, note := range t.Notes {
		fmt.Fprintf(words, "\nNote: %s\n", note)
	}
	fmt.Fprintf(words, "\nHeld against %s on %s: %s\n", t.Version, answer.Read, t.Docs)
}

func checkTool(c *cobra.Command, host *desktop.Host, t admin.ConnectTool, model string) error {
	if model == "" {
		return errors.New("there is no model yet; name one with --model")
	}
	ask := admin.CheckRequest{Tool: t.ID, Model: model, Key: strings.TrimSpace(os.Getenv(connect.KeyVariable))}
	var r connect.Result
	ctx, cancel := context.WithTimeout(c.Context(), connect.CheckTime+answerGrace)
	defer cancel()
	if err := host.Ask(ctx, http.MethodPost, "/api/connect/check", ask, &r); err != nil {
		return err
	}
	if !r.OK {
		return fmt.Errorf("%s %s", r.Summary, r.Advice)
	}
	out := c.OutOrStdout()
	fmt.Fprintln(out, r.Summary)
	fmt.Fprintf(out, "%s answered from %s (%s), model %s", r.Endpoint, r.Provider, r.Backend, r.ServedModel)
	if r.TTFTMS != nil {
		fmt.Fprintf(out, ", first token after %.0f ms", *r.TTFTMS)
	}
	fmt.Fprintln(out, ".")
	for _, note := range append(r.Notes, droppedNote(r.Dropped)...) {
		fmt.Fprintf(out, "Note: %s\n", note)
	}
	return nil
}

func droppedNote(dropped []string) []string {
	if len(dropped) == 0 {
		return nil
	}
	return []string{"Left out on the way, because the model's server knows nothing of it: " + strings.Join(dropped, ", ") + "."}
}
