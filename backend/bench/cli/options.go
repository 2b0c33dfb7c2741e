package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"mlxbar/backend/bench/results"
	"mlxbar/backend/bench/workload"
	"mlxbar/backend/datadir"
)

// options are what run and suite are told.
type options struct {
	plan        workload.Plan
	concurrency []int
	models      []string
	promptNames []string

	url, dataDir, keyEnv, tokenEnv       string
	directURL, directModel, directKeyEnv string
	format, output                       string

	save       bool
	label      string
	progress   string
	untilStdin bool

	// What check makes of them.
	prompts    []workload.Prompt
	server     workload.Server
	tokenFound bool // in the data folder, not named by the person
	keyIsToken bool // of the own server, for which no key was named
	direct     *workload.Direct
}

const (
	defaultURL  = "http://127.0.0.1:10242"
	mostRuns    = 100_000
	mostClients = 1024
	mostTokens  = 1 << 20
)

// formats are those of --format.
var formats = []string{"table", "json", "csv", "markdown"}

// How --progress tells how far a measurement is.
const (
	progressBar  = "bar"
	progressJSON = "json"
)

const mostLabel = 80

func (o *options) flags(c *cobra.Command) {
	f := c.Flags()
	f.SortFlags = false
	f.IntVar(&o.plan.Runs, "runs", 10, "requests of each case")
	f.IntVar(&o.plan.Warmup, "warmup", 1, "requests before them that do not count; the first may load the model")
	f.IntVar(&o.plan.MaxTokens, "max-tokens", 128, "tokens of an answer at most; local models speak on until there")
	f.BoolVar(&o.plan.Stream, "stream", true, "ask for streams; without, there is no time to the first token")
	f.BoolVar(&o.plan.SamePrompt, "same-prompt", false, "ask the very same each time, so that a prompt cache helps")
	f.DurationVar(&o.plan.Timeout, "timeout", 15*time.Minute, "for one request")
	f.Uint64Var(&o.plan.Seed, "seed", 1, "of the intervals and of the order of pairs")
	f.StringVar(&o.url, "url", "", "the server's `address` (default: the mlxbar that runs, else "+defaultURL+")")
	f.StringVar(&o.keyEnv, "api-key-env", "", "the `variable` that holds the server's API key")
	f.StringVar(&o.tokenEnv, "admin-token-env", "", "the `variable` that holds an mlxbar's admin token (default: from the data folder)")
	f.StringVar(&o.dataDir, "data-dir", "", "mlxbar's data `folder`, to find its server and token (or $"+datadir.Env+")")
	f.BoolVar(&o.save, "save", false, "have the mlxbar that is measured keep the results, for its page Benchmarks")
	f.StringVar(&o.label, "label", "", "what to call them there, in a few `words`")
	f.StringVar(&o.progress, "progress", progressBar, "how far it is, on stderr: a bar where that is a terminal, or json, an object a line")
	f.BoolVar(&o.untilStdin, "until-stdin", false, "stop, as with Ctrl-C, when stdin ends: for programs that start this one")
	f.StringVar(&o.format, "format", "table", "what to print: "+strings.Join(formats, ", "))
}

// check makes of the flags what they name. Its errors name the flag and what would be right.
func (o *options) check(getenv func(string) string) error {
	for _, n := range []struct {
		flag              string
		value, least, max int
	}{
		{"--runs", o.plan.Runs, 1, mostRuns},
		{"--warmup", o.plan.Warmup, 0, mostRuns},
		{"--max-tokens", o.plan.MaxTokens, 1, mostTokens},
	} {
		if n.value < n.least || n.value > n.max {
			return usage("%s %d: must be %d to %d", n.flag, n.value, n.least, n.max)
		}
	}
	if len(o.concurrency) == 0 {
		return usage("--concurrency: name how many requests at a time, as in 1 or 1,2,4")
	}
	for _, n := range o.concurrency {
		if n < 1 || n > mostClients {
			return usage("--concurrency %d: must be 1 to %d requests at a time", n, mostClients)
		}
		if n > o.plan.Runs {
			return usage("--concurrency %d: needs as many requests at least, and --runs is %d: ask for --runs %d or more", n, o.plan.Runs, n)
		}
	}
	o.models = once(o.models)
	slices.Sort(o.concurrency)
	o.concurrency = slices.Compact(o.concurrency)
	if o.plan.Timeout < time.Second {
		return usage("--timeout %v: must be a second or more, as in 30s or 15m", o.plan.Timeout)
	}
	if !slices.Contains(formats, o.format) {
		return usage("--format %q: must be one of %s", o.format, strings.Join(formats, ", "))
	}
	if err := o.checkKeeping(); err != nil {
		return err
	}
	for _, name := range once(o.promptNames) {
		p, err := workload.FindPrompt(name)
		if err != nil {
			return usage("--prompt %q: %w", name, err)
		}
		o.prompts = append(o.prompts, p)
	}
	if len(o.prompts) == 0 {
		return usage("--prompt: name %s or a file", strings.Join(workload.Names, ", "))
	}
	if err := o.checkOutput(); err != nil {
		return err
	}
	return o.servers(getenv)
}

func (o *options) checkKeeping() error {
	switch {
	case o.progress != progressBar && o.progress != progressJSON:
		return usage("--progress %q: must be %s or %s", o.progress, progressBar, progressJSON)
	case o.label != "" && !o.save:
		return usage("--label: is for results that are kept: add --save")
	case utf8.RuneCountInString(o.label) > mostLabel:
		return usage("--label: must be %d characters at most", mostLabel)
	case strings.ContainsFunc(o.label, unicode.IsControl):
		return usage("--label: holds a control character, such as a line's end")
	}
	return nil
}

// once leaves out what was named before.
func once(names []string) (out []string) {
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// checkOutput finds out before the run whether its results can be written.
func (o *options) checkOutput() error {
	if o.output == "" {
		return nil
	}
	if info, err := os.Stat(o.output); err == nil && !info.Mode().IsRegular() {
		return usage("--output %q: is no file", o.output)
	}
	probe, err := os.CreateTemp(filepath.Dir(o.output), ".mlx-benchmark-")
	if err != nil {
		return usage("--output %q: nothing can be written there: %w", o.output, err)
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return usage("--output %q: %w", o.output, err)
	}
	return nil
}

// settings is how the results tell of o.
func (o *options) settings() results.Settings {
	s := results.Settings{Runs: o.plan.Runs, Warmup: o.plan.Warmup, MaxTokens: o.plan.MaxTokens, Stream: o.plan.Stream,
		SamePrompt: o.plan.SamePrompt, TimeoutS: o.plan.Timeout.Seconds(), Seed: o.plan.Seed}
	if o.direct != nil {
		s.DirectURL = results.CleanURL(o.direct.URL)
	}
	return s
}

// render gives f in a format.
func render(f *results.File, format string) ([]byte, error) {
	var b strings.Builder
	var err error
	switch format {
	case "json":
		return f.JSON()
	case "csv":
		err = f.CSV(&b)
	case "markdown":
		err = f.Markdown(&b)
	default:
		err = f.Table(&b)
	}
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	return []byte(b.String()), nil
}
