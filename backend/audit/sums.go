package audit

import (
	"context"
	"database/sql"
	"fmt"
)

// blockSize is how many ids share their sums. The migration that makes the table has
// the same number.
const blockSize = 8192

func blockOf(id int64) int64 { return id / blockSize }

// sumKey is what a row of the sums is about.
type sumKey struct {
	block    int64
	model    string
	backend  Backend
	endpoint string
	status   Status
}

// sum is a row of the sums, or what is to be added to one.
type sum struct {
	n, tokens, away int64 // away: how many of n left this machine
	firstAt, lastAt int64
	durations       histogram
	sizes           histogram // of total_tokens
}

// sums gathers changes, to be applied at once.
type sums struct {
	rows    map[sumKey]*sum
	tallies map[tallyKey]*Tally
}

func newSums() sums { return sums{map[sumKey]*sum{}, map[tallyKey]*Tally{}} }

// ended is what the sums know of a request that has ended.
type ended struct {
	id, startedAt int64
	model         string
	backend       Backend
	endpoint      string
	status        Status
	tokens        number[int64]
	durationMS    number[float64]

	provider                   string
	prompt, completion, cached number[int64]
	costUSD                    number[float64]
	left                       []Departure
}

const endedColumns = "id, started_at, model, backend, endpoint, status, total_tokens, duration_ms, " +
	"provider, prompt_tokens, completion_tokens, cached_tokens, cost_usd, left_to"

func (r *row) ended() ended {
	return ended{
		r.id, r.startedAt, r.model, r.backend, r.endpoint, r.status, r.total, r.durationMS,
		r.provider, r.prompt, r.completion, r.cached, r.costUSD, r.left,
	}
}

// count adds e, or takes it away if sign is -1.
func (s sums) count(e ended, sign int64) {
	key := sumKey{blockOf(e.id), e.model, e.backend, e.endpoint, e.status}
	g := s.rows[key]
	if g == nil {
		g = &sum{firstAt: e.startedAt, lastAt: e.startedAt}
		s.rows[key] = g
	}
	g.n += sign
	g.tokens += sign * e.tokens.v
	if len(e.left) > 0 {
		g.away += sign
	}
	g.firstAt, g.lastAt = min(g.firstAt, e.startedAt), max(g.lastAt, e.startedAt)
	if e.durationMS.known {
		g.durations.changes = append(g.durations.changes, bucketCount{bucketOf(e.durationMS.v), sign})
	}
	if e.tokens.known {
		g.sizes.changes = append(g.sizes.changes, bucketCount{bucketOf(float64(e.tokens.v)), sign})
	}
	s.tally(&e, sign)
}

// plus is old with the changes of s.
func (s *sum) plus(old sum) sum {
	return sum{
		n: old.n + s.n, tokens: old.tokens + s.tokens, away: old.away + s.away,
		firstAt: min(old.firstAt, s.firstAt), lastAt: max(old.lastAt, s.lastAt),
		durations: old.durations.plus(s.durations), sizes: old.sizes.plus(s.sizes),
	}
}

// sumTable is the sums in the database, in a transaction.
type sumTable interface {
	// load returns a row; found is false when there is none.
	load(sumKey) (s sum, found bool, err error)
	save(sumKey, sum) error
	remove(sumKey) error
	// add adds to a tally, which is made if there is none and goes when nothing is left of it.
	add(tallyKey, *Tally) error
}

// apply writes all changes of blocks from summedFrom on: the others are not in the
// sums yet.
func (s sums) apply(table sumTable, summedFrom int64) error {
	for key, change := range s.rows {
		if key.block < summedFrom {
			continue
		}
		old, found, err := table.load(key)
		if err != nil {
			return err
		}
		if !found {
			old = sum{firstAt: change.firstAt, lastAt: change.lastAt}
		}
		if now := change.plus(old); now.n > 0 {
			err = table.save(key, now)
		} else if found {
			err = table.remove(key)
		}
		if err != nil {
			return err
		}
	}
	for key, change := range s.tallies {
		if key.block < summedFrom {
			continue
		}
		if err := table.add(key, change); err != nil {
			return err
		}
	}
	return nil
}

