// Package cli is the command line of mlx-benchmark.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mlxbar/backend/bench/machine"
	"mlxbar/backend/bench/results"
	"mlxbar/backend/places"
	"mlxbar/backend/telemetry"
)

// Version is set by the linker.
var Version = "0.1.0-dev"

// The exit codes besides 0.
const (
	codeFailure    = 1 // something could not be measured, or was not answered
	codeUsage      = 2 // the command line, or a file that it names, is wrong
	codeRegression = 3 // compare found one
)

// exit is an error that knows its exit code.
type exit struct {
	code int
	err  error
	said bool // in the words of --progress
}

func (e *exit) Error() string { return e.err.Error() }
func (e *exit) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exit{code: codeUsage, err: fmt.Errorf(format, args...)}
}
func failed(format string, args ...any) error {
	return &exit{code: codeFailure, err: fmt.Errorf(format, args...)}
}

// App is what the commands need of the world.
type App struct {
	In       io.Reader // for --until-stdin
	Out, Err io.Writer
	Terminal bool // Err is one: show a bar
	Getenv   func(string) string
	Probe    machine.Probe
	// Telemetry starts what tells of a measurement; nil tells nobody.
	Telemetry func(context.Context) (*telemetry.Telemetry, error)
}

// Run runs the command line and gives the exit code. When ctx ends, what was measured is kept.
func (a *App) Run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(append([]string{}, args...)) // for nil it would take those of the process
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	e := &exit{code: codeUsage} // what cobra says of flags and arguments
	if errors.As(err, &e); !e.said {
		fmt.Fprintln(a.Err, "mlx-benchmark:", places.In(c, err.Error()))
	}
	return e.code
}

func (a *App) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mlx-benchmark",
		Short: "Measure a server of language models: latency, speed, throughput",
		Long: `Measure a server of language models: latency, speed, throughput

mlx-benchmark asks a running mlxbar, or any server of OpenAI's protocol, and
times the answers from a client's view. It finds the mlxbar that runs on the
data folder; --url names another server. Of prompts and answers it keeps no word.

  mlx-benchmark run                          the one model that is there
  mlx-benchmark run --concurrency 1,2,4      throughput against concurrency
  mlx-benchmark suite --output results.json  everything that is set up
  mlx-benchmark compare old.json new.json    is it slower than it was?

Exit code: 0 all is well, 1 something was not measured or not answered,
2 the command line is wrong, 3 a regression.`,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(a.runCommand(), a.suiteCommand(), a.compareCommand(), a.schemaCommand(), a.versionCommand())
	return root
}

func (a *App) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of a results file",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.Out.Write(results.Schema)
			return err
		},
	}
}

func (a *App) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.Out, "mlx-benchmark", Version)
			return err
		},
	}
}
