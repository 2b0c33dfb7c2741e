package admin_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mlxbar/backend/admin"
	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/live"
)

// requests are what the audit holds in the tests of its filters, oldest first.
func (h *house) requests() {
	h.record(func(r *audit.Record) { r.RequestID = "a" })
	h.record(func(r *audit.Record) {
		r.RequestID, r.Model, r.Backend, r.Left = "b", "gpt-5", audit.OpenAI, []audit.Departure{{Provider: "openai"}}
	})
	h.record(func(r *audit.Record) { r.RequestID, r.Endpoint = "c", "/v1/embeddings" })
	h.record(func(r *audit.Record) { r.RequestID, r.Status, r.ErrorType = "d", audit.TimedOut, "timeout" })
	h.record(func(r *audit.Record) { r.RequestID, r.Status, r.ErrorType = "e", audit.Cancelled, "cancelled" })
	h.record(func(r *audit.Record) { r.RequestID, r.StartedAt = "f", r.StartedAt.AddDate(2020, 0, 0) }) // in the year 2021
	running := audit.Record{RequestID: "g", Model: "idle", Backend: audit.Local, Endpoint: "/v1/chat/completions"}
	if err := h.recorder.Begin(h.t.Context(), &running); err != nil {
		h.t.Fatal(err)
	}
}

func TestFiltersNarrowAllThatReadsTheAudit(t *testing.T) {
	h := newHouse(t)
	h.requests()
	for query, want := range map[string]string{
		"":                                      "gfedcba",
		"model=gpt-5":                           "b",
		"model=gpt":                             "",
		"backend=OPENAI":                        "b",
		"backend=ANTHROPIC":                     "",
		"backend=LOCAL&endpoint=/v1/embeddings": "c",
		"status=success":                        "fcba",
		"status=error":                          "ed",
		"status=timeout":                        "d",
		"status=running":                        "g",
		"status=interrupted":                    "",
		"to=2022-01-01T00:00:00Z":               "f",
		"from=2022-01-01T00:00:00Z":             "gedcba",
		"from=2021-01-01T01:00:00%2B01:00&to=2021-12-31T00:00:00Z": "f",
	} {
		t.Run(query, func(t *testing.T) {
			page := get[audit.Page](h, "/api/audit?"+query)
			got := ""
			for _, r := range page.Records {
				got += r.RequestID
			}
			if got != want || page.Next != "" {
				t.Errorf("the records are %q, want %q; next %q", got, want, page.Next)
			}
			if stats := get[audit.Stats](h, "/api/audit/stats?"+query); stats.Total != int64(len(want)) {
				t.Errorf("the sums count %d", stats.Total)
			}
			exported := h.text(h.request("GET", "/api/audit/export?format=jsonl&"+query, ""), 200)
			got = ""
			for line := range strings.Lines(exported) {
				var r audit.Record
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					t.Fatal(err)
				}
				got = r.RequestID + got // exports are oldest first
			}
			if got != want {
				t.Errorf("exported are %q, want %q", got, want)
			}
		})
	}
	if got := get[struct{ Models []string }](h, "/api/audit/models").Models; !slices.Equal(got, []string{"gpt-5", "idle"}) {
		t.Errorf("the models are %v", got)
	}
	stats := get[audit.Stats](h, "/api/audit/stats")
	if stats.Total != 7 || stats.Successful != 4 || stats.Errors != 2 || stats.Running != 1 || stats.UniqueModels != 2 || stats.Local != 6 {
		t.Errorf("the sums are %+v", stats)
	}
}

func TestWhatEndedBeforeTheQuestionIsInTheAnswer(t *testing.T) {
	h := newHouse(t)
	for i := range 20 {
		id := fmt.Sprint(i)
		h.record(func(r *audit.Record) { r.RequestID = id })
		if page := get[audit.Page](h, "/api/audit?limit=1"); len(page.Records) != 1 || page.Records[0].RequestID != id || page.Records[0].Status != audit.Success {
			t.Fatalf("after request %s the newest is %+v", id, page.Records)
		}
	}
}

