package audit

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
)

// locator finds any part of the matching records without passing over what lies before
// it: the sums tell in which blocks of ids, or within which bounds of a figure, it lies.
type locator struct {
	store  *Store
	filter Filter
	view   View
	until  int64
	hidden hidden
}

// limits say when which way is the shorter one.
type limits struct {
	// shallow is how many rows an index passes over sooner than the sums are asked.
	shallow int64
	// scarce is how many records are sorted sooner than found by their place.
	scarce int64
	// rowsPerBlock is how many rows are looked up by an index in the time of reading a block.
	rowsPerBlock int64
	// parts is how many blocks or names are read one after the other before another way
	// is looked for.
	parts int
}

var usualLimits = limits{shallow: 2000, scarce: 5000, rowsPerBlock: 400, parts: 16}

// find returns up to limit records after the first offset ones.
func (l *locator) find(ctx context.Context, offset int64, limit int) ([]Record, error) {
	by := l.view.Sort
	plain := l.filter == Filter{} && by.named() // the sort's index has all that is asked
	switch {
	case plain && offset <= l.store.limits.shallow:
		return l.read(ctx, l.all(), l.order(by), limit, offset)
	case by.named() && l.filter.name(by) == "":
		return l.byName(ctx, offset, limit)
	case by == ByDuration, by == ByTokens:
		return l.byFigure(ctx, offset, limit)
	case l.simple() && offset <= l.store.limits.shallow:
		return l.read(ctx, l.all(), l.order(ByStart), limit, offset)
	}
	return l.byStart(ctx, l.filter, offset, limit)
}

// simple tells whether one index has the matching records in the order of their start.
func (l *locator) simple() bool {
	f := l.filter
	n := 0
	for _, set := range []bool{f.Model != "", f.Backend != "", f.Endpoint != "", f.Status != ""} {
		if set {
			n++
		}
	}
	seldom := f.Status != "" && Status(f.Status) != Success && Status(f.Status) != Failed && Status(f.Status) != Running
	return n <= 1 && !seldom && f.From.IsZero() && f.To.IsZero()
}

// all are the matching records.
func (l *locator) all() *clause { return l.matching(l.filter) }

func (l *locator) matching(f Filter) *clause {
	w := where(f)
	l.hidden.exclude(w)
	w.atMost(l.until)
	return w
}

func (l *locator) order(by Sort) string {
	direction := "DESC"
	if l.view.Ascending {
		direction = "ASC"
	}
	if by == ByStart {
		return "id " + direction
	}
	return fmt.Sprintf("%s %s, id %s", by, direction, direction)
}

func (l *locator) read(ctx context.Context, w *clause, order string, limit int, offset int64) ([]Record, error) {
	return l.store.selectRecords(ctx, w, order, limit, offset)
}

// count takes a census of f.
func (l *locator) count(ctx context.Context, f Filter, of Sort) (*census, error) {
	tx, err := l.store.db.Readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	c := newCensus(ctx, tx, f, l.until, of)
	return c, c.take(ctx, 0)
}

// part is a run of records and how many there are.
type part[T any] struct {
	key T
	n   int64
}

// needed are the parts, in order, that hold limit records after the first offset ones,
// and how many of the first part's are to be passed over.
func needed[T any](parts []part[T], offset int64, limit int) ([]part[T], int64) {
	for len(parts) > 0 && (parts[0].n <= 0 || parts[0].n <= offset) {
		offset -= max(0, parts[0].n)
		parts = parts[1:]
	}
	have := -offset
	for i, p := range parts {
		if have += p.n; have >= int64(limit) {
			return parts[:i+1], offset
		}
	}
	return parts, offset
}

// inOrder are a map's counts as parts.
func inOrder[T int64 | string | int](counts map[T]int64, ascending bool) []part[T] {
	parts := make([]part[T], 0, len(counts))
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, part[T]{k, counts[k]})
	}
	if !ascending {
		slices.Reverse(parts)
	}
	return parts
}

// byStart reads the blocks that hold the page, or walks an index when that is less.
func (l *locator) byStart(ctx context.Context, f Filter, offset int64, limit int) ([]Record, error) {
	c, err := l.count(ctx, f, ByStart)
	if err != nil {
		return nil, err
	}
	blocks, offset := needed(inOrder(c.blocks, l.view.Ascending), offset, limit)
	if len(blocks) == 0 {
		return []Record{}, nil
	}
	if len(blocks) > l.store.limits.parts {
		if index, rows, err := l.bestIndex(ctx, f); err != nil {
			return nil, err
		} else if index != "" && rows < int64(len(blocks))*l.store.limits.rowsPerBlock {
			w := l.matching(f)
			w.index = index
			ends := []int64{blocks[0].key, blocks[len(blocks)-1].key}
			w.atLeast(slices.Min(ends) * blockSize)
			w.atMost((slices.Max(ends)+1)*blockSize - 1)
			return l.read(ctx, w, l.order(ByStart), limit, offset)
		}
	}
	return l.eachPart(ctx, len(blocks), offset, limit, func(i int, offset int64, limit int) ([]Record, error) {
		w := l.matching(f)
		w.atLeast(blocks[i].key * blockSize)
		w.atMost((blocks[i].key+1)*blockSize - 1)
		w.index = notIndexed
		return l.read(ctx, w, l.order(ByStart), limit, offset)
	})
}

