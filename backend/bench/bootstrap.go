package bench

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	confidence = 0.95
	resamples  = 1000
	// walked bounds the work: so many values are looked at over all resamples, of which
	// there are fewest at least.
	walked = 200_000_000
	fewest = 100
)

// Estimate is a figure and the interval that holds the true one in 95 of 100 runs.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Distribution is how many values lie.
type Distribution struct {
	N    int      `json:"n"`
	Mean float64  `json:"mean"`
	Min  float64  `json:"min"`
	Max  float64  `json:"max"`
	P50  Estimate `json:"p50"`
	P90  Estimate `json:"p90"`
	P95  Estimate `json:"p95"`
	P99  Estimate `json:"p99"`
}

var distributed = []float64{50, 90, 95, 99}

// Distribute sums up the values of all groups; nil of none. The intervals come from
// the percentile bootstrap: whole groups are drawn, with replacement, as often as there are
// groups, for values out of one request resemble each other more than those of
// several do. The same values and seed give the same intervals.
func Distribute(groups [][]float64, seed uint64) *Distribution {
	all := ordered(groups)
	if len(all) == 0 {
		return nil
	}
	d := &Distribution{N: len(all), Min: all[0].value, Max: all[len(all)-1].value}
	for _, v := range all {
		d.Mean += v.value / float64(len(all))
	}
	once := slices.Repeat([]int{1}, len(groups))
	values := drawnPercentiles(all, once, len(all))
	drawn := make([][]float64, len(distributed))
	random, counts := rand.New(rand.NewPCG(seed, 0)), make([]int, len(groups))
	for range max(fewest, min(resamples, walked/len(all))) {
		clear(counts)
		n := 0
		for range groups {
			g := random.IntN(len(groups))
			counts[g]++
			n += len(groups[g])
		}
		if n == 0 { // only groups without a value were drawn
			continue
		}
		for i, v := range drawnPercentiles(all, counts, n) {
			drawn[i] = append(drawn[i], v)
		}
	}
	for i, into := range []*Estimate{&d.P50, &d.P90, &d.P95, &d.P99} {
		tail := 100 * (1 - confidence) / 2
		*into = Estimate{Value: values[i], Low: Percentile(drawn[i], tail), High: Percentile(drawn[i], 100-tail)}
	}
	return d
}

// Singles makes each value a group of its own.
func Singles(values []float64) [][]float64 {
	groups := make([][]float64, len(values))
	for i, v := range values {
		groups[i] = []float64{v}
	}
	return groups
}

// member is a value and the group that it came with.
type member struct {
	value float64
	group int
}

func ordered(groups [][]float64) (all []member) {
	for g, values := range groups {
		for _, v := range values {
			all = append(all, member{v, g})
		}
	}
	slices.SortFunc(all, func(a, b member) int { return cmp.Compare(a.value, b.value) })
	return all
}

// drawnPercentiles are the percentiles of n values, of which each group's was drawn
// counts times, as Percentile defines them; one walk and no sorting.
func drawnPercentiles(all []member, counts []int, n int) []float64 {
	out := make([]float64, len(distributed))
	next, passed := 0, 0 // passed: how many drawn values lie before
	below := math.NaN()
	for _, m := range all {
		c := counts[m.group]
		if c == 0 {
			continue
		}
		for ; next < len(distributed); next++ {
			at := distributed[next] / 100 * float64(n-1)
			floor, part := math.Modf(at)
			i, last := int(floor), passed+c-1
			needed := i
			if part > 0 {
				needed = i + 1
			}
			if needed > last {
				break
			}
			lower := m.value
			if i < passed {
				lower = below
			}
			out[next] = lower + (m.value-lower)*part
		}
		passed, below = passed+c, m.value
	}
	return out
}