func TestPagesHoldEveryRecordOnceWhileNewOnesCome(t *testing.T) {
	h := newHouse(t)
	const old = 95
	for i := range old {
		h.record(func(r *audit.Record) { r.RequestID = fmt.Sprint("old-", i) })
	}
	var seen []string
	for cursor, pages := "", 0; ; pages++ {
		page := get[audit.Page](h, "/api/audit?limit=10&cursor="+url.QueryEscape(cursor))
		if len(page.Records) > 10 || pages > old/10 {
			t.Fatalf("page %d has %d records", pages, len(page.Records))
		}
		for _, r := range page.Records {
			seen = append(seen, r.RequestID)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
		for range 3 {
			h.record(func(r *audit.Record) { r.RequestID = "new" })
		}
	}
	if len(seen) != old {
		t.Fatalf("%d records were seen, want %d: %v", len(seen), old, seen)
	}
	for i, id := range seen {
		if want := fmt.Sprint("old-", old-1-i); id != want {
			t.Fatalf("record %d is %s, want %s", i, id, want)
		}
	}
}

// As a table does that shows any part of the audit while requests come and go.
func TestOffsetsStayWhatTheyAreWhileNewRecordsCome(t *testing.T) {
	h := newHouse(t)
	const old = 30
	for i := range old {
		h.record(func(r *audit.Record) { r.RequestID, r.Model = fmt.Sprint(i), fmt.Sprint("m", i%3) })
	}
	first := get[audit.Page](h, "/api/audit?limit=1")
	if first.Until != first.Records[0].ID {
		t.Fatalf("until is %d, the newest record %d", first.Until, first.Records[0].ID)
	}
	for _, order := range []string{"", "&order=asc", "&sort=model", "&sort=backend", "&sort=endpoint&order=asc", "&sort=duration_ms&order=asc", "&sort=total_tokens", "&status=success"} {
		seen := map[string]bool{}
		for offset := 0; offset < old+7; offset += 7 {
			h.record(func(r *audit.Record) { r.RequestID = "new" })
			for _, r := range get[audit.Page](h, fmt.Sprintf("/api/audit?limit=7&offset=%d&until=%d%s", offset, first.Until, order)).Records {
				seen[r.RequestID] = true
			}
		}
		if len(seen) != old || seen["new"] {
			t.Errorf("%q: seen are %d records, want the %d old ones: %v", order, len(seen), old, seen)
		}
	}
}

func TestExport(t *testing.T) {
	h := newHouse(t)
	h.record(func(r *audit.Record) { r.Model = "=HYPERLINK(1)" })
	h.record(nil)
	for format, want := range map[string]struct{ contentType, name string }{
		"csv":   {"text/csv; charset=utf-8; header=present", `attachment; filename="mlxbar-audit.csv"`},
		"jsonl": {"application/jsonl; charset=utf-8", `attachment; filename="mlxbar-audit.jsonl"`},
	} {
		resp := h.request("GET", "/api/audit/export?format="+format, "")
		text := h.text(resp, 200)
		if got := resp.Header; got.Get("Content-Type") != want.contentType || got.Get("Content-Disposition") != want.name || got.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", format, got)
		}
		if format == "csv" {
			rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			if err != nil || len(rows) != 3 || strings.Contains(text, ",=HYPERLINK") {
				t.Errorf("%d rows, %v: %s", len(rows), err, text)
			}
		} else if strings.Count(text, "\n") != 2 {
			t.Errorf("the lines are %q", text)
		}
	}
}

// Nobody must take half an export, or an export that failed, for a whole one.
func TestAnExportThatFails(t *testing.T) {
	t.Run("before its first byte it is a problem", func(t *testing.T) {
		h := newHouse(t)
		if err := h.recorder.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := h.db.Readers.Close(); err != nil {
			t.Fatal(err)
		}
		resp := h.request("GET", "/api/audit/export?format=csv", "")
		h.problem(resp, problem.Internal)
		if got := resp.Header.Get("Content-Disposition"); got != "" {
			t.Errorf("the problem would be saved as a file: %s", got)
		}
	})
	t.Run("later it is cut off", func(t *testing.T) {
		h := newHouse(t)
		for range 1000 {
			h.record(func(r *audit.Record) { r.Client = strings.Repeat("x", 500) })
		}
		// A record that has no JSON, behind more than is held back.
		if err := h.recorder.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := h.db.Writer.Exec(`UPDATE requests SET duration_ms = 9e999 WHERE id = 900`); err != nil {
			t.Fatal(err)
		}
		resp := h.request("GET", "/api/audit/export?format=jsonl", "")
		raw, err := io.ReadAll(resp.Body)
		if !errors.Is(err, io.ErrUnexpectedEOF) || resp.StatusCode != http.StatusOK || len(raw) == 0 {
			t.Errorf("%s with %d bytes, which ended with %v", resp.Status, len(raw), err)
		}
		if !strings.Contains(h.log.String(), resp.Header.Get("X-Request-ID")) {
			t.Errorf("the log does not tell of it: %s", h.log)
		}
	})
}

func TestADatabaseThatCannotBeReadIsAProblem(t *testing.T) {
	h := newHouse(t)
	if err := h.db.Readers.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/audit", "/api/audit?from=2026-01-01T00:00:00Z", "/api/audit/stats", "/api/audit/models"} {
		if d := h.problem(h.request("GET", path, ""), problem.Internal); strings.Contains(d.Detail, "sql") {
			t.Errorf("%s tells of the inside: %s", path, d.Detail)
		}
	}
}

// short makes connections that hold little before it is read: 4 MB at the server. Others can grow to tens of MB.
func short(t *testing.T) *http.Transport {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(16 << 10)
		}
		return conn, err
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// A page cannot see what becomes of a download, so the server tells of it.
func TestHowADownloadEndedIsTold(t *testing.T) {
	h := newHouse(t)
	long := strings.Repeat("x", 512) // of a longer text no more is kept
	for range 3000 {                 // 9 MB, more than a connection of short holds
		h.record(func(r *audit.Record) {
			r.RequestID, r.Model, r.ServedModel, r.Provider, r.Client, r.Hint = long, long, long, long, long, long
		})
	}
	last := h.live.Last()
	h.text(h.request("GET", "/api/audit/export?format=csv&model=nope", ""), 200) // not to be told of
	h.text(h.request("GET", "/api/audit/export?format=csv&watch=whole", ""), 200)
	h.client.Transport = short(t)
	resp := h.request("GET", "/api/audit/export?format=csv&watch=half", "")
	if _, err := io.ReadFull(resp.Body, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()

	var told []admin.ExportEvent
	ctx, cancel := context.WithCancel(t.Context())
	err := h.live.Subscribe(ctx, last, func(e live.Event) error {
		if e.Type != live.Export {
			return nil
		}
		var how admin.ExportEvent
		if err := json.Unmarshal(e.Data, &how); err != nil {
			return err
		}
		if told = append(told, how); len(told) == 2 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || told[0] != (admin.ExportEvent{Watch: "whole", Records: 3000, Complete: true}) {
		t.Errorf("told %+v: %v", told, err)
	}
	if half := told[1]; half.Watch != "half" || half.Complete || half.Records >= 3000 {
		t.Errorf("of the half one it tells %+v", half)
	}
}
