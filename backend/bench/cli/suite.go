package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mlxbar/backend/bench/results"
	"mlxbar/backend/bench/workload"
)

func (a *App) suiteCommand() *cobra.Command {
	o := &options{}
	var routes []string
	c := &cobra.Command{
		Use:   "suite",
		Short: "Measure everything that is set up: model by prompt by concurrency by route",
		Long: `Measure everything that is set up: model by prompt by concurrency by route

The routes are local-llamacpp, local-mlx, openai, anthropic and failover. One that
is not set up is reported as skipped, with why. The results go to --output after
each case, so that a run that is broken off has them too.

Requests to a provider cost what the provider takes for them; --routes leaves
providers out.`,
		Example: `  mlx-benchmark suite --output results.json
  mlx-benchmark suite --routes local-llamacpp,local-mlx --prompt short --concurrency 1
  mlx-benchmark compare old.json results.json --threshold 10%`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, r := range routes {
				if !slices.Contains(workload.Routes, r) {
					return usage("--routes %q: must be of %s", r, strings.Join(workload.Routes, ", "))
				}
			}
			return a.told(c.Context(), o, func(ctx context.Context) error { return a.suite(ctx, o, routes) })
		},
	}
	f := c.Flags()
	f.StringVarP(&o.output, "output", "o", "", "write the results to this `file`, as JSON")
	f.StringSliceVar(&o.models, "model", nil, "the `models` to ask (default: all that the server names)")
	f.StringSliceVar(&o.promptNames, "prompt", workload.Names, "what to ask: short, medium, long or `files`")
	f.IntSliceVar(&o.concurrency, "concurrency", []int{1, 2, 4}, "requests at a time, each of these `numbers`")
	f.StringSliceVar(&routes, "routes", workload.Routes, "the `routes` to take")
	o.flags(c)
	return c
}

func (a *App) suite(ctx context.Context, o *options, routes []string) error {
	s, err := a.begin(ctx, "suite", o)
	if err != nil {
		return err
	}
	defer s.end()
	for _, m := range o.models {
		if !s.known.Has(m) {
			return s.noModel(m)
		}
	}
	specs := s.known.Matrix(routes, o.models, o.prompts, o.concurrency)
	unkept := s.measure(ctx, specs, s.keep)
	unsaved := s.save(ctx)
	raw, err := render(s.file, o.format)
	if err != nil {
		return failed("%w", err)
	}
	if err := s.print(raw); err != nil {
		return err
	}
	if unkept == nil && o.output != "" {
		s.tells.note("results written to " + o.output)
	}
	return s.conclude(unkept, unsaved)
}

// keep writes what there is so far.
func (s *session) keep() error {
	if s.options.output == "" {
		return nil
	}
	raw, err := s.file.JSON()
	if err == nil {
		err = results.Write(s.options.output, raw)
	}
	if err != nil {
		return failed("%w", err)
	}
	return nil
}
