package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/live"
)

func TestDeletedRecordsAreOutOfSightAtOnceAndCanBeHadBack(t *testing.T) {
	h := newHouse(t)
	h.requests()
	records := func() (ids string) {
		for _, r := range get[audit.Page](h, "/api/audit").Records {
			ids += r.RequestID
		}
		return ids
	}
	before := time.Now()
	var d audit.Deletion
	if err := json.Unmarshal([]byte(h.text(h.request("DELETE", "/api/audit", ""), 200)), &d); err != nil {
		t.Fatal(err)
	}
	if d.Deleted != 6 || d.UndoUntil.Before(before) || d.UndoUntil.After(time.Now().Add(audit.UndoTime)) {
		t.Errorf("the answer is %+v", d)
	}
	h.record(func(r *audit.Record) { r.RequestID = "h" })
	if got := records(); got != "hg" { // g still runs
		t.Errorf("in sight are %q", got)
	}
	if st := get[audit.Stats](h, "/api/audit/stats"); st.Total != 2 || st.Running != 1 {
		t.Errorf("the sums are %+v", st)
	}
	if got := h.text(h.request("GET", "/api/audit/export?format=jsonl", ""), 200); len(got) == 0 || json.Valid([]byte(got)) {
		t.Errorf("exported are %q, want two lines", got)
	}
	h.problem(h.request("GET", "/api/audit/a", ""), problem.NotFound)
	if got := h.text(h.request("POST", "/api/audit/undelete", ""), 200); got != "{\"restored\":6}\n" {
		t.Errorf("the answer is %q", got)
	}
	if got := records(); got != "hgfedcba" {
		t.Errorf("in sight are %q", got)
	}
	if got := get[audit.Record](h, "/api/audit/a"); got.RequestID != "a" {
		t.Errorf("found %+v", got)
	}
	h.problem(h.request("POST", "/api/audit/undelete", ""), problem.Conflict)
}

func TestADeletionAndItsUndoAreTold(t *testing.T) {
	h := newHouse(t)
	h.requests()
	last := h.live.Last()
	h.text(h.request("DELETE", "/api/audit", ""), 200)
	h.text(h.request("POST", "/api/audit/undelete", ""), 200)
	ctx, cancel := context.WithCancel(t.Context())
	var heard []string
	err := h.live.Subscribe(ctx, last, func(e live.Event) error {
		if heard = append(heard, e.Type); len(heard) == 2 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || heard[0] != live.Reset || heard[1] != live.Reset {
		t.Errorf("heard %v: %v", heard, err)
	}
}
