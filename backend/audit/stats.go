package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
)

// fewBlocks are read record by record even where there are sums: their percentiles are
// then exact.
const fewBlocks = 2

// Stats sums up the records that f matches, as of one moment. Percentiles are
// nearest-rank over the durations that are known: exact for some thousand records, and
// within half a per cent for more.
func (s *Store) Stats(ctx context.Context, f Filter) (Stats, error) {
	tx, err := s.db.Readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	defer tx.Rollback()
	st, err := stats(ctx, tx, f)
	if err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	return st, nil
}

func stats(ctx context.Context, tx *sql.Tx, f Filter) (Stats, error) {
	// A context that can end would cost go-sqlite3 a goroutine per row.
	c := &census{ctx: context.WithoutCancel(ctx), tx: tx, filter: f, models: map[string]bool{}}
	if err := c.take(ctx); err != nil {
		return Stats{}, err
	}
	return c.result(), nil
}

// census is the making of one Stats.
type census struct {
	ctx    context.Context
	tx     *sql.Tx
	filter Filter
	hidden hidden

	stats     Stats
	models    map[string]bool
	durations []float64 // those read one by one
	spread    spread    // those of the sums
}

// take counts what the sums have, and then record by record what they do not: the
// blocks at the edges of a time range, those that are partly out of sight, those not
// summed yet, and the requests that run.
func (c *census) take(ctx context.Context) error {
	var err error
	if c.hidden, err = readHidden(c.ctx, c.tx); err != nil {
		return err
	}
	var from int64
	if err := c.tx.QueryRowContext(c.ctx, "SELECT summed_from FROM audit_state").Scan(&from); err != nil {
		return err
	}
	if c.hidden.upto > 0 {
		from = max(from, blockOf(c.hidden.upto)+1)
	}
	single, err := c.mixed(from)
	if err != nil {
		return err
	}
	if err := c.addSums(from, single); err != nil {
		return err
	}
	if from > 0 {
		if err := c.addRecords(0, from*blockSize); err != nil {
			return err
		}
	}
	for _, block := range single {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.addRecords(block*blockSize, (block+1)*blockSize); err != nil {
			return err
		}
	}
	return c.addRunning()
}

// matching is what f says of rows of the sums from block from on, times left out.
func (c *census) matching(from int64) *clause {
	f := c.filter
	w := where(Filter{Model: f.Model, Backend: f.Backend, Status: f.Status, Endpoint: f.Endpoint})
	w.and("block >= ?", from)
	return w
}

// times are the terms for rows whose requests all lie within the times, and for those
// of which some may.
func (c *census) times() (inside, touching *clause) {
	inside, touching = &clause{}, &clause{}
	if !c.filter.From.IsZero() {
		inside.and("first_at >= ?", ceilMillis(c.filter.From))
		touching.and("last_at >= ?", ceilMillis(c.filter.From))
	}
	if !c.filter.To.IsZero() {
		inside.and("last_at < ?", ceilMillis(c.filter.To))
		touching.and("first_at < ?", ceilMillis(c.filter.To))
	}
	return inside, touching
}

// mixed are the blocks from from on that must be read record by record, because they
// are partly within the times, or because there are so few.
func (c *census) mixed(from int64) ([]int64, error) {
	w := c.matching(from)
	inside, touching := c.times()
	w.join(touching)
	blocks, err := c.blocks(w, " ORDER BY block LIMIT ?", fewBlocks+1)
	if err != nil || len(blocks) <= fewBlocks || len(inside.terms) == 0 {
		if len(blocks) > fewBlocks {
			blocks = nil
		}
		return blocks, err
	}
	w.not(inside)
	return c.blocks(w, " ORDER BY block")
}

func (c *census) blocks(w *clause, tail string, args ...any) ([]int64, error) {
	rows, err := c.tx.QueryContext(c.ctx, "SELECT DISTINCT block FROM audit_sums"+w.sql()+tail, append(slices.Clone(w.args), args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []int64
	for rows.Next() {
		var b int64
		if err := rows.Scan(&b); err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, rows.Err()
}

func (c *census) addSums(from int64, but []int64) error {
	w := c.matching(from)
	inside, _ := c.times()
	w.join(inside)
	if len(but) > 0 {
		list, err := json.Marshal(but)
		if err != nil {
			return err
		}
		w.and("block NOT IN (SELECT value FROM json_each(?))", string(list))
	}
	if err := c.addGroups("SELECT model, backend, status, sum(n), sum(tokens) FROM audit_sums"+w.sql()+" GROUP BY model, backend, status", w.args); err != nil {
		return err
	}
	rows, err := c.tx.QueryContext(c.ctx, "SELECT durations FROM audit_sums"+w.sql(), w.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var durations sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&durations); err != nil {
			return err
		}
		c.spread.add(durations)
	}
	return rows.Err()
}

// addRecords counts the ended requests with ids from low to below high.
func (c *census) addRecords(low, high int64) error {
	w := where(c.filter)
	w.and("id >= ? AND id < ? AND status <> 'running'", low, high)
	c.hidden.exclude(w)
	w.index = notIndexed // the ids are few and lie together
	if low == 0 {
		w.index = ""
	}
	if err := c.addGroups("SELECT model, backend, status, count(*), coalesce(sum(total_tokens), 0) FROM "+w.from()+w.sql()+
		" GROUP BY model, backend, status", w.args); err != nil {
		return err
	}
	w.and("duration_ms IS NOT NULL")
	rows, err := c.tx.QueryContext(c.ctx, "SELECT duration_ms FROM "+w.from()+w.sql(), w.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var ms float64
		if err := rows.Scan(&ms); err != nil {
			return err
		}
		c.durations = append(c.durations, ms)
	}
	return rows.Err()
}

func (c *census) addRunning() error {
	if c.filter.Status != "" && Status(c.filter.Status) != Running {
		return nil
	}
	w := where(c.filter)
	w.index = "requests_running"
	w.and("status = 'running'")
	c.hidden.exclude(w)
	return c.addGroups("SELECT model, backend, status, count(*), coalesce(sum(total_tokens), 0) FROM "+w.from()+w.sql()+" GROUP BY model, backend, status", w.args)
}

// addGroups adds counts of a model, a backend and a status.
func (c *census) addGroups(query string, args []any) error {
	rows, err := c.tx.QueryContext(c.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var model string
		var backend Backend
		var status Status
		var n, tokens int64
		if err := rows.Scan(&model, &backend, &status, &n, &tokens); err != nil {
			return err
		}
		c.stats.Total += n
		c.stats.TotalTokens += tokens
		switch status {
		case Success:
			c.stats.Successful += n
		case Running:
			c.stats.Running += n
		default:
			c.stats.Errors += n
		}
		if backend == Local {
			c.stats.Local += n
		}
		if model != "" {
			c.models[model] = true
		}
	}
	return rows.Err()
}

func (c *census) result() Stats {
	st := c.stats
	st.UniqueModels = int64(len(c.models))
	if c.spread.n > 0 {
		for _, ms := range c.durations {
			c.spread.addOne(ms)
		}
		p50, p95 := c.spread.percentile(50), c.spread.percentile(95)
		st.P50MS, st.P95MS = &p50, &p95
	} else if n := int64(len(c.durations)); n > 0 {
		slices.Sort(c.durations)
		p50, p95 := c.durations[(n*50+99)/100-1], c.durations[(n*95+99)/100-1]
		st.P50MS, st.P95MS = &p50, &p95
	}
	return st
}