const (
	loadSumSQL = "SELECT n, tokens, away, first_at, last_at, durations, sizes FROM audit_sums" + thisSum
	saveSumSQL = `INSERT OR REPLACE INTO audit_sums (block, model, backend, endpoint, status, n, tokens, away, first_at, last_at, durations, sizes)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	removeSumSQL = "DELETE FROM audit_sums" + thisSum
	thisSum      = " WHERE block = ? AND model = ? AND backend = ? AND endpoint = ? AND status = ?"
)

// gather reads the ended requests that query gives, as endedColumns.
func gather(ctx context.Context, tx *sql.Tx, into sums, sign int64, query string, args ...any) (n int64, err error) {
	// A context that can end would cost go-sqlite3 a goroutine per row.
	rows, err := tx.QueryContext(context.WithoutCancel(ctx), query, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for ; rows.Next(); n++ {
		e, err := scanEnded(rows)
		if err != nil {
			return n, err
		}
		into.count(e, sign)
	}
	return n, rows.Err()
}

// scanEnded reads a row of endedColumns.
func scanEnded(rows *sql.Rows) (e ended, err error) {
	var tokens, prompt, completion, cached sql.NullInt64
	var ms, cost sql.NullFloat64
	var left string
	if err := rows.Scan(&e.id, &e.startedAt, &e.model, &e.backend, &e.endpoint, &e.status, &tokens, &ms,
		&e.provider, &prompt, &completion, &cached, &cost, &left); err != nil {
		return e, err
	}
	whole := func(n sql.NullInt64) number[int64] { return number[int64]{n.Int64, n.Valid} }
	e.tokens, e.prompt, e.completion, e.cached = whole(tokens), whole(prompt), whole(completion), whole(cached)
	e.durationMS, e.costUSD = number[float64]{ms.Float64, ms.Valid}, number[float64]{cost.Float64, cost.Valid}
	e.left, err = parseLeft(left)
	return e, err
}

// change runs query, which changes records and returns them as endedColumns, and keeps
// the sums in step. It returns how many records that were.
func change(ctx context.Context, tx *sql.Tx, sign int64, query string, args ...any) (int64, error) {
	changes := newSums()
	n, err := gather(ctx, tx, changes, sign, query, args...)
	if err != nil || n == 0 {
		return n, err
	}
	var from int64
	if err := tx.QueryRowContext(ctx, "SELECT summed_from FROM audit_state").Scan(&from); err != nil {
		return n, err
	}
	return n, changes.apply(txSums{ctx, tx}, from)
}

// Sum takes records into the sums that were made before there were sums, one block in
// a transaction. Until it is through, what is not in the sums is read one by one.
func (s *Store) Sum(ctx context.Context) error {
	for more := true; more; {
		err := s.write(ctx, func(tx *sql.Tx) (err error) {
			more, err = sumBlock(ctx, tx)
			return err
		})
		if err != nil {
			return fmt.Errorf("sum up older records: %w", err)
		}
	}
	return nil
}

// sumBlock takes in the highest block that is not in the sums.
func sumBlock(ctx context.Context, tx *sql.Tx) (more bool, err error) {
	var from, block int64
	err = tx.QueryRowContext(ctx, `SELECT summed_from, coalesce((SELECT max(id) FROM requests WHERE id < summed_from * ?1) / ?1, 0)
		FROM audit_state`, blockSize).Scan(&from, &block)
	if err != nil || from == 0 {
		return false, err
	}
	all := newSums()
	_, err = gather(ctx, tx, all, 1, "SELECT "+endedColumns+` FROM requests
		WHERE id >= ? AND id < ? AND +status <> 'running'`, block*blockSize, (block+1)*blockSize)
	if err != nil {
		return false, err
	}
	if err := all.apply(txSums{ctx, tx}, block); err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, "UPDATE audit_state SET summed_from = ?", block)
	return block > 0, err
}
