package access

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mlxbar/backend/storage"
)

// Store keeps keys in the database.
type Store struct{ db *storage.DB }

// NewStore keeps them in db.
func NewStore(db *storage.DB) *Store { return &Store{db} }

const columns = "id, name, hint, models, requests_per_minute, tokens_per_day, created_at, last_used_at"

// Create makes a key and returns it with its secret, which is shown this once.
func (s *Store) Create(ctx context.Context, name string, l Limits, now time.Time) (Key, string, error) {
	if err := check(name, l); err != nil {
		return Key{}, "", err
	}
	secret := newSecret()
	k := Key{ID: newID(), Name: name, Hint: hint(secret), Limits: l, CreatedAt: now.UTC().Truncate(time.Millisecond)}
	if err := s.insert(ctx, kept{k, hash(secret)}); err != nil {
		return Key{}, "", err
	}
	return k, secret, nil
}

func (s *Store) insert(ctx context.Context, k kept) error {
	models, err := encodeModels(k.Limits)
	if err != nil {
		return err
	}
	var used sql.NullInt64
	if k.LastUsedAt != nil {
		used = sql.NullInt64{Int64: k.LastUsedAt.UnixMilli(), Valid: true}
	}
	_, err = s.db.Writer.ExecContext(ctx, "INSERT INTO access_keys (hash, "+columns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		k.hash[:], k.ID, k.Name, k.Hint, models, k.Limits.RequestsPerMinute, k.Limits.TokensPerDay, k.CreatedAt.UnixMilli(), used)
	if err != nil {
		return fmt.Errorf("keep a key: %w", err)
	}
	return nil
}

// Update changes a key's name and limits.
func (s *Store) Update(ctx context.Context, id, name string, l Limits) error {
	if err := check(name, l); err != nil {
		return err
	}
	models, err := encodeModels(l)
	if err != nil {
		return err
	}
	return s.change(ctx, "UPDATE access_keys SET name = ?, models = ?, requests_per_minute = ?, tokens_per_day = ? WHERE id = ? AND revoked_at IS NULL",
		name, models, l.RequestsPerMinute, l.TokensPerDay, id)
}

func (s *Store) change(ctx context.Context, query string, args ...any) error {
	res, err := s.db.Writer.ExecContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("change a key: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(ErrNotFound, err)
	}
	return nil
}

// List returns all keys, the oldest first.
func (s *Store) List(ctx context.Context) ([]Key, error) {
	kept, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]Key, len(kept))
	for i, k := range kept {
		keys[i] = k.Key
	}
	return keys, nil
}

// kept is a key with its hash.
type kept struct {
	Key
	hash [32]byte
}

func (s *Store) load(ctx context.Context) ([]kept, error) {
	rows, err := s.db.Readers.QueryContext(ctx, "SELECT hash, "+columns+" FROM access_keys WHERE revoked_at IS NULL ORDER BY created_at, id")
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	defer rows.Close()
	var all []kept
	for rows.Next() {
		var k kept
		var sum []byte
		var models string
		var created int64
		var used sql.NullInt64
		if err := rows.Scan(&sum, &k.ID, &k.Name, &k.Hint, &models, &k.Limits.RequestsPerMinute, &k.Limits.TokensPerDay, &created, &used); err != nil {
			return nil, fmt.Errorf("read the keys: %w", err)
		}
		if err := json.Unmarshal([]byte(models), &k.Limits.Models); err != nil || len(sum) != len(k.hash) {
			return nil, fmt.Errorf("read the keys: key %s is damaged", k.ID)
		}
		copy(k.hash[:], sum)
		k.CreatedAt = time.UnixMilli(created).UTC()
		if used.Valid {
			at := time.UnixMilli(used.Int64).UTC()
			k.LastUsedAt = &at
		}
		all = append(all, k)
	}
	return all, rows.Err()
}

func encodeModels(l Limits) (string, error) {
	if l.Models == nil {
		return "[]", nil
	}
	raw, err := json.Marshal(l.Models)
	return string(raw), err
}

// noteUse keeps when keys were last used.
func (s *Store) noteUse(ctx context.Context, used map[string]time.Time) error {
	tx, err := s.db.Writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("note the use of keys: %w", err)
	}
	defer tx.Rollback()
	for id, at := range used {
		if _, err := tx.ExecContext(ctx, "UPDATE access_keys SET last_used_at = ? WHERE id = ?", at.UnixMilli(), id); err != nil {
			return fmt.Errorf("note the use of keys: %w", err)
		}
	}
	return tx.Commit()
}

// tokensSince sums up what each key has used since a time, out of the audit.
func (s *Store) tokensSince(ctx context.Context, since time.Time) (map[string]int64, error) {
	rows, err := s.db.Readers.QueryContext(ctx,
		"SELECT key_id, sum(total_tokens) FROM requests WHERE started_at >= ? AND key_id <> '' AND total_tokens IS NOT NULL GROUP BY key_id", since.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("sum up the tokens of keys: %w", err)
	}
	defer rows.Close()
	sums := map[string]int64{}
	for rows.Next() {
		var id string
		var n int64
		if err := rows.Scan(&id, &n); err != nil {
			return nil, fmt.Errorf("sum up the tokens of keys: %w", err)
		}
		sums[id] = n
	}
	return sums, rows.Err()
}
