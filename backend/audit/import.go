package audit

import (
	"context"
	"iter"
)

// importBatch is how many records Import writes in one transaction.
const importBatch = 8192

// Import adds records as they are, id and all, past any recorder: none may be at work
// and no id may be taken. It returns how many there were.
func (s *Store) Import(ctx context.Context, records iter.Seq[*Record]) (n int64, err error) {
	if s.db.Writer == nil {
		return 0, ErrReadOnly
	}
	w := &writer{db: s.db.Writer}
	defer w.close()
	events := make([]event, 0, importBatch)
	for r := range records {
		if events = append(events, event{rowOf(r), start}); len(events) < importBatch {
			continue
		}
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if err := w.write(events, false); err != nil {
			return n, err
		}
		n, events = n+int64(len(events)), events[:0]
	}
	if err := w.write(events, false); err != nil {
		return n, err
	}
	return n + int64(len(events)), nil
}
