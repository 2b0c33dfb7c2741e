package audit

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
	"time"
)

// quarterHour is how finely tallies are kept by time: every time zone's midnight is at one of its ends,
// so that they add up to the days of any of them.
const quarterHour = 15 * time.Minute

// tallyKey is what a row of the tallies is about.
type tallyKey struct {
	block    int64
	quarter  int64 // since 1970
	provider string
	away     bool
}

// Tally sums up the requests that began in a quarter of an hour and went to one provider. What went to
// several counts at each; tokens and cost count where the answer came from.
type Tally struct {
	Quarter  time.Time
	Provider string // of the settings, an engine's name, or "" for requests that got to neither
	// Away says that the provider is elsewhere: it was sent bytes that left this machine.
	Away                                         bool
	Requests, Failed                             int64
	PromptTokens, CompletionTokens, CachedTokens int64
	BytesOut, BytesIn                            int64 // of what left
	CostNanos                                    int64 // thousand-millionths of a dollar, of the requests whose cost is known
	// Unpriced counts those that may cost something that is not known: there is no price or no usage,
	// and the provider did not answer with an error.
	Unpriced int64
	// Repeated counts those that had left to another provider before: they count there as well.
	Repeated int64
}

// nanos makes sums of costs whole numbers, from which what was added can be taken away again exactly.
func nanos(usd float64) int64 { return int64(math.Round(usd * 1e9)) }

// tally adds e to the tallies, or takes it away if sign is -1.
func (s sums) tally(e *ended, sign int64) {
	answered := false
	for i := range e.left {
		d := &e.left[i]
		t := s.tallyOf(e, d.Provider, true)
		t.Requests += sign
		if i > 0 {
			t.Repeated += sign
		}
		t.BytesOut += sign * d.BytesOut
		t.BytesIn += sign * d.BytesIn
		here := d.Provider == e.provider && !answered
		answered = answered || here
		if here {
			t.count(e, sign)
		} else {
			t.Failed += sign // another was asked after it
		}
		if (!here || !e.costUSD.known) && d.HTTPStatus < 400 {
			t.Unpriced += sign
		}
	}
	if !answered {
		t := s.tallyOf(e, e.provider, false)
		t.Requests += sign
		t.count(e, sign)
	}
}

func (s sums) tallyOf(e *ended, provider string, away bool) *Tally {
	key := tallyKey{blockOf(e.id), e.startedAt / quarterHour.Milliseconds(), provider, away}
	t := s.tallies[key]
	if t == nil {
		t = &Tally{}
		s.tallies[key] = t
	}
	return t
}

// count adds how e ended, at the provider that it ended at.
func (t *Tally) count(e *ended, sign int64) {
	if e.status != Success {
		t.Failed += sign
	}
	t.PromptTokens += sign * e.prompt.v
	t.CompletionTokens += sign * e.completion.v
	t.CachedTokens += sign * e.cached.v
	if e.costUSD.known {
		t.CostNanos += sign * nanos(e.costUSD.v)
	}
}

var (
	tallyFigures  = []string{"requests", "failed", "prompt_tokens", "completion_tokens", "cached_tokens", "bytes_out", "bytes_in", "cost_nanos", "unpriced", "repeated"}
	addTallySQL   = addTally()
	emptyTallySQL = "DELETE FROM audit_tallies WHERE block = ? AND quarter = ? AND provider = ? AND away = ? AND requests <= 0"
)

func addTally() string {
	sums := make([]string, len(tallyFigures))
	for i, f := range tallyFigures {
		sums[i] = f + " = " + f + " + excluded." + f
	}
	return "INSERT INTO audit_tallies (block, quarter, provider, away, " + strings.Join(tallyFigures, ", ") + ") VALUES (?, ?, ?, ?" +
		strings.Repeat(", ?", len(tallyFigures)) + ") ON CONFLICT DO UPDATE SET " + strings.Join(sums, ", ")
}

