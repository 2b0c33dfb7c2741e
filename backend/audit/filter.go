package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// FieldError is one parameter that cannot be used: what would be right, where,
// and what stood there.
type FieldError struct {
	Detail   string
	Location string
	Value    string
}

// Error reads as a sentence.
func (e FieldError) Error() string { return fmt.Sprintf("%s: %s", e.Location, e.Detail) }

var (
	backends = []Backend{Local, OpenAI, Anthropic}
	statuses = []Status{Running, Success, Failed, TimedOut, Cancelled, Interrupted}
)

// ParseFilter reads a filter from named parameters: model, backend, status,
// endpoint, from and to. It tells of every fault, not just of the first.
func ParseFilter(get func(name string) string) (Filter, []FieldError) {
	f := Filter{Model: get("model"), Endpoint: get("endpoint"), Status: get("status"), Backend: Backend(get("backend"))}
	var faults []FieldError
	if f.Backend != "" && !slices.Contains(backends, f.Backend) {
		faults = append(faults, oneOf("backend", string(f.Backend), backends))
	}
	if f.Status != "" && !slices.Contains(statuses, Status(f.Status)) {
		faults = append(faults, oneOf("status", f.Status, statuses))
	}
	if f.Endpoint != "" && !strings.HasPrefix(f.Endpoint, "/") {
		faults = append(faults, FieldError{"is a path such as /v1/chat/completions", "endpoint", f.Endpoint})
	}
	for _, t := range []struct {
		name string
		to   *time.Time
	}{{"from", &f.From}, {"to", &f.To}} {
		v := get(t.name)
		if v == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, v)
		if err != nil || at.Year() < 1970 {
			faults = append(faults, FieldError{"is a time of RFC 3339 such as 2026-01-31T09:00:00Z", t.name, v})
			continue
		}
		*t.to = at.UTC()
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		faults = append(faults, FieldError{"is later than from", "to", get("to")})
	}
	return f, faults
}

func oneOf[T ~string](name, got string, right []T) FieldError {
	words := make([]string, len(right))
	for i, w := range right {
		words[i] = string(w)
	}
	return FieldError{"is one of " + strings.Join(words, ", "), name, got}
}

// clause gathers the conditions of a query. Values are parameters, always.
type clause struct {
	terms []string
	args  []any
	index string
	// low and high bound the ids, both included; 0 is open. They are gathered to one term
	// each, for of several SQLite may seek by the one that excludes the least.
	low, high int64
}

func (c *clause) atLeast(id int64) { c.low = max(c.low, id) }

func (c *clause) atMost(id int64) {
	if c.high == 0 || id < c.high {
		c.high = max(id, -1)
	}
	if c.high == 0 { // no id is
		c.high = -1
	}
}

func (c *clause) and(term string, args ...any) {
	c.terms = append(c.terms, term)
	c.args = append(c.args, args...)
}

// join adds the terms of other.
func (c *clause) join(other *clause) {
	c.terms, c.args = append(c.terms, other.terms...), append(c.args, other.args...)
}

// not adds that not all terms of other hold.
func (c *clause) not(other *clause) {
	c.and("NOT ("+strings.Join(other.terms, " AND ")+")", other.args...)
}

func (c *clause) sql() string {
	terms := slices.Clone(c.terms)
	if c.low > 0 {
		terms = append(terms, "id >= ?")
	}
	if c.high != 0 {
		terms = append(terms, "id <= ?")
	}
	if len(terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(terms, " AND ")
}

// values are the parameters of sql.
func (c *clause) values() []any {
	values := slices.Clone(c.args)
	if c.low > 0 {
		values = append(values, c.low)
	}
	if c.high != 0 {
		values = append(values, c.high)
	}
	return values
}

// notIndexed, for an index, has SQLite go by the id alone.
const notIndexed = "NOT INDEXED"

func (c *clause) from() string {
	switch c.index {
	case "":
		return "requests"
	case notIndexed:
		return "requests NOT INDEXED"
	}
	return "requests INDEXED BY " + c.index
}

// where turns f into SQL. The terms of the errors' index stand literally in the
// query, for only then does SQLite use it.
func where(f Filter) *clause {
	c := &clause{}
	if f.Model != "" || f.Blank == ByModel {
		c.and("model = ?", f.Model)
	}
	if f.Backend != "" || f.Blank == ByBackend {
		c.and("backend = ?", string(f.Backend))
	}
	if f.Endpoint != "" || f.Blank == ByEndpoint {
		c.and("endpoint = ?", f.Endpoint)
	}
	switch Status(f.Status) {
	case "":
	case Running:
		c.and("status = 'running'")
	case Success:
		c.and("status = 'success'")
	case Failed:
		c.and("status NOT IN ('success', 'running')")
	default:
		c.and("status NOT IN ('success', 'running') AND status = ?", f.Status)
	}
	if !f.From.IsZero() {
		c.and("started_at >= ?", ceilMillis(f.From))
	}
	if !f.To.IsZero() {
		c.and("started_at < ?", ceilMillis(f.To))
	}
	return c
}

// ceilMillis rounds up: a record's whole millisecond is at or after t exactly
// when it is at or after t's next whole millisecond.
func ceilMillis(t time.Time) int64 {
	ms := millis(t)
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}
