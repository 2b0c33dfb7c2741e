package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The miles per gallon of R's data set mtcars, whose quantiles are in many a textbook.
var mtcars = []float64{21, 21, 22.8, 21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2, 17.8, 16.4, 17.3, 15.2, 10.4, 10.4, 14.7, 32.4, 30.4, 33.9, 21.5, 15.5, 15.2, 13.3, 19.2, 27.3, 26,
	30.4, 15.8, 19.7, 15, 21.4}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestPercentilesAreThoseThatRGives(t *testing.T) {
	for p, want := range map[float64]float64{0: 10.4, 10: 14.34, 25: 15.425, 50: 19.2, 75: 22.8, 90: 30.09, 95: 31.3, 100: 33.9} {
		if got := Percentile(mtcars, p); !near(got, want) {
			t.Errorf("Percentile(mtcars, %v) = %v, want %v", p, got, want)
		}
	}
	d := Distribute(Singles(mtcars), 1)
	if d.N != 32 || !near(d.Mean, 20.090625) || d.Min != 10.4 || d.Max != 33.9 || !near(d.P50.Value, 19.2) || !near(d.P90.Value, 30.09) || !near(d.P95.Value, 31.3) {
		t.Errorf("%+v", d)
	}
}

// The treated mice of Efron and Tibshirani, "An Introduction to the Bootstrap", table 2.1. A resample's median
// is at most the k-th of seven values when four or more draws are; for k = 1 and 2 that has the
// probability 0.010 and 0.098, so 2.5 per cent of the medians end within the second value.
func TestTheBootstrapsIntervalIsTheExactOne(t *testing.T) {
	for seed := range uint64(20) {
		d := Distribute(Singles([]float64{94, 197, 16, 38, 99, 141, 23}), seed)
		if want := (Estimate{Value: 94, Low: 23, High: 141}); d.P50 != want {
			t.Errorf("seed %d: %+v, want %+v", seed, d.P50, want)
		}
	}
}

func TestTheSameSeedGivesTheSameIntervals(t *testing.T) {
	a, b, c := Distribute(Singles(mtcars), 7), Distribute(Singles(mtcars), 7), Distribute(Singles(mtcars), 8)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(a, c) {
		t.Error("another seed drew the same")
	}
}

func TestTheIntervalHoldsTheTrueMedianAsOftenAsItSays(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const runs = 300
	held := 0
	for i := range runs {
		values := make([]float64, 40)
		for j := range values {
			values[j] = random.NormFloat64()
		}
		if d := Distribute(Singles(values), uint64(i)); d.P50.Low <= 0 && 0 <= d.P50.High {
			held++
		}
	}
	if share := float64(held) / runs; share < 0.9 || share > 0.99 {
		t.Errorf("the interval held the median in %.3f of the runs, want about 0.95", share)
	}
}

func TestValuesOfOneRequestAreDrawnTogether(t *testing.T) {
	// Two requests, one fast and one slow throughout: taken one by one, four hundred values look like
	// a lot of evidence; they are two.
	groups := [][]float64{slices.Repeat([]float64{1}, 200), slices.Repeat([]float64{9}, 200)}
	if d := Distribute(groups, 1); d.P50.Low != 1 || d.P50.High != 9 || d.P50.Value != 5 {
		t.Errorf("%+v, want an interval over both", d.P50)
	}
}

func TestDistributionsOfFewValues(t *testing.T) {
	if d := Distribute(nil, 1); d != nil {
		t.Errorf("of nothing: %+v", d)
	}
	if d := Distribute([][]float64{nil, {}}, 1); d != nil {
		t.Errorf("of empty groups: %+v", d)
	}
	if d := Distribute([][]float64{nil, {4}}, 1); d == nil || d.P99 != (Estimate{4, 4, 4}) {
		t.Errorf("of one value: %+v", d)
	}
}

func TestDistributeAgreesWithPercentile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.SliceOfN(rapid.SliceOfN(rapid.Float64Range(-1e3, 1e3), 0, 8), 1, 8).Draw(t, "groups")
		all := slices.Concat(groups...)
		d := Distribute(groups, 1)
		if (d == nil) != (len(all) == 0) {
			t.Fatalf("%+v of %v", d, groups)
		}
		if d == nil {
			return
		}
		for p, e := range map[float64]Estimate{50: d.P50, 90: d.P90, 95: d.P95, 99: d.P99} {
			if want := Percentile(all, p); math.Abs(e.Value-want) > 1e-6 || e.Low > e.High || e.Low < d.Min || e.High > d.Max {
				t.Fatalf("p%v of %v is %+v, want %v", p, all, e, want)
			}
		}
	})
}