// eachPart reads n parts one after the other until limit records are there.
func (l *locator) eachPart(ctx context.Context, n int, offset int64, limit int, read func(i int, offset int64, limit int) ([]Record, error)) ([]Record, error) {
	records := make([]Record, 0, limit)
	for i := range n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		more, err := read(i, offset, limit-len(records))
		if err != nil {
			return nil, err
		}
		if records = append(records, more...); len(records) >= limit {
			break
		}
		offset = 0
	}
	return records, nil
}

// bestIndex is the index of f that has the fewest rows, and how many these are.
func (l *locator) bestIndex(ctx context.Context, f Filter) (index string, rows int64, err error) {
	for _, x := range []struct {
		index string
		set   bool
		alone Filter
	}{
		{"requests_model", f.Model != "" || f.Blank == ByModel, Filter{}.only(ByModel, f.Model)},
		{"requests_backend", f.Backend != "" || f.Blank == ByBackend, Filter{}.only(ByBackend, string(f.Backend))},
		{"requests_endpoint", f.Endpoint != "" || f.Blank == ByEndpoint, Filter{}.only(ByEndpoint, f.Endpoint)},
		{"requests_errors", f.Status != "" && Status(f.Status) != Success && Status(f.Status) != Running, Filter{Status: string(Failed)}},
	} {
		if !x.set {
			continue
		}
		c, err := l.count(ctx, x.alone, ByStart)
		if err != nil {
			return "", 0, err
		}
		n := int64(0)
		for _, b := range c.blocks {
			n += b
		}
		if index == "" || n < rows {
			index, rows = x.index, n
		}
	}
	return index, rows, nil
}

// byFigure finds the bounds between which the page lies, by the histograms. Records
// without the figure are the last when it descends and the first when it ascends.
func (l *locator) byFigure(ctx context.Context, offset int64, limit int) ([]Record, error) {
	figure := string(l.view.Sort)
	c, err := l.count(ctx, l.filter, l.view.Sort)
	if err != nil {
		return nil, err
	}
	if c.stats.Total <= l.store.limits.scarce {
		return l.sorted(ctx, limit, offset)
	}
	for _, v := range c.values {
		c.spread.addOne(v)
	}
	without := c.stats.Total - c.spread.n
	counts := map[int]int64{-1: without} // bucket -1 is where the figure is not known
	for bucket, n := range c.spread.counts {
		if n > 0 {
			counts[bucket] = n
		}
	}
	parts, offset := needed(inOrder(counts, l.view.Ascending), offset, limit)
	var runs [][2]int // of buckets that lie side by side; the one without figures is a run of its own
	for _, p := range parts {
		if last := len(runs) - 1; last >= 0 && p.key >= 0 && runs[last][0] >= 0 {
			runs[last] = [2]int{min(runs[last][0], p.key), max(runs[last][1], p.key)}
		} else {
			runs = append(runs, [2]int{p.key, p.key})
		}
	}
	return l.eachPart(ctx, len(runs), offset, limit, func(i int, offset int64, limit int) ([]Record, error) {
		return l.between(ctx, figure, runs[i][0], runs[i][1], limit, offset)
	})
}

// between reads from a run of buckets. The figure's index has them in runs of 1024 ids, so that
// their ids are found and sorted first, and only the page's records are read.
func (l *locator) between(ctx context.Context, figure string, low, high, limit int, offset int64) ([]Record, error) {
	inner, order := l.all(), l.order(l.view.Sort)
	inner.index = "requests_" + figure
	if low < 0 {
		inner.and(figure + " IS NULL")
		order = l.order(ByStart)
	} else {
		inner.and(figure + " IS NOT NULL")
		if low > 0 {
			inner.and(figure+" >= ?", lowerBounds[low])
		}
		if high+1 < buckets {
			inner.and(figure+" < ?", lowerBounds[high+1])
		}
	}
	inner.and("id / 1024 = run")
	w := &clause{}
	w.and(`id IN (WITH RECURSIVE runs (run) AS (SELECT (SELECT coalesce(min(id), 0) FROM requests) / 1024
		UNION ALL SELECT run + 1 FROM runs WHERE run < ? / 1024)
		SELECT id FROM runs CROSS JOIN `+inner.from()+inner.sql()+" ORDER BY "+order+" LIMIT ? OFFSET ?)",
		append(append([]any{l.until}, inner.values()...), limit, offset)...)
	return l.read(ctx, w, order, limit, 0)
}

// sorted finds the few matching records by the index that has the fewest rows.
func (l *locator) sorted(ctx context.Context, limit int, offset int64) ([]Record, error) {
	w := l.all()
	var err error
	if w.index, _, err = l.bestIndex(ctx, l.filter); err != nil {
		return nil, err
	}
	return l.read(ctx, w, l.order(l.view.Sort), limit, offset)
}
