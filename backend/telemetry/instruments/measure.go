package instruments

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"mlxbar/backend/audit"
)

// seriesKey is what the metrics of a request differ by.
type seriesKey struct {
	endpoint, provider, model, failure string
	backend                            audit.Backend
	status                             audit.Status
}

// series are attribute sets, made once: to sort and compare them costs more than to count.
type series struct {
	requests      []metric.AddOption
	duration      []metric.RecordOption
	plain         []metric.RecordOption
	input, output []metric.RecordOption
}

// measure counts a request that has ended.
func (s *Set) measure(ctx context.Context, rec *audit.Record) {
	e := s.seriesOf(seriesKey{
		endpoint: rec.Endpoint, provider: rec.Provider, model: s.known(rec), failure: rec.ErrorType, backend: rec.Backend, status: rec.Status,
	}, rec)
	s.requests.Add(ctx, 1, e.requests...)
	if rec.DurationMS != nil {
		s.duration.Record(ctx, *rec.DurationMS/1000, e.duration...)
	}
	if rec.TTFTMS != nil {
		s.first.Record(ctx, *rec.TTFTMS/1000, e.plain...)
	}
	if n := rec.CompletionTokens; n != nil && *n > 1 && rec.TTFTMS != nil && rec.DurationMS != nil && rec.Status == audit.Success {
		s.perToken.Record(ctx, (*rec.DurationMS-*rec.TTFTMS)/1000/float64(*n-1), e.plain...)
	}
	if rec.PromptTokens != nil {
		s.tokens.Record(ctx, *rec.PromptTokens, e.input...)
	}
	if rec.CompletionTokens != nil {
		s.tokens.Record(ctx, *rec.CompletionTokens, e.output...)
	}
}

// known is the model as metrics may name it: one of this machine's, or one that a provider has
// answered for. A client can make up names, and each would be a series for good.
func (s *Set) known(rec *audit.Record) string {
	if rec.Backend == audit.Local {
		if rec.Provider == "" { // no engine has it
			return other
		}
		return short(rec.ServedModel)
	}
	s.mu.RLock()
	learned, full := s.learned[rec.Model], len(s.learned) >= maxLearned
	s.mu.RUnlock()
	if learned {
		return rec.Model
	}
	if full || rec.Status != audit.Success || rec.Model != short(rec.Model) {
		return other
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.learned) >= maxLearned && !s.learned[rec.Model] {
		return other
	}
	s.learned[rec.Model] = true
	return rec.Model
}

func (s *Set) seriesOf(key seriesKey, rec *audit.Record) *series {
	s.mu.RLock()
	e, ok := s.series[key]
	s.mu.RUnlock()
	if ok {
		return e
	}
	e = newSeries(key, rec)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.series) < maxSeries {
		s.series[key] = e
	}
	return e
}

func newSeries(key seriesKey, rec *audit.Record) *series {
	plain := []attribute.KeyValue{
		text(keyOperation, Operation(key.endpoint)), text(keyProviderName, providerName(rec)), text(keyRequestModel, key.model),
		text(keyBackend, string(key.backend)), text(keyProvider, key.provider),
	}
	with := func(more ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(plain[:len(plain):len(plain)], more...)...))
	}
	var failure []attribute.KeyValue
	if key.failure != "" {
		failure = []attribute.KeyValue{text(keyErrorType, key.failure)}
	}
	return &series{
		requests: []metric.AddOption{with(append(failure, text(keyStatus, string(key.status)))...)},
		duration: []metric.RecordOption{with(failure...)},
		plain:    []metric.RecordOption{with()},
		input:    []metric.RecordOption{with(text(keyTokenType, "input"))},
		output:   []metric.RecordOption{with(text(keyTokenType, "output"))},
	}
}
