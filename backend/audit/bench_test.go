package audit

import (
	"context"
	"syscall"
	"testing"
	"time"
)

// cpuTime is what this process has used, in all its threads.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRecorder measures a request's start and end from Begin to the disk.
// cpu-ns/op is all the processor time of that, the writer's included.
func BenchmarkRecorder(b *testing.B) {
	for _, mode := range []struct {
		name string
		opts Options
	}{{"merged", Options{}}, {"apart", Options{Batch: 1, Delay: 1}}, {"strict", Options{Strict: true}}} {
		b.Run(mode.name, func(b *testing.B) {
			r := startRecorder(b, openDB(b), mode.opts)
			cpu := cpuTime(b)
			for i := 0; b.Loop(); i++ {
				rec := request(i)
				if err := r.Begin(b.Context(), &rec); err != nil {
					b.Fatal(err)
				}
				finish(&rec)
				if err := r.End(&rec); err != nil {
					b.Fatal(err)
				}
			}
			if err := r.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkQueue measures what a request itself waits for while the disk keeps up.
func BenchmarkQueue(b *testing.B) {
	q := newQueue(1<<30, 1<<30)
	rec := request(1)
	finish(&rec)
	for i := 0; b.Loop(); i++ {
		if _, err := q.putStart(b.Context(), event{rowOf(&rec), start}, false); err != nil {
			b.Fatal(err)
		}
		if _, err := q.putEnd(event{rowOf(&rec), end}); err != nil {
			b.Fatal(err)
		}
		if i%2000 == 1999 {
			q.committed(q.take())
		}
	}
}

// BenchmarkWriter measures a batch of 512 requests that started and ended in it.
func BenchmarkWriter(b *testing.B) {
	w := &writer{db: openDB(b).Writer}
	defer w.close()
	const pairs = 512
	events := make([]event, 0, 2*pairs)
	var id int64
	cpu := cpuTime(b)
	for b.Loop() {
		events = events[:0]
		for range pairs {
			id++
			rec := request(int(id))
			rec.ID, rec.StartedAt = id, time.UnixMilli(1_700_000_000_000+id)
			finish(&rec)
			events = append(events, event{rowOf(&rec), start}, event{rowOf(&rec), end})
		}
		if err := w.write(events, false); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N)/pairs, "cpu-ns/pair")
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/pairs, "ns/pair")
}
