package audit

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mattn/go-sqlite3"
)

// selectRecords reads up to limit records of w in an order, after the first offset ones.
// Like the writer it speaks to the driver itself: an export reads millions of rows, and
// database/sql costs as much per row as SQLite does. ctx does not end one that has begun.
func (s *Store) selectRecords(ctx context.Context, w *clause, order string, limit int, offset int64) ([]Record, error) {
	query := "SELECT " + columnList + " FROM " + w.from() + w.sql() + " ORDER BY " + order + " LIMIT ? OFFSET ?"
	values, err := named(append(w.values(), limit, offset))
	if err != nil {
		return nil, err
	}
	conn, err := s.db.Readers.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var records []Record
	err = conn.Raw(func(c any) error {
		// A context that can end would cost go-sqlite3 a goroutine per row.
		rows, err := c.(*sqlite3.SQLiteConn).QueryContext(context.WithoutCancel(ctx), query, values)
		if err != nil {
			return err
		}
		records, err = readRecords(rows, limit)
		return errors.Join(err, rows.Close())
	})
	return records, err
}

func named(args []any) ([]driver.NamedValue, error) {
	values := make([]driver.NamedValue, len(args))
	for i, a := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(a)
		if err != nil {
			return nil, err
		}
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return values, nil
}

func readRecords(rows driver.Rows, most int) ([]Record, error) {
	records := make([]Record, 0, most)
	values := make([]driver.Value, len(columns))
	for {
		if err := rows.Next(values); errors.Is(err, io.EOF) {
			return records, nil
		} else if err != nil {
			return records, err
		}
		r, err := recordOf(values)
		if err != nil {
			return records, err
		}
		records = append(records, r)
	}
}

// figures is where the pointers of one record lead to.
type figures struct {
	real  [5]float64
	whole [5]int64
}

// recordOf is the record of a row of all columns.
func recordOf(v []driver.Value) (Record, error) {
	read := reading{values: v, figures: &figures{}}
	r := Record{
		ID: read.integer(), RequestID: read.text(), StartedAt: time.UnixMilli(read.integer()).UTC(),
		Model: read.text(), ServedModel: read.text(), Backend: Backend(read.text()), Provider: read.text(), Endpoint: read.text(),
		Stream: read.integer() != 0, DurationMS: read.real(0), TTFTMS: read.real(1), Status: Status(read.text()),
		HTTPStatus: read.whole(0), ErrorType: read.text(),
		PromptTokens: read.whole(1), CompletionTokens: read.whole(2), TotalTokens: read.whole(3), CachedTokens: read.whole(4),
		PromptMS: read.real(2), GenerationMS: read.real(3),
		Attempts: read.integer(), Client: read.text(), KeyID: read.text(), CostUSD: read.real(4),
	}
	left := read.text()
	r.Hint = read.text()
	if read.err == nil {
		r.Left, read.err = parseLeft(left)
	}
	return r, read.err
}

// reading takes a row's values one after the other.
type reading struct {
	values  []driver.Value
	figures *figures
	err     error
}

func take[T any](r *reading) (v T) {
	value := r.values[0]
	r.values = r.values[1:]
	v, ok := value.(T)
	if !ok && r.err == nil {
		r.err = fmt.Errorf("column %s holds %T", columns[len(columns)-len(r.values)-1], value)
	}
	return v
}

func (r *reading) integer() int64 { return take[int64](r) }
func (r *reading) text() string   { return take[string](r) }

// null takes the next value if it is null.
func (r *reading) null() bool {
	if r.values[0] != nil {
		return false
	}
	r.values = r.values[1:]
	return true
}

func (r *reading) real(i int) *float64 {
	if r.null() {
		return nil
	}
	r.figures.real[i] = take[float64](r)
	return &r.figures.real[i]
}

func (r *reading) whole(i int) *int64 {
	if r.null() {
		return nil
	}
	r.figures.whole[i] = take[int64](r)
	return &r.figures.whole[i]
}
