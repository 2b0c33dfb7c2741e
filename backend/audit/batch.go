package audit

import (
	"iter"
	"time"
)

// Batch is one transaction, or one that failed.
type Batch struct {
	Began, Ended time.Time
	Records      int
	Err          error
	// Completed gives the ids of the records that have their end in it. It holds during the call.
	Completed iter.Seq[int64]
}

// write puts events into one transaction, and tells who wants to hear of it.
func (r *Recorder) write(events []event) error {
	began := time.Now()
	err := r.writer.write(events, r.strict.Load())
	if r.opts.OnBatch == nil {
		return err
	}
	b := Batch{Began: began, Ended: time.Now(), Err: err, Completed: func(yield func(int64) bool) {
		for i := range events {
			if e := &events[i]; e.kind != dead && e.row.status != Running && !yield(e.row.id) {
				return
			}
		}
	}}
	for i := range events {
		if events[i].kind != dead {
			b.Records++
		}
	}
	r.opts.OnBatch(b)
	return err
}
