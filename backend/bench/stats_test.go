package bench

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestPercentile(t *testing.T) {
	for _, c := range []struct {
		values []float64
		p      float64
		want   float64
	}{
		{[]float64{7}, 50, 7},
		{[]float64{3, 1, 2}, 50, 2},
		{[]float64{4, 1, 3, 2}, 50, 2.5},
		{[]float64{1, 2, 3, 4, 5}, 0, 1},
		{[]float64{1, 2, 3, 4, 5}, 100, 5},
		{[]float64{0, 10}, 95, 9.5},
	} {
		if got := Percentile(c.values, c.p); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("Percentile(%v, %v) = %v, want %v", c.values, c.p, got, c.want)
		}
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestPercentileProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 50).Draw(t, "values")
		before := slices.Clone(values)
		p, q := rapid.Float64Range(0, 100).Draw(t, "p"), rapid.Float64Range(0, 100).Draw(t, "q")
		a, b := Percentile(values, min(p, q)), Percentile(values, max(p, q))
		if a > b+1e-6 {
			t.Fatalf("percentiles fall: %v, %v", a, b)
		}
		if a < slices.Min(values)-1e-6 || b > slices.Max(values)+1e-6 {
			t.Fatalf("%v or %v is outside of the values", a, b)
		}
		if !slices.Equal(before, values) {
			t.Fatal("the values were reordered")
		}
	})
}

func TestPairs(t *testing.T) {
	if diff := cmp.Diff([]float64{2, 0.5}, Ratios([]float64{4, 1}, []float64{2, 2})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]float64{2, -1}, Differences([]float64{4, 1}, []float64{2, 2})); diff != "" {
		t.Error(diff)
	}
	defer func() {
		if recover() == nil {
			t.Error("unequal lengths were taken for pairs")
		}
	}()
	Ratios([]float64{1}, nil)
}

func TestSummarize(t *testing.T) {
	want := Summary{N: 3, Median: 2, Min: 1, Max: 9}
	if diff := cmp.Diff(want, Summarize([]float64{9, 1, 2})); diff != "" {
		t.Error(diff)
	}
}
