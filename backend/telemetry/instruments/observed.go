package instruments

import (
	"context"
	"errors"
	"os"
	"runtime/metrics"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"go.opentelemetry.io/otel/metric"

	"mlxbar/backend/engine"
)

// Sources are asked when somebody reads the metrics, and never else.
type Sources struct {
	InFlight, Waiting func() int64
	Engines           func() []engine.Status
	MemoryLimit       func() int64 // what engines may take together, 0 for no limit
	// Backlog is the audit's: how many events are not on the disk, and since when.
	Backlog   func() (events int, since time.Time)
	StartedAt time.Time
}

// Observe has the gauges read from sources.
func (s *Set) Observe(from Sources) error {
	return errors.Join(
		s.gauge(inFlight, func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(float64(from.InFlight()))
			return nil
		}),
		s.gauge(waiting, func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(float64(from.Waiting()))
			return nil
		}),
		s.gauge(auditLag, func(_ context.Context, o metric.Float64Observer) error {
			lag := 0.0
			if n, since := from.Backlog(); n > 0 {
				lag = time.Since(since).Seconds()
			}
			o.Observe(lag)
			return nil
		}),
		s.gauge(auditQueue, func(_ context.Context, o metric.Float64Observer) error {
			n, _ := from.Backlog()
			o.Observe(float64(n))
			return nil
		}),
		s.gauge(memoryLimit, func(_ context.Context, o metric.Float64Observer) error {
			if limit := from.MemoryLimit(); limit > 0 {
				o.Observe(float64(limit))
			}
			return nil
		}),
		s.engines(from.Engines), s.process(from.StartedAt), s.runtime(),
	)
}

func (s *Set) gauge(i Instrument, read metric.Float64Callback) error {
	_, err := s.meter.Float64ObservableGauge(i.Name, metric.WithUnit(i.Unit), metric.WithDescription(i.Description), metric.WithFloat64Callback(read))
	return err
}

func (s *Set) total(i Instrument, read metric.Float64Callback) error {
	_, err := s.meter.Float64ObservableCounter(i.Name, metric.WithUnit(i.Unit), metric.WithDescription(i.Description), metric.WithFloat64Callback(read))
	return err
}

func (s *Set) engines(all func() []engine.Status) error {
	loaded := func(e engine.Status) bool { return e.PID != 0 }
	charged := func(e engine.Status) bool { return e.Charged > 0 }
	counted := func(e engine.Status) bool { return loaded(e) && e.Slots > 0 }
	each := func(of func(engine.Status) bool, value func(engine.Status) float64) metric.Float64Callback {
		return func(_ context.Context, o metric.Float64Observer) error {
			for _, e := range all() {
				if of(e) {
					o.Observe(value(e), metric.WithAttributes(text(keyEngine, e.Engine), text(keyRequestModel, short(e.Model))))
				}
			}
			return nil
		}
	}
	return errors.Join(
		s.gauge(engineMemory, each(loaded, func(e engine.Status) float64 { return float64(e.MemoryBytes) })),
		s.gauge(memoryUsed, each(charged, func(e engine.Status) float64 { return float64(e.Charged) })),
		s.gauge(engineInFlight, each(loaded, func(e engine.Status) float64 { return float64(e.InFlight) })),
		s.gauge(engineSlots, each(counted, func(e engine.Status) float64 { return float64(e.Slots) })),
		s.gauge(engineWaiting, each(counted, func(e engine.Status) float64 { return float64(e.Waiting) })),
	)
}

func (s *Set) process(startedAt time.Time) error {
	self := &process.Process{Pid: int32(os.Getpid())}
	return errors.Join(
		s.gauge(processMemory, func(ctx context.Context, o metric.Float64Observer) error {
			if m, err := self.MemoryInfoWithContext(ctx); err == nil { // what the system does not tell is left out
				o.Observe(float64(m.RSS))
			}
			return nil
		}),
		s.total(processCPU, func(ctx context.Context, o metric.Float64Observer) error {
			if t, err := self.TimesWithContext(ctx); err == nil {
				o.Observe(t.User + t.System)
			}
			return nil
		}),
		s.gauge(processUptime, func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(time.Since(startedAt).Seconds())
			return nil
		}),
	)
}

// runtime tells what the Go runtime says of itself, under OpenTelemetry's names.
func (s *Set) runtime() error {
	read := func(name string) float64 {
		sample := []metrics.Sample{{Name: name}}
		metrics.Read(sample)
		return float64(sample[0].Value.Uint64())
	}
	return errors.Join(
		s.gauge(goMemory, func(_ context.Context, o metric.Float64Observer) error {
			stacks := read("/memory/classes/heap/stacks:bytes")
			held := read("/memory/classes/total:bytes") - read("/memory/classes/heap/released:bytes")
			o.Observe(stacks, metric.WithAttributes(text(keyMemoryType, "stack")))
			o.Observe(held-stacks, metric.WithAttributes(text(keyMemoryType, "other")))
			return nil
		}),
		s.total(goAllocated, func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(read("/gc/heap/allocs:bytes"))
			return nil
		}),
		s.gauge(goroutines, func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(read("/sched/goroutines:goroutines"))
			return nil
		}),
	)
}
