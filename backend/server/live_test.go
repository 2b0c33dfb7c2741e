package server_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"mlxbar/backend/admin"
	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/storage"
	"mlxbar/backend/testkit"
)

// events is a stream of server-sent events.
type events struct {
	t     *testing.T
	lines *bufio.Scanner
	close func() error
}

type event struct{ id, name, data string }

// listen opens /api/live and returns when the server has taken it. It goes on for longer than other answers.
func (h *house) listen(lastID string) *events {
	h.t.Helper()
	patient := &house{t: h.t, url: h.url, token: h.token, client: &http.Client{Transport: h.client.Transport, Timeout: 8 * testkit.Patience}}
	resp := patient.request("GET", "/api/live", "", header("Last-Event-ID", lastID))
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		h.t.Fatalf("/api/live: %s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return &events{h.t, lines, resp.Body.Close}
}

// next gives the next event that has data; false at the stream's end.
func (s *events) next() (event, bool) {
	var e event
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.data != "" {
				return e, true
			}
		}
	}
	return e, false
}

// until skips to the next event of that name.
func (s *events) until(name string, is func(data string) bool) event {
	s.t.Helper()
	for {
		e, ok := s.next()
		if !ok {
			s.t.Fatalf("the stream ended (%v) before a fitting %s", s.lines.Err(), name)
		}
		if e.name == name && (is == nil || is(e.data)) {
			return e
		}
	}
}

func TestRequestsAreSeenLive(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	live := h.listen("")
	id := h.chat("ok", false).Header.Get("X-Request-ID")
	var records [2]audit.Record
	var seen [2]event
	for i, name := range []string{"request.start", "request.end"} {
		seen[i] = live.until(name, nil)
		if err := json.Unmarshal([]byte(seen[i].data), &records[i]); err != nil {
			t.Fatal(err)
		}
		if records[i].RequestID != id || records[i].Model != "ok" || records[i].Backend != audit.OpenAI {
			t.Errorf("%s tells of %+v, want request %s", name, records[i], id)
		}
	}
	if records[0].Status != audit.Running || records[1].Status != audit.Success || records[0].ID != records[1].ID {
		t.Errorf("begun as %+v, ended as %+v", records[0], records[1])
	}
	live.close()

	// Who lost the stream after the start hears the end, and what came while it was away.
	h.text(h.chat("status-500", false), problem.UpstreamFailed.Status())
	again := h.listen(seen[0].id)
	if e, _ := again.next(); e != seen[1] {
		t.Errorf("resumed with %+v, want %+v", e, seen[1])
	}
	failed := again.until("request.end", nil)
	if !strings.Contains(failed.data, `"status":"error"`) {
		t.Errorf("the second request ended as %s", failed.data)
	}
	// Who comes with an id of another run must fetch all anew.
	if e, _ := h.listen("elsewhere-7").next(); e.name != "reset" {
		t.Errorf("a foreign id was answered with %+v", e)
	}
}

func TestAFailingDatabaseShowsEverywhere(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	h.text(h.request("GET", "/readyz", ""), 200)
	if s := h.status(); !s.Audit.OK || s.Audit.Problem != "" {
		t.Errorf("a healthy audit: %+v", s.Audit)
	}
	live := h.listen("")
	mend := h.breakDatabase()

	h.text(h.chat("ok", false), 200) // the queue takes it
	e := live.until("state", func(data string) bool { return strings.Contains(data, `"audit":{"ok":false`) })
	var told admin.Status
	if err := json.Unmarshal([]byte(e.data), &told); err != nil || !strings.Contains(told.Audit.Problem, "disk is broken") {
		t.Errorf("listeners hear %s, %v", e.data, err)
	}
	if s := h.status(); s.Audit.OK || !strings.Contains(s.Audit.Problem, "disk is broken") {
		t.Errorf("the status says %+v", s.Audit)
	}
	if d := h.problem(h.request("GET", "/readyz", ""), problem.AuditUnavailable); strings.Contains(d.Detail, "disk is broken") {
		t.Errorf("/readyz, which needs no token, tells of the inside: %s", d.Detail)
	}
	h.text(h.request("GET", "/healthz", ""), 200)
	h.problem(h.request("POST", "/api/audit/flush", ""), problem.AuditUnavailable)
	h.text(h.request("GET", "/api/audit", ""), 200) // what the disk has

	mend()
	live.until("state", func(data string) bool { return strings.Contains(data, `"audit":{"ok":true`) })
	h.text(h.request("GET", "/readyz", ""), 200)
	h.text(h.request("POST", "/api/audit/flush", ""), http.StatusNoContent)
	h.stop()
	if err := h.wait(); err != nil {
		t.Fatal(err)
	}
	if records := h.recorded(); len(records) != 1 || records[0].Status != audit.Success {
		t.Errorf("after the repair the audit holds %+v", records)
	}
}

func TestInStrictModeNothingIsServedUnrecorded(t *testing.T) {
	up := testkit.NewUpstream(t)
	h := newHouse(t, up.URL)
	h.writeSettings(settingsFor(up.URL, `"audit": {"durability": "strict"},`))
	h.start()
	mend := h.breakDatabase()
	h.problem(h.chat("ok", false), problem.AuditUnavailable)
	if n := len(up.Requests()); n != 0 {
		t.Errorf("%d requests went out unrecorded", n)
	}
	mend()
	eventually(t, "requests are served again", func() bool { return h.chat("ok", false).StatusCode == 200 })
}

// breakDatabase has the database refuse every record, as a bad disk does, until mended.
func (h *house) breakDatabase() (mend func()) {
	h.t.Helper()
	exec := func(query string) {
		h.t.Helper()
		db, err := storage.Open(h.t.Context(), h.paths.Database, storage.Options{})
		if err != nil {
			h.t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Writer.Exec(query); err != nil {
			h.t.Fatal(err)
		}
	}
	exec(`CREATE TRIGGER broken BEFORE INSERT ON requests BEGIN SELECT RAISE(ABORT, 'disk is broken'); END`)
	return func() { exec(`DROP TRIGGER broken`) }
}
