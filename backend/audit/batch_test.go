package audit

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// heard keeps what OnBatch is told.
type heard struct {
	mu      sync.Mutex
	batches []Batch
	ids     [][]int64 // those that each completed
}

func (h *heard) hear(b Batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.batches, h.ids = append(h.batches, b), append(h.ids, slices.Collect(b.Completed))
}

func (h *heard) last() (Batch, []int64, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.batches)
	if n == 0 {
		return Batch{}, nil, 0
	}
	return h.batches[n-1], h.ids[n-1], n
}

func TestEachTransactionIsTold(t *testing.T) {
	var h heard
	db := openDB(t)
	r := startRecorder(t, db, Options{OnBatch: h.hear, Delay: time.Hour, Batch: 4})
	begin := func(i int) *Record {
		rec := request(i)
		if err := r.Begin(t.Context(), &rec); err != nil {
			t.Fatal(err)
		}
		return &rec
	}
	end := func(rec *Record) {
		finish(rec)
		if err := r.End(rec); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := r.Backlog(); n != 0 {
		t.Errorf("the backlog of nothing is %d", n)
	}
	before := time.Now()
	one, two, three := begin(1), begin(2), begin(3)
	if n, since := r.Backlog(); n != 3 || since.Before(before) || since.After(time.Now()) {
		t.Errorf("the backlog is %d since %v", n, since)
	}
	end(two) // the fourth event
	flush(t, r)
	if b, ids, n := h.last(); n != 1 || b.Records != 3 || b.Err != nil || !slices.Equal(ids, []int64{two.ID}) || b.Ended.Before(b.Began) || b.Began.Before(before) {
		t.Errorf("%d batches, the last %+v completes %v", n, b, ids)
	}
	if n, _ := r.Backlog(); n != 0 {
		t.Errorf("the backlog is %d", n)
	}
	mend := fail(t, db)
	end(one)
	end(three)
	begin(4)
	five := begin(5)
	eventually(t, "told of the failure", func() bool { b, _, n := h.last(); return n > 1 && b.Err != nil })
	if n, since := r.Backlog(); n != 4 || since.IsZero() {
		t.Errorf("the backlog is %d since %v", n, since)
	}
	mend()
	flush(t, r)
	if b, ids, _ := h.last(); b.Err != nil || b.Records != 4 || !slices.Equal(ids, []int64{one.ID, three.ID}) {
		t.Errorf("the last batch %+v completes %v", b, ids)
	}
	end(five)
}
