package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
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
	c := newCensus(ctx, tx, f, math.MaxInt64-1, ByDuration)
	if err := c.take(ctx, fewBlocks); err != nil {
		return Stats{}, err
	}
	return c.result(), nil
}

// census counts the records that a filter matches.
type census struct {
	ctx    context.Context
	tx     *sql.Tx
	filter Filter
	until  int64 // and only these ids and lower ones
	hidden hidden
	// of is what is told apart: the blocks for ByStart, the names of a column that has such,
	// else the values of ByDuration or ByTokens, with all that Stats has.
	of Sort

	stats  Stats
	names  map[string]int64 // of models, unless of is another column of names
	blocks map[int64]int64
	values []float64 // those read one by one
	spread spread    // those of the sums
}

func newCensus(ctx context.Context, tx *sql.Tx, f Filter, until int64, of Sort) *census {
	return &census{ctx: context.WithoutCancel(ctx), tx: tx, filter: f, until: until, of: of, names: map[string]int64{}, blocks: map[int64]int64{}}
}

// end is the first block that is not wholly within until.
func (c *census) end() int64 { return blockOf(c.until + 1) }

// take counts what the sums have, and then record by record what they do not: the
// blocks at the edges of a time range, those that are partly out of sight, those not
// summed yet, and the requests that run. Up to few blocks are read record by record all
// the same.
func (c *census) take(ctx context.Context, few int) error {
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
	single, err := c.mixed(from, few)
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
	if end := c.end(); end >= from {
		single = append(single, end)
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
	f.From, f.To = time.Time{}, time.Time{}
	w := where(f)
	w.and("block >= ? AND block < ?", from, c.end())
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
func (c *census) mixed(from int64, few int) ([]int64, error) {
	w := c.matching(from)
	inside, touching := c.times()
	w.join(touching)
	if few > 0 {
		if blocks, err := c.list(w, " ORDER BY block LIMIT ?", few+1); err != nil || len(blocks) <= few {
			return blocks, err
		}
	}
	if len(inside.terms) == 0 {
		return nil, nil
	}
	w.not(inside)
	return c.list(w, " ORDER BY block")
}

func (c *census) list(w *clause, tail string, args ...any) ([]int64, error) {
	rows, err := c.tx.QueryContext(c.ctx, "SELECT DISTINCT block FROM audit_sums"+w.sql()+tail, append(w.values(), args...)...)
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
	if key, counts := c.key("block"); counts {
		return c.addCounts("SELECT "+key+", sum(n) FROM audit_sums"+w.sql()+" GROUP BY 1", w.values())
	}
	if err := c.addGroups("SELECT model, status, sum(n), sum(tokens), sum(away) FROM audit_sums"+w.sql()+" GROUP BY model, status", w.values()); err != nil {
		return err
	}
	column := map[Sort]string{ByDuration: "durations", ByTokens: "sizes"}[c.of]
	rows, err := c.tx.QueryContext(c.ctx, "SELECT "+column+" FROM audit_sums"+w.sql(), w.values()...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var encoded sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&encoded); err != nil {
			return err
		}
		c.spread.add(encoded)
	}
	return rows.Err()
}

// addRecords counts the ended requests with ids from low to below high.
func (c *census) addRecords(low, high int64) error {
	w := where(c.filter)
	w.and("status <> 'running'")
	w.atLeast(low)
	w.atMost(min(high-1, c.until))
	c.hidden.exclude(w)
	w.index = notIndexed // the ids are few and lie together
	if low == 0 {
		w.index = ""
	}
	if key, counts := c.key(blockOfID); counts {
		return c.addCounts("SELECT "+key+", count(*) FROM "+w.from()+w.sql()+" GROUP BY 1", w.values())
	}
	if err := c.addGroups(groups(w), w.values()); err != nil {
		return err
	}
	figure := string(c.of)
	w.and(figure + " IS NOT NULL")
	rows, err := c.tx.QueryContext(c.ctx, "SELECT "+figure+" FROM "+w.from()+w.sql(), w.values()...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var v float64
		if err := rows.Scan(&v); err != nil {
			return err
		}
		c.values = append(c.values, v)
	}
	return rows.Err()
}

// blockOfID is the block of a record, in SQL.
var blockOfID = fmt.Sprintf("id / %d", blockSize)

// key is what to group by where counts are all that is wanted; block is that of a block.
func (c *census) key(block string) (key string, counts bool) {
	if c.of == ByStart {
		return block, true
	}
	return string(c.of), c.of.named()
}

// addCounts adds counts of a block or a name.
func (c *census) addCounts(query string, args []any) error {
	rows, err := c.tx.QueryContext(c.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if c.of == ByStart {
		return addEach(rows, c.blocks)
	}
	return addEach(rows, c.names)
}

func addEach[K comparable](rows *sql.Rows, to map[K]int64) error {
	for rows.Next() {
		var key K
		var n int64
		if err := rows.Scan(&key, &n); err != nil {
			return err
		}
		to[key] += n
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
	w.atMost(c.until)
	c.hidden.exclude(w)
	if key, counts := c.key(blockOfID); counts {
		return c.addCounts("SELECT "+key+", count(*) FROM "+w.from()+w.sql()+" GROUP BY 1", w.values())
	}
	return c.addGroups(groups(w), w.values())
}

// groups asks for what addGroups reads, of records.
func groups(w *clause) string {
	return "SELECT model, status, count(*), coalesce(sum(total_tokens), 0), sum(left_to <> '') FROM " + w.from() + w.sql() + " GROUP BY model, status"
}

// addGroups adds counts of a model and a status.
func (c *census) addGroups(query string, args []any) error {
	rows, err := c.tx.QueryContext(c.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var model string
		var status Status
		var n, tokens, away int64
		if err := rows.Scan(&model, &status, &n, &tokens, &away); err != nil {
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
		c.stats.Local += n - away
		c.names[model] += n
	}
	return rows.Err()
}

func (c *census) result() Stats {
	st := c.stats
	st.UniqueModels = int64(len(c.names))
	if c.names[""] > 0 { // no model was named
		st.UniqueModels--
	}
	if c.spread.n > 0 {
		for _, ms := range c.values {
			c.spread.addOne(ms)
		}
		p50, p95 := c.spread.percentile(50), c.spread.percentile(95)
		st.P50MS, st.P95MS = &p50, &p95
	} else if n := int64(len(c.values)); n > 0 {
		slices.Sort(c.values)
		p50, p95 := c.values[(n*50+99)/100-1], c.values[(n*95+99)/100-1]
		st.P50MS, st.P95MS = &p50, &p95
	}
	return st
}
