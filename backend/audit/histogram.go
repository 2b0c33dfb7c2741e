package audit

import (
	"encoding/binary"
	"math"
	"slices"
	"sort"
)

// histogram counts figures in buckets of which each is 1 % wider than the one before.
// In the database it is pairs of varints: how far the bucket lies behind the one before,
// and how many figures are in it.
type histogram struct {
	encoded []byte
	changes []bucketCount // to be made in another one
}

const (
	bucketGrowth = 1.01
	least        = 0.001 // what is less is in bucket 0
	buckets      = 2800  // up to a thousand million; what is more is in the last
)

// lowerBounds[i] is where bucket i begins.
var lowerBounds = func() (b [buckets]float64) {
	for i := 1; i < buckets; i++ {
		b[i] = least * math.Pow(bucketGrowth, float64(i-1))
	}
	return b
}()

func bucketOf(v float64) int {
	return max(0, sort.Search(buckets, func(i int) bool { return lowerBounds[i] > v })-1)
}

// middleOf stands for all figures of a bucket: none is farther from it than half a per
// cent.
func middleOf(i int) float64 {
	if i == 0 {
		return 0
	}
	return lowerBounds[i] * math.Sqrt(bucketGrowth)
}

// bucketCount is one bucket and how many figures it has or, in a change, gets.
type bucketCount struct {
	bucket int
	n      int64
}

// eachBucket calls fn for the buckets of an encoded histogram. A damaged one ends early:
// it must not keep records from being written.
func eachBucket(encoded []byte, fn func(bucketCount)) {
	for bucket := -1; len(encoded) > 0; {
		step, a := binary.Uvarint(encoded)
		if a <= 0 || step > buckets {
			return
		}
		n, b := binary.Uvarint(encoded[a:])
		bucket += int(step)
		if b <= 0 || bucket < 0 || bucket >= buckets {
			return
		}
		fn(bucketCount{bucket, int64(n)})
		encoded = encoded[a+b:]
	}
}

// plus is h with the changes of other, which it sorts.
func (h histogram) plus(other histogram) histogram {
	encoded, changes := h.encoded, other.changes
	slices.SortFunc(changes, func(a, b bucketCount) int { return a.bucket - b.bucket })
	out := make([]byte, 0, len(encoded)+2*len(changes))
	last, pending := -1, bucketCount{bucket: -1}
	flush := func() {
		if pending.bucket >= 0 && pending.n > 0 {
			out = binary.AppendUvarint(out, uint64(pending.bucket-last))
			out = binary.AppendUvarint(out, uint64(pending.n))
			last = pending.bucket
		}
	}
	put := func(c bucketCount) {
		if c.bucket != pending.bucket {
			flush()
			pending = bucketCount{bucket: c.bucket}
		}
		pending.n += c.n
	}
	eachBucket(encoded, func(c bucketCount) {
		for len(changes) > 0 && changes[0].bucket < c.bucket {
			put(changes[0])
			changes = changes[1:]
		}
		put(c)
	})
	for _, c := range changes {
		put(c)
	}
	flush()
	return histogram{encoded: out}
}

// spread is a histogram to add others to.
type spread struct {
	counts [buckets]int64
	n      int64
}

func (s *spread) add(encoded []byte) {
	eachBucket(encoded, func(c bucketCount) {
		s.counts[c.bucket] += c.n
		s.n += c.n
	})
}

func (s *spread) addOne(v float64) {
	s.counts[bucketOf(v)]++
	s.n++
}

// percentile is the p-th, nearest rank, within half a per cent.
func (s *spread) percentile(p int64) float64 {
	rank := (s.n*p + 99) / 100
	for i, n := range s.counts {
		if rank -= n; rank <= 0 {
			return middleOf(i)
		}
	}
	return middleOf(buckets - 1)
}
