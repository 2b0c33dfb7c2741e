package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Limits of a page.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Sort is a column that pages can be sorted by.
type Sort string

// The columns that have an index. Records without a figure in the column come last
// when it descends and first when it ascends. Equal ones are in the order of their start.
const (
	ByStart    Sort = "started_at"
	ByModel    Sort = "model"
	ByBackend  Sort = "backend"
	ByEndpoint Sort = "endpoint"
	ByDuration Sort = "duration_ms"
	ByTokens   Sort = "total_tokens"
)

var sorts = []Sort{ByStart, ByModel, ByBackend, ByEndpoint, ByDuration, ByTokens}

// named tells whether the column holds names, for each of which there are sums.
func (s Sort) named() bool { return s == ByModel || s == ByBackend || s == ByEndpoint }

// View says which part of the matching records is wanted, and in which order. The zero
// value, but for the limit, is the newest ones first.
type View struct {
	Sort      Sort // "" is ByStart
	Ascending bool
	Offset    int64  // records to pass over
	Until     *int64 // only records with this id or a lower one, so that offsets stay what they are; nil: all
	Cursor    string // the next of an earlier page; not with another order or an offset
	Limit     int
}

// sequential tells whether v is in the order that cursors go by.
func (v View) sequential() bool { return (v.Sort == "" || v.Sort == ByStart) && !v.Ascending }

// ParseView reads a view from named parameters: sort, order, offset, until, cursor and
// limit. It tells of every fault.
func ParseView(get func(name string) string) (View, []FieldError) {
	v := View{Sort: Sort(get("sort")), Cursor: get("cursor"), Limit: DefaultLimit}
	var faults []FieldError
	if v.Sort == "" {
		v.Sort = ByStart
	}
	if !slices.Contains(sorts, v.Sort) {
		faults = append(faults, oneOf("sort", string(v.Sort), sorts))
	}
	switch order := get("order"); order {
	case "", "desc":
	case "asc":
		v.Ascending = true
	default:
		faults = append(faults, oneOf("order", order, []string{"asc", "desc"}))
	}
	whole := func(name string, from, to int64, detail string) (int64, bool) {
		text := get(name)
		if text == "" {
			return 0, false
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < from || n > to {
			faults = append(faults, FieldError{detail, name, text})
			return 0, false
		}
		return n, true
	}
	const most = 1<<53 - 1 // JavaScript's largest
	if n, ok := whole("offset", 0, most, "is a whole number, 0 or more"); ok {
		v.Offset = n
	}
	if n, ok := whole("until", 0, most, "is the until of an earlier page"); ok {
		v.Until = &n
	}
	if n, ok := whole("limit", 1, MaxLimit, fmt.Sprintf("is a whole number from 1 to %d", MaxLimit)); ok {
		v.Limit = int(n)
	}
	if _, err := parseCursor(v.Cursor); err != nil {
		faults = append(faults, FieldError{"is the next of an earlier page", "cursor", v.Cursor})
	}
	if v.Cursor != "" && (v.Offset > 0 || !v.sequential()) {
		faults = append(faults, FieldError{"goes with the newest first and no offset; use offset and until with another order", "cursor", v.Cursor})
	}
	return v, faults
}

// Page is one part of a query's answer.
type Page struct {
	Records []Record `json:"records" nullable:"false"`
	Next    string   `json:"next" doc:"The cursor of the following page; empty on the last, and in any order but the newest first."`
	Until   int64    `json:"until" doc:"The until that was asked for, or the newest record's id."`
}

// ErrView tells that a View asks for what does not go together.
var ErrView = errors.New("a cursor goes with the newest first and no offset")

// Query returns the records that f matches and v asks for. A cursor that is none is
// ErrCursor. Records that begin while someone pages with a cursor, or with offsets and
// the first page's Until, appear on no later page, so that paging sees each older
// record once.
func (s *Store) Query(ctx context.Context, f Filter, v View) (Page, error) {
	before, err := parseCursor(v.Cursor)
	if err != nil {
		return Page{}, err
	}
	if v.Limit < 1 || v.Limit > MaxLimit {
		return Page{}, fmt.Errorf("limit %d is not within 1 to %d", v.Limit, MaxLimit)
	}
	if v.Cursor != "" && (v.Offset > 0 || !v.sequential()) {
		return Page{}, ErrView
	}
	page, err := s.query(ctx, f, v, before)
	if err != nil {
		return Page{}, fmt.Errorf("query records: %w", err)
	}
	return page, nil
}

func (s *Store) query(ctx context.Context, f Filter, v View, before int64) (Page, error) {
	var newest int64
	if err := s.db.Readers.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM requests").Scan(&newest); err != nil {
		return Page{}, err
	}
	page := Page{Until: newest}
	if v.Until != nil {
		page.Until = *v.Until
	}
	h, err := readHidden(ctx, s.db.Readers)
	if err != nil {
		return Page{}, err
	}
	// What is asked for may lie far behind the newest record, and the locator walks up to its until.
	l := locator{store: s, filter: f, view: v, until: min(page.Until, newest, before-1), hidden: h}
	records, err := l.find(ctx, v.Offset, v.Limit+1) // one more tells whether there is a next page
	if err != nil {
		return Page{}, err
	}
	page.Records = records
	if len(records) > v.Limit {
		page.Records = records[:v.Limit]
		if v.sequential() {
			page.Next = formatCursor(records[v.Limit-1].ID)
		}
	}
	return page, nil
}

// ErrNotFound tells that there is no such record.
var ErrNotFound = errors.New("there is no such record")

// Find returns the record of a request, the newest if clients sent the same id twice.
func (s *Store) Find(ctx context.Context, requestID string) (Record, error) {
	r, err := s.find(ctx, requestID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Record{}, fmt.Errorf("find a record: %w", err)
	}
	return r, err
}

func (s *Store) find(ctx context.Context, requestID string) (Record, error) {
	h, err := readHidden(ctx, s.db.Readers)
	if err != nil {
		return Record{}, err
	}
	records, err := s.selectRecords(ctx, ofRequest(requestID, h), "id DESC", 1, 0)
	if err != nil {
		return Record{}, err
	}
	if len(records) == 0 {
		return Record{}, ErrNotFound
	}
	return records[0], nil
}

// ofRequest has the id looked up in each run of the index, the newest first, until one has it.
func ofRequest(requestID string, h hidden) *clause {
	inner, w := &clause{index: "requests_request_id"}, &clause{}
	inner.and("id / 1024 = run")
	inner.and("substr(request_id, -8) = substr(?, -8)", requestID)
	inner.and("+request_id = ?", requestID) // without the plus SQLite puts the parameter into the term above, which then is no longer the index's
	h.exclude(inner)
	w.and(`id = (WITH RECURSIVE runs (run) AS (SELECT (SELECT max(id) FROM requests) / 1024
		UNION ALL SELECT run - 1 FROM runs WHERE run > (SELECT min(id) FROM requests) / 1024)
		SELECT (SELECT id FROM `+inner.from()+inner.sql()+` ORDER BY id DESC LIMIT 1) AS found
		FROM runs WHERE found IS NOT NULL LIMIT 1)`, inner.values()...)
	return w
}
