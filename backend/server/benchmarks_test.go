package server_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/bench/results"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/storage"
	"mlxbar/backend/testkit"
)

// results of the minute, as mlx-benchmark writes them.
func resultsOf(t *testing.T, minute int) string {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC)
	f := results.File{Format: results.Format, Version: results.Version, Tool: "1.2.3", Command: "suite", StartedAt: at, EndedAt: at, Complete: true,
		Server: results.Server{URL: "http://127.0.0.1:1"}, Settings: results.Settings{Runs: 1, MaxTokens: 1, TimeoutS: 1}, Warnings: []string{}, Cases: []results.Case{}}
	f.Machine.CPUs = 2
	raw, err := f.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestBenchmarksAreKeptOverARestartAndDeletedOnesAreNot(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	for minute := 1; minute <= 2; minute++ {
		h.text(h.request("POST", "/api/benchmarks", resultsOf(t, minute)), http.StatusCreated)
	}
	h.text(h.request("DELETE", "/api/benchmarks/1", ""), http.StatusNoContent)
	h.stop()
	if err := h.wait(); err != nil {
		t.Fatal(err)
	}
	h.database(func(db *sql.DB) error { // a while passes
		_, err := db.Exec("UPDATE benchmarks SET deleted_at = deleted_at - 60000 WHERE deleted_at IS NOT NULL")
		return err
	})
	h.start()
	if got := h.text(h.request("GET", "/api/benchmarks/2", ""), 200); got != resultsOf(t, 2) {
		t.Errorf("after a restart it is %s", got)
	}
	h.problem(h.request("POST", "/api/benchmarks/1/undelete", ""), problem.Conflict)
	eventually(t, "what was deleted is gone for good", func() bool {
		// An id that is there in any way can be gone on from.
		resp := h.request("GET", "/api/benchmarks?before=1", "")
		return resp.StatusCode == http.StatusBadRequest
	})
}

// database changes the database of a server that is not there.
func (h *house) database(do func(*sql.DB) error) {
	h.t.Helper()
	db, err := storage.Open(h.t.Context(), h.paths.Database, storage.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := errors.Join(do(db.Writer), db.Close()); err != nil {
		h.t.Fatal(err)
	}
}

// This test's program has no mlx-benchmark beside it, as an installation that is not whole.
func TestAMissingBenchmarkProgramIsNamed(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	d := h.problem(h.request("POST", "/api/benchmarks/job", `{"kind": "run", "model": "ok"}`), problem.Conflict)
	if !strings.Contains(d.Detail, "/mlx-benchmark is not there") || !strings.Contains(d.Detail, "install both") {
		t.Errorf("%q", d.Detail)
	}
	h.problem(h.request("GET", "/api/benchmarks/job", ""), problem.NotFound)
	if got := h.text(h.request("GET", "/api/benchmarks", ""), 200); got != fmt.Sprintln(`{"runs":[],"job":null}`) {
		t.Errorf("%s", got)
	}
}
