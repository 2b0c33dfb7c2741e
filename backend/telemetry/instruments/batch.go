package instruments

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"mlxbar/backend/audit"
)

// linksPerBatch is how many requests one span of a batch is linked to at most.
const linksPerBatch = 128

// remember keeps the span of a request until its record is written.
func (s *Set) remember(id int64, span trace.SpanContext) {
	s.linkMu.Lock()
	defer s.linkMu.Unlock()
	if len(s.links) < maxLinks {
		s.links[id] = span
	}
}

// Written is told of each transaction of the audit.
func (s *Set) Written(b audit.Batch) {
	ctx := context.Background()
	if b.Err != nil {
		s.failures.Add(ctx, 1)
	} else {
		s.batch.Record(ctx, int64(b.Records))
		s.writes.Record(ctx, b.Ended.Sub(b.Began).Seconds())
	}
	if s.tracer == nil {
		return
	}
	_, span := s.tracer.Start(ctx, "audit batch", trace.WithNewRoot(), trace.WithTimestamp(b.Began),
		trace.WithAttributes(attribute.Int(keyRecords, b.Records)), trace.WithLinks(s.linksOf(b)...))
	if b.Err != nil {
		span.SetAttributes(text(keyErrorType, "failed"))
		span.SetStatus(codes.Error, "failed")
	}
	span.End(trace.WithTimestamp(b.Ended))
}

// linksOf are the requests that a batch completed. Those of one that failed are kept for the
// next try.
func (s *Set) linksOf(b audit.Batch) (links []trace.Link) {
	s.linkMu.Lock()
	defer s.linkMu.Unlock()
	for id := range b.Completed {
		span, ok := s.links[id]
		if !ok {
			continue
		}
		if len(links) < linksPerBatch {
			links = append(links, trace.Link{SpanContext: span})
		}
		if b.Err == nil {
			delete(s.links, id)
		}
	}
	return links
}
