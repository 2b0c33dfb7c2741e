package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"mlxbar/backend/audit"
	"mlxbar/backend/engine"
)

// ask asks the admin API.
func (h *house) ask(method, path, body string) (status int, answer []byte) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.token)
	req.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, raw
}

// api asks what must succeed, and decodes the answer into the pointer to, if there is one.
func (h *house) api(method, path, body string, to any) {
	h.t.Helper()
	status, raw := h.ask(method, path, body)
	if status >= 300 {
		h.t.Fatalf("%s %s: %d %s", method, path, status, raw)
	}
	if to == nil {
		return
	}
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(to); err != nil {
		h.t.Fatalf("%s %s: %v in %s", method, path, err, raw)
	}
}

// records are the newest ones, newest first.
func (h *house) records() []audit.Record {
	h.t.Helper()
	var page audit.Page
	h.api("GET", "/api/audit?limit=100", "", &page)
	return page.Records
}

// record waits until the request of that id has ended and gives its record.
func (h *house) record(id string) (found audit.Record) {
	h.t.Helper()
	if id == "" {
		h.t.Fatal("there is no request id to look for")
	}
	h.eventually("the audit has the end of "+id, func() bool {
		for _, r := range h.records() {
			if r.RequestID == id && r.Status != audit.Running {
				found = r
				return true
			}
		}
		return false
	})
	return found
}

// only waits until the one request of this house has ended.
func (h *house) only() (found audit.Record) {
	h.t.Helper()
	h.eventually("the audit has the end of the only request", func() bool {
		all := h.records()
		if len(all) > 1 {
			h.t.Fatalf("%d requests were recorded, want one: %+v", len(all), all)
		}
		if len(all) == 1 && all[0].Status != audit.Running {
			found = all[0]
			return true
		}
		return false
	})
	return found
}

// engineOf is the engine that runs the starter model.
func (h *house) engineOf(model string) (found engine.Status) {
	h.t.Helper()
	var status struct{ Engines []engine.Status }
	h.api("GET", "/api/status", "", &status)
	for _, e := range status.Engines {
		if e.Model == model {
			found = e
		}
	}
	return found
}

// figure writes a figure that may be missing.
func figure[T int64 | float64](p *T) any {
	if p == nil {
		return "none"
	}
	return *p
}

// checkSuccess holds a record to what its caller saw.
func checkSuccess(t *testing.T, r audit.Record, o outcome, endpoint string, stream bool) {
	t.Helper()
	if r.Status != audit.Success || figure(r.HTTPStatus) != any(int64(200)) || r.ErrorType != "" || r.Endpoint != endpoint || r.Stream != stream || r.Attempts != 1 {
		t.Errorf("record %+v, want a success of %s, streamed: %v", r, endpoint, stream)
	}
	if r.DurationMS == nil || *r.DurationMS <= 0 {
		t.Errorf("duration %v", figure(r.DurationMS))
	}
	if stream != (r.TTFTMS != nil) || (stream && (*r.TTFTMS <= 0 || *r.TTFTMS > *r.DurationMS)) {
		t.Errorf("time to first token %v of %v, streamed: %v", figure(r.TTFTMS), figure(r.DurationMS), stream)
	}
	if o.Usage == nil {
		return
	}
	if figure(r.PromptTokens) != any(o.Usage.Prompt) || figure(r.TotalTokens) != any(o.Usage.Total) ||
		(o.Usage.Completion > 0 && figure(r.CompletionTokens) != any(o.Usage.Completion)) {
		t.Errorf("the record counts %v + %v = %v, the answer %+v", figure(r.PromptTokens), figure(r.CompletionTokens), figure(r.TotalTokens), *o.Usage)
	}
}
