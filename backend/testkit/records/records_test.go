package records

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mlxbar/backend/audit"
	"mlxbar/backend/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// made are copies of the records, which lie in memory of their own.
func made(o Options) (all []audit.Record) {
	for r := range Generate(o) {
		c := *r
		for _, p := range []**float64{&c.DurationMS, &c.TTFTMS, &c.PromptMS, &c.GenerationMS, &c.CostUSD} {
			if *p != nil {
				v := **p
				*p = &v
			}
		}
		for _, p := range []**int64{&c.HTTPStatus, &c.PromptTokens, &c.CompletionTokens, &c.TotalTokens, &c.CachedTokens} {
			if *p != nil {
				v := **p
				*p = &v
			}
		}
		c.Left = slices.Clone(c.Left)
		all = append(all, c)
	}
	return all
}

func TestTheSameSeedMakesTheSameRecords(t *testing.T) {
	a, b := made(Options{Count: 2000, Seed: 7}), made(Options{Count: 2000, Seed: 7})
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	if c := made(Options{Count: 2000, Seed: 8}); cmp.Equal(a, c) {
		t.Error("another seed makes the same records")
	}
}

func TestRecordsAreLikeThoseOfABusyMonth(t *testing.T) {
	newest := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	all := made(Options{Count: 20_000, Seed: 1, Newest: newest, FirstID: 5})
	models, backends, statuses, ids := map[string]int{}, map[audit.Backend]int{}, map[audit.Status]int{}, map[string]bool{}
	for i, r := range all {
		models[r.Model]++
		backends[r.Backend]++
		statuses[r.Status]++
		ids[r.RequestID] = true
		if r.ID != int64(5+i) || i > 0 && r.StartedAt.Before(all[i-1].StartedAt) || r.StartedAt.After(newest) || r.StartedAt.Before(newest.AddDate(0, 0, -31)) {
			t.Fatalf("record %d has id %d and began at %v", i, r.ID, r.StartedAt)
		}
		if r.Status == audit.Success && (r.DurationMS == nil || *r.DurationMS <= 0 || math.IsInf(*r.DurationMS, 0) || r.TotalTokens == nil || *r.HTTPStatus != 200 || r.ErrorType != "") {
			t.Fatalf("a success is %+v", r)
		}
	}
	if len(models) != 9 || len(backends) != 3 || len(statuses) != 5 || len(ids) != len(all) {
		t.Errorf("%v, %v, %v, %d request ids", models, backends, statuses, len(ids))
	}
	if share := float64(statuses[audit.Success]) / float64(len(all)); share < .93 || share > .99 {
		t.Errorf("%.3f of the requests succeed", share)
	}
}

func TestFillMakesADatabaseLikeAnyOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with a space", "mlxbar.db")
	if err := Fill(t.Context(), path, Options{Count: 1}); err == nil {
		t.Error("a folder was made up")
	}
	path = filepath.Join(t.TempDir(), "mlxbar.db")
	const half = 10_000
	for seed := range uint64(2) {
		if err := Fill(t.Context(), path, Options{Count: half, Seed: seed}); err != nil {
			t.Fatal(err)
		}
	}
	filled := schema(t, path)
	plain := filepath.Join(t.TempDir(), "plain.db")
	db, err := storage.Open(t.Context(), plain, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if diff := cmp.Diff(schema(t, plain), filled); diff != "" {
		t.Errorf("(-plain +filled)\n%s", diff)
	}
	ro, err := storage.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	st, err := audit.NewStore(ro).Stats(context.Background(), audit.Filter{})
	if err != nil || st.Total != 2*half || st.UniqueModels != 9 {
		t.Errorf("%+v %v", st, err)
	}
}

func schema(t *testing.T, path string) (all []string) {
	t.Helper()
	db, err := storage.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Readers.Query("SELECT type || name || coalesce(sql, '') FROM sqlite_master")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}
