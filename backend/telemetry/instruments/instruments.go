// Package instruments is every span and every metric of the server, declared in one place and told
// by the parts through small interfaces of their own. What is told is metadata, as the audit has it;
// none of it has a field for content.
package instruments

import (
	"context"
	"errors"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const (
	// maxModel bounds the name of a model, which a client may have made up.
	maxModel = 128
	// maxLearned bounds how many names of models become known by being answered.
	maxLearned = 100
	// maxSeries bounds the attribute sets that are kept ready.
	maxSeries = 2000
	// other stands for a model that is not known.
	other = "_other"
)

// Set is the server's instruments.
type Set struct {
	tracer trace.Tracer // nil when no spans are sent
	meter  metric.Meter
	trace  propagation.TextMapPropagator

	requests, loads, crashes, failures              metric.Int64Counter
	tokens, batch                                   metric.Int64Histogram
	duration, first, perToken, loadDuration, writes metric.Float64Histogram
	mu                                              sync.RWMutex
	series                                          map[seriesKey]*series
	learned                                         map[string]bool

	linkMu sync.Mutex
	links  map[int64]trace.SpanContext // requests that run, by the number of their record
}

// New makes the instruments. tracer is nil when nobody wants spans.
func New(tracer trace.Tracer, meter metric.Meter) (*Set, error) {
	s := &Set{
		tracer: tracer, meter: meter,
		trace:  propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
		series: map[seriesKey]*series{}, learned: map[string]bool{}, links: map[int64]trace.SpanContext{},
	}
	err := errors.Join(
		s.counter(&s.requests, requests), s.counter(&s.loads, engineLoads), s.counter(&s.crashes, engineCrashes), s.counter(&s.failures, batchFailures),
		s.count(&s.tokens, tokenUsage), s.count(&s.batch, batchRecords),
		s.seconds(&s.duration, requestDuration), s.seconds(&s.first, firstToken), s.seconds(&s.perToken, perToken),
		s.seconds(&s.loadDuration, loadDuration), s.seconds(&s.writes, batchDuration),
	)
	if err != nil {
		return nil, err
	}
	s.failures.Add(context.Background(), 0) // a count that is not there cannot be seen to rise
	return s, nil
}

func (s *Set) counter(to *metric.Int64Counter, i Instrument) (err error) {
	*to, err = s.meter.Int64Counter(i.Name, metric.WithUnit(i.Unit), metric.WithDescription(i.Description))
	return err
}

func (s *Set) count(to *metric.Int64Histogram, i Instrument) (err error) {
	*to, err = s.meter.Int64Histogram(i.Name, metric.WithUnit(i.Unit), metric.WithDescription(i.Description), metric.WithExplicitBucketBoundaries(i.bounds...))
	return err
}

func (s *Set) seconds(to *metric.Float64Histogram, i Instrument) (err error) {
	*to, err = s.meter.Float64Histogram(i.Name, metric.WithUnit(i.Unit), metric.WithDescription(i.Description), metric.WithExplicitBucketBoundaries(i.bounds...))
	return err
}

// short bounds a name that somebody else chose, and makes it text: with one that is none, the
// whole batch of spans could not be sent.
func short(name string) string {
	if len(name) > maxModel {
		name = name[:maxModel]
	}
	return strings.ToValidUTF8(name, "")
}

func text(key, value string) attribute.KeyValue {
	return attribute.String(key, strings.ToValidUTF8(value, ""))
}
