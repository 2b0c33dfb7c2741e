package audit

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openDB(t testing.TB) *storage.DB {
	t.Helper()
	db, err := storage.Open(context.Background(), filepath.Join(t.TempDir(), "mlxbar.db"), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func startRecorder(t testing.TB, db *storage.DB, opts Options) *Recorder {
	t.Helper()
	opts.Log = slog.New(slog.DiscardHandler)
	r, err := NewRecorder(context.Background(), db, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return r
}

func ptr[T any](v T) *T { return &v }

// request is a record as the gateway begins it.
func request(i int) Record {
	return Record{
		RequestID: fmt.Sprintf("req_%032d", i), Model: "smollm2-135m-instruct", ServedModel: "smollm2-135m-instruct",
		Backend: Local, Provider: "llamacpp", Endpoint: "/v1/chat/completions", Client: "OpenAI/Python 2.1", Attempts: 1,
	}
}

func finish(r *Record) {
	r.Status, r.HTTPStatus, r.DurationMS, r.TTFTMS = Success, ptr[int64](200), ptr(12.5), ptr(3.25)
	r.PromptTokens, r.CompletionTokens, r.TotalTokens, r.CachedTokens = ptr[int64](11), ptr[int64](22), ptr[int64](33), ptr[int64](0)
	r.PromptMS, r.GenerationMS = ptr(3.0), ptr(9.0)
}
