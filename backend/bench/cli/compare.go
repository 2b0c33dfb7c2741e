package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mlxbar/backend/bench/results"
)

func (a *App) compareCommand() *cobra.Command {
	var threshold string
	c := &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Compare two results files; exit code 3 on a regression",
		Long: `Compare two results files; exit code 3 on a regression

Cases are matched by route, model, prompt and concurrency. Medians and throughput
are judged; a figure that is worse by more than --threshold is a regression, and so is
a share of failed requests that grew by more. A ? stands where the 95 % intervals overlap.`,
		Example: `  mlx-benchmark compare before.json after.json --threshold 5%`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("compare takes two results files, the old one and the new one, and was given %d", len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.compare(args[0], args[1], threshold) },
	}
	c.Flags().StringVar(&threshold, "threshold", "10%", "how much worse is a regression, in `per cent`")
	return c
}

func (a *App) compare(oldPath, newPath, threshold string) error {
	percent, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(threshold), "%")), 64)
	if err != nil || math.IsNaN(percent) || percent < 0 || percent > 1000 {
		return usage("--threshold %q: must be per cent, 0 to 1000, as in 10%%", threshold)
	}
	var files [2]*results.File
	for i, path := range []string{oldPath, newPath} {
		if files[i], err = results.Read(path); err != nil {
			return usage("%w", err)
		}
	}
	c, err := results.Compare(files[0], files[1], percent)
	if err != nil {
		return failed("%w", err)
	}
	if err := c.Table(a.Out); err != nil {
		return err
	}
	if n := c.Regressions(); n > 0 {
		return &exit{code: codeRegression, err: fmt.Errorf("%d regressions past %v %%", n, percent)}
	}
	return nil
}