func (k tallyKey) args() []any { return []any{k.block, k.quarter, k.provider, k.away} }

// figures are in the order of tallyFigures.
func (t *Tally) figures() [10]*int64 {
	return [...]*int64{&t.Requests, &t.Failed, &t.PromptTokens, &t.CompletionTokens, &t.CachedTokens, &t.BytesOut, &t.BytesIn, &t.CostNanos, &t.Unpriced, &t.Repeated}
}

func (t *Tally) args() []any {
	figures := t.figures()
	args := make([]any, len(figures))
	for i, f := range figures {
		args[i] = *f
	}
	return args
}

// Add adds the figures of another.
func (t *Tally) Add(other *Tally) {
	from := other.figures()
	for i, f := range t.figures() {
		*f += *from[i]
	}
}

// Tallies sums up the requests that have ended and began within the times, which are cut to whole
// quarters of an hour; in no order.
func (s *Store) Tallies(ctx context.Context, from, to time.Time) ([]Tally, error) {
	tx, err := s.db.Readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("tally: %w", err)
	}
	defer tx.Rollback()
	list, err := tallies(ctx, tx, quarter(from), quarter(to))
	if err != nil {
		return nil, fmt.Errorf("tally: %w", err)
	}
	return list, nil
}

func quarter(t time.Time) int64 { return max(0, millis(t)) / quarterHour.Milliseconds() }

// tallies reads what is kept, and gathers it from the records of blocks that are not summed yet or are
// partly out of sight.
func tallies(ctx context.Context, tx *sql.Tx, from, to int64) ([]Tally, error) {
	h, err := readHidden(ctx, tx)
	if err != nil {
		return nil, err
	}
	var summed int64
	if err := tx.QueryRowContext(ctx, "SELECT summed_from FROM audit_state").Scan(&summed); err != nil {
		return nil, err
	}
	if h.upto > 0 {
		summed = max(summed, blockOf(h.upto)+1)
	}
	found := map[tallyKey]*Tally{}
	if summed > 0 {
		w := &clause{}
		w.and("+status <> 'running'")
		w.and("+started_at >= ? AND +started_at < ?", from*quarterHour.Milliseconds(), to*quarterHour.Milliseconds())
		w.atMost(summed*blockSize - 1)
		h.exclude(w)
		gathered := newSums()
		if _, err := gather(ctx, tx, gathered, 1, "SELECT "+endedColumns+" FROM requests"+w.sql(), w.values()...); err != nil {
			return nil, err
		}
		for key, t := range gathered.tallies {
			key.block = 0
			into(found, key, t)
		}
	}
	if err := readTallies(ctx, tx, found, summed, from, to); err != nil {
		return nil, err
	}
	list := make([]Tally, 0, len(found))
	for key, t := range found {
		t.Quarter, t.Provider, t.Away = time.UnixMilli(key.quarter*quarterHour.Milliseconds()).UTC(), key.provider, key.away
		list = append(list, *t)
	}
	return list, nil
}

func into(found map[tallyKey]*Tally, key tallyKey, t *Tally) {
	if other := found[key]; other != nil {
		other.Add(t)
		return
	}
	found[key] = t
}

func readTallies(ctx context.Context, tx *sql.Tx, found map[tallyKey]*Tally, block, from, to int64) error {
	rows, err := tx.QueryContext(context.WithoutCancel(ctx), "SELECT quarter, provider, away, "+strings.Join(tallyFigures, ", ")+
		" FROM audit_tallies WHERE block >= ? AND quarter >= ? AND quarter < ?", block, from, to)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key tallyKey
		t := &Tally{}
		to := []any{&key.quarter, &key.provider, &key.away}
		for _, f := range t.figures() {
			to = append(to, f)
		}
		if err := rows.Scan(to...); err != nil {
			return err
		}
		into(found, key, t)
	}
	return rows.Err()
}
