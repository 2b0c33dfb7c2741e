package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"mlxbar/backend/storage"
)

// Options tune a Recorder; the zero value is the usual one.
type Options struct {
	// Strict makes Begin and End wait until their record is on the disk.
	Strict bool
	// Queue is how many events may wait for the disk; 0 means 4096.
	Queue int
	// Batch is how many events are written without waiting for more; 0 means 128.
	Batch int
	// Delay is how long the first event of a batch waits for others; 0 means 25 ms.
	Delay time.Duration
	// OnBegin and OnEnd are called in Begin and End once the record is queued.
	// They must be quick. They may keep the record: what its pointers lead to is
	// not changed after the call.
	OnBegin, OnEnd func(Record)
	// OnHealth is called when the disk starts to fail, with the cause, and with nil
	// when it works again. It must be quick.
	OnHealth func(error)
	// OnBatch is called after each transaction, by the goroutine that wrote it. It must be quick.
	OnBatch func(Batch)
	// Log hears when the disk starts and stops to fail; nil means slog.Default().
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Queue <= 0 {
		o.Queue = 4096
	}
	if o.Batch <= 0 {
		o.Batch = 128
	}
	o.Batch = min(o.Batch, o.Queue)
	if o.Delay <= 0 {
		o.Delay = 25 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// Errors of Begin and End; the gateway translates them.
var (
	// ErrUnavailable tells that the audit cannot be written at present.
	ErrUnavailable = errors.New("the audit cannot be written")
	// ErrClosed tells that the recorder has been closed.
	ErrClosed = errors.New("the audit recorder is closed")
)

// Recorder takes records off the path of requests and writes them in batches,
// one goroutine and one transaction at a time. It is safe for concurrent use.
type Recorder struct {
	opts   Options
	queue  *queue
	writer *writer
	lastID atomic.Int64
	strict atomic.Bool

	closing   chan struct{} // closed by Close: no more waiting for company
	abandon   chan struct{} // closed when Close runs out of time: no more retries
	ended     chan struct{} // closed when the goroutine has ended
	closeOnce sync.Once
	closeErr  error
}

// NewRecorder starts a recorder on db; ctx bounds the start alone. The owner must
// Close it before db.
func NewRecorder(ctx context.Context, db *storage.DB, opts Options) (*Recorder, error) {
	if db.Writer == nil {
		return nil, ErrReadOnly
	}
	opts = opts.withDefaults()
	r := &Recorder{
		opts: opts, queue: newQueue(opts.Queue, opts.Batch), writer: &writer{db: db.Writer},
		closing: make(chan struct{}), abandon: make(chan struct{}), ended: make(chan struct{}),
	}
	r.strict.Store(opts.Strict)
	var last int64
	if err := db.Readers.QueryRowContext(ctx, `SELECT max(coalesce((SELECT max(id) FROM requests), 0), last_id) FROM audit_state`).Scan(&last); err != nil {
		return nil, fmt.Errorf("start the audit recorder: %w", err)
	}
	r.lastID.Store(last)
	go r.run()
	return r, nil
}

// SetStrict changes the durability from the next record on.
func (r *Recorder) SetStrict(strict bool) { r.strict.Store(strict) }

// Begin records that rec's request has started: it sets ID and Status, and
// StartedAt if it is zero, and cuts StartedAt to UTC milliseconds. It waits only
// while the queue is full or, in strict mode, for the disk. On an error (ctx's
// end, ErrUnavailable, ErrClosed) nothing is kept, and the request must not be served.
func (r *Recorder) Begin(ctx context.Context, rec *Record) error {
	if rec.StartedAt.IsZero() {
		rec.StartedAt = time.Now()
	}
	rec.StartedAt = rec.StartedAt.UTC().Truncate(time.Millisecond)
	rec.ID = r.lastID.Add(1)
	rec.Status = Running
	strict := r.strict.Load()
	b, err := r.queue.putStart(ctx, event{rowOf(rec), start}, strict)
	if err != nil {
		return err
	}
	if strict {
		if err := r.wait(ctx, b); err != nil {
			r.queue.force(event{rowOf(rec), withdrawal})
			return err
		}
	}
	if r.opts.OnBegin != nil {
		r.opts.OnBegin(*rec)
	}
	return nil
}

// End completes a record that Begin took; Status must be an end. It waits while
// the queue is full, for as long as that takes, for no record is dropped. In
// strict mode it also waits for the disk: ErrUnavailable then means that the
// record is still queued and is written when the disk recovers.
func (r *Recorder) End(rec *Record) error {
	if rec.ID == 0 {
		return errors.New("end of a record that was never begun")
	}
	if rec.Status == Running || !slices.Contains(statuses, rec.Status) {
		return fmt.Errorf("record %d cannot end with status %q", rec.ID, rec.Status)
	}
	b, err := r.queue.putEnd(event{rowOf(rec), end})
	if err != nil {
		return err
	}
	if r.strict.Load() {
		err = r.wait(context.Background(), b)
	}
	if r.opts.OnEnd != nil {
		r.opts.OnEnd(*rec)
	}
	return err
}

// Flush waits until everything that was queued before the call is on the disk.
func (r *Recorder) Flush(ctx context.Context) error {
	b := r.queue.last()
	if b == nil {
		return nil
	}
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.ended:
		return r.closedOr(b)
	}
}

// Backlog tells how many events are not on the disk yet, and since when the oldest waits.
func (r *Recorder) Backlog() (events int, since time.Time) { return r.queue.backlog() }

// Err tells why records cannot be written at present; nil when all is well.
func (r *Recorder) Err() error { return r.queue.failure() }

// Close takes no more records, writes what is queued and ends the recorder. If
// ctx ends first, it gives up and says how many events were lost.
func (r *Recorder) Close(ctx context.Context) error {
	r.closeOnce.Do(func() {
		r.queue.close()
		close(r.closing)
		select {
		case <-r.ended:
		case <-ctx.Done():
			close(r.abandon)
			<-r.ended
		}
		if n := r.queue.length(); n > 0 {
			r.closeErr = fmt.Errorf("close the audit recorder: %d events were not written: %w",
				n, errors.Join(context.Cause(ctx), r.Err()))
		}
	})
	return r.closeErr
}

// wait waits for b to be on the disk, or for a reason to stop waiting.
func (r *Recorder) wait(ctx context.Context, b *batch) error {
	select {
	case <-b.done:
		return nil
	case <-b.refused:
		select { // both may have come
		case <-b.done:
			return nil
		default:
			return unavailable(r.Err())
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-r.ended:
		return r.closedOr(b)
	}
}

func (r *Recorder) closedOr(b *batch) error {
	select {
	case <-b.done:
		return nil
	default:
		return ErrClosed
	}
}

func unavailable(cause error) error {
	if cause == nil {
		return ErrUnavailable
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, cause)
}

// run is the recorder's goroutine.
func (r *Recorder) run() {
	defer close(r.ended)
	defer r.writer.close()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		closing := false
		select {
		case <-r.queue.some:
		case <-r.closing:
			closing = true
		}
		if !closing && !r.strict.Load() {
			timer.Reset(r.opts.Delay)
			select {
			case <-timer.C:
			case <-r.queue.many:
			case <-r.closing:
			}
		}
		b := r.queue.take()
		if b != nil && !r.commit(b) {
			return
		}
		if b == nil && closing {
			return
		}
	}
}

// commit writes b, however often it takes; false means that Close gave up.
func (r *Recorder) commit(b *batch) bool {
	pause := backoff.ExponentialBackOff{
		InitialInterval: 50 * time.Millisecond, Multiplier: 2, RandomizationFactor: 0.2, MaxInterval: 2 * time.Second,
	}
	pause.Reset()
	for failed := false; ; failed = true {
		err := r.write(b.events)
		if err == nil {
			if failed {
				r.opts.Log.Info("audit is written again", "events", len(b.events))
			}
			r.queue.committed(b)
			if failed && r.opts.OnHealth != nil {
				r.opts.OnHealth(nil)
			}
			return true
		}
		if !failed {
			r.opts.Log.Error("audit cannot be written; retrying", "error", err, "events", len(b.events))
		}
		r.queue.refused(b, err)
		if !failed && r.opts.OnHealth != nil {
			r.opts.OnHealth(err)
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-r.abandon:
			return false
		}
	}
}
