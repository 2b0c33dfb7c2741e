package audit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// txSums is the table in a transaction of database/sql.
type txSums struct {
	ctx context.Context
	tx  *sql.Tx
}

func (k sumKey) args() []any {
	return []any{k.block, k.model, string(k.backend), k.endpoint, string(k.status)}
}

func (t txSums) load(k sumKey) (s sum, found bool, err error) {
	err = t.tx.QueryRowContext(t.ctx, loadSumSQL, k.args()...).Scan(&s.n, &s.tokens, &s.away, &s.firstAt, &s.lastAt, &s.durations.encoded, &s.sizes.encoded)
	if errors.Is(err, sql.ErrNoRows) {
		return sum{}, false, nil
	}
	return s, err == nil, err
}

func (t txSums) save(k sumKey, s sum) error {
	_, err := t.tx.ExecContext(t.ctx, saveSumSQL, append(k.args(), s.n, s.tokens, s.away, s.firstAt, s.lastAt, s.durations.encoded, s.sizes.encoded)...)
	return err
}

func (t txSums) remove(k sumKey) error {
	_, err := t.tx.ExecContext(t.ctx, removeSumSQL, k.args()...)
	return err
}

// driverSums is the table of the sums by the driver's statements.
type driverSums struct {
	ctx context.Context
	w   *writer
}

func (d driverSums) key(k sumKey) []driver.NamedValue {
	for i, v := range [...]driver.Value{k.block, k.model, string(k.backend), k.endpoint, string(k.status)} {
		d.w.args[i].Value = v
	}
	return d.w.args[:5]
}

func (d driverSums) load(k sumKey) (sum, bool, error) {
	v, found, err := query(d.ctx, d.w.loadSum, d.key(k), 7)
	if err != nil || !found {
		return sum{}, false, err
	}
	s := sum{n: v[0].(int64), tokens: v[1].(int64), away: v[2].(int64), firstAt: v[3].(int64), lastAt: v[4].(int64)}
	s.durations.encoded, _ = v[5].([]byte) // an empty one is nil
	s.sizes.encoded, _ = v[6].([]byte)
	return s, true, nil
}

func (d driverSums) save(k sumKey, s sum) error {
	key := len(d.key(k))
	values := [...]driver.Value{s.n, s.tokens, s.away, s.firstAt, s.lastAt, s.durations.encoded, s.sizes.encoded}
	args := d.w.args[:key+len(values)]
	for i, v := range values {
		args[key+i].Value = v
	}
	_, err := exec(d.ctx, d.w.saveSum, args)
	return err
}

func (d driverSums) remove(k sumKey) error {
	_, err := exec(d.ctx, d.w.dropSum, d.key(k))
	return err
}

func (t txSums) add(k tallyKey, change *Tally) error {
	if _, err := t.tx.ExecContext(t.ctx, addTallySQL, append(k.args(), change.args()...)...); err != nil {
		return err
	}
	if change.Requests >= 0 {
		return nil
	}
	_, err := t.tx.ExecContext(t.ctx, emptyTallySQL, k.args()...)
	return err
}

// add never empties a tally: the writer only adds to them.
func (d driverSums) add(k tallyKey, change *Tally) error {
	a := arguments(d.w.args)
	a.put(k.block)
	a.put(k.quarter)
	a.text(k.provider)
	a.put(k.away)
	for _, f := range change.figures() {
		a.put(*f)
	}
	_, err := exec(d.ctx, d.w.addTally, d.w.args[:len(d.w.args)-len(a)])
	return err
}
