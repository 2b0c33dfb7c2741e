package cli

import (
	"context"

	"github.com/spf13/cobra"

	"mlxbar/backend/bench/results"
	"mlxbar/backend/bench/workload"
)

func (a *App) runCommand() *cobra.Command {
	o := &options{}
	var model, prompt string
	c := &cobra.Command{
		Use:   "run",
		Short: "Measure one model",
		Long: `Measure one model

Each of --runs requests asks something new, so that no prompt cache helps
(--same-prompt lets it), and --concurrency of them run at a time. With several
numbers each is a case of its own.

--direct names the server behind the gateway: each request then is a pair, one
through the gateway and one past it in random order, and the difference is
what the gateway adds.`,
		Example: `  mlx-benchmark run --model smollm2-135m-instruct --runs 20
  mlx-benchmark run --prompt long --concurrency 1,2,4 --format markdown
  mlx-benchmark run --url http://127.0.0.1:11434 --model llama3.2 --format json --output ollama.json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.models, o.promptNames = []string{model}, []string{prompt}
			return a.told(c.Context(), o, func(ctx context.Context) error { return a.run(ctx, o) })
		},
	}
	f := c.Flags()
	f.StringVar(&model, "model", "", "the model to ask (default: the only one that there is)")
	f.StringVar(&prompt, "prompt", "short", "what to ask: short, medium, long or a `file`")
	f.IntSliceVar(&o.concurrency, "concurrency", []int{1}, "requests at a time; several `numbers` are measured one after another")
	o.flags(c)
	f.StringVarP(&o.output, "output", "o", "", "write to this `file` instead of stdout")
	f.StringVar(&o.directURL, "direct", "", "the `address` of the server behind the gateway: measure what the gateway adds")
	f.StringVar(&o.directModel, "direct-model", "", "the model's `name` there, when it differs")
	f.StringVar(&o.directKeyEnv, "direct-key-env", "", "the `variable` that holds the API key there")
	return c
}

func (a *App) run(ctx context.Context, o *options) error {
	s, err := a.begin(ctx, "run", o)
	if err != nil {
		return err
	}
	defer s.end()
	model, err := s.theModel()
	if err != nil {
		return err
	}
	var specs []workload.Spec
	for _, n := range o.concurrency {
		specs = append(specs, s.known.Spec(model, o.prompts[0], n))
	}
	err = s.measure(ctx, specs, func() error { return nil })
	if err != nil {
		return err
	}
	if unknownModel(s.file.Cases[0]) {
		return s.noModel(model)
	}
	unsaved := s.save(ctx)
	unwritten, err := s.deliver()
	if err != nil {
		return err
	}
	return s.conclude(unwritten, unsaved)
}

// theModel is the one that was named, or the only one that there is.
func (s *session) theModel() (string, error) {
	model := s.options.models[0]
	switch {
	case model == "" && len(s.known.Models) == 1:
		return s.known.Models[0].ID, nil
	case model == "" && len(s.known.Models) == 0:
		return "", failed("the server at %s has no model", results.CleanURL(s.options.server.URL))
	case model == "":
		return "", usage("--model: name one of those that the server has: %s", s.known.Names())
	case s.known.Admin && !s.known.Has(model):
		return "", s.noModel(model)
	}
	return model, nil
}

func (s *session) noModel(model string) error {
	return usage("--model %q: the server at %s has no such model; there are: %s", model, results.CleanURL(s.options.server.URL), s.known.Names())
}

// deliver writes the results to the file that was named, or prints them: also when they could not be
// written, as on a disk that is full, for they took their time. Then unwritten says why.
func (s *session) deliver() (unwritten, err error) {
	raw, err := render(s.file, s.options.format)
	if err != nil {
		return nil, failed("%w", err)
	}
	if s.options.output == "" {
		return nil, s.print(raw)
	}
	if err := results.Write(s.options.output, raw); err != nil {
		return failed("%w", err), s.print(raw)
	}
	s.tells.note("results written to " + s.options.output)
	return nil, nil
}
