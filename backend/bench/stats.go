// Package bench measures: it puts load on an HTTP address, times streams from a
// client's view, and sums up what it saw. It speaks HTTP to what it measures and
// knows nothing else of it.
package bench

import (
	"fmt"
	"math"
	"slices"
)

// Percentile gives the p-th percentile (0 to 100) of values, interpolated between
// neighbours as Hyndman and Fan define it in their seventh way, which R and NumPy take
// by default; NaN of none.
func Percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := p / 100 * float64(len(sorted)-1)
	below, above := int(math.Floor(at)), int(math.Ceil(at))
	return sorted[below] + (sorted[above]-sorted[below])*(at-float64(below))
}

// Median is the 50th percentile.
func Median(values []float64) float64 { return Percentile(values, 50) }

// Ratios divides a by b, pair by pair. What disturbs a machine disturbs both
// sides of a pair, so the median of the ratios is steadier than the ratio of the
// medians.
func Ratios(a, b []float64) []float64 {
	return pairwise(a, b, func(x, y float64) float64 { return x / y })
}

// Differences takes b from a, pair by pair.
func Differences(a, b []float64) []float64 {
	return pairwise(a, b, func(x, y float64) float64 { return x - y })
}

func pairwise(a, b []float64, f func(x, y float64) float64) []float64 {
	if len(a) != len(b) {
		panic(fmt.Sprintf("bench: %d values against %d are no pairs", len(a), len(b)))
	}
	out := make([]float64, len(a))
	for i := range a {
		out[i] = f(a[i], b[i])
	}
	return out
}

// Summary is a few values at a glance.
type Summary struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Summarize sums up values, of which there is at least one.
func Summarize(values []float64) Summary {
	return Summary{N: len(values), Median: Median(values), Min: slices.Min(values), Max: slices.Max(values)}
}
