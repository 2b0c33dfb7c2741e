package admin_test

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/admin"
	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/ledger"
)

func left(r *audit.Record) {
	cost, prompt, answer := 1.25, int64(1000), int64(200)
	r.StartedAt = time.Date(2026, 2, 3, 23, 30, 0, 0, time.UTC)
	r.Backend, r.Provider, r.CostUSD, r.PromptTokens, r.CompletionTokens = audit.OpenAI, "openai", &cost, &prompt, &answer
	r.Left = []audit.Departure{{Provider: "openai", HTTPStatus: 200, BytesOut: 4000, BytesIn: 900}}
}

func TestTheLedgerTellsWhatLeftByDayAndProvider(t *testing.T) {
	h := newHouse(t)
	h.record(left)
	h.record(func(r *audit.Record) {
		prompt, answer := int64(1_000_000), int64(0)
		r.StartedAt = time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)
		r.Provider, r.PromptTokens, r.CompletionTokens = "llamacpp", &prompt, &answer
	})
	r := get[ledger.Report](h, "/api/ledger?from=2026-02-01&to=2026-02-28&zone=Europe/Berlin")
	if len(r.Lines) != 2 || r.Lines[0].Day != "2026-02-04" || r.Lines[0].Provider != "openai" || !r.Lines[0].Left || *r.Lines[0].CostUSD != 1.25 ||
		r.Lines[1].Day != "2026-02-03" || r.Lines[1].Provider != "llamacpp" || r.Left.BytesOut != 4000 || r.Left.BytesIn != 900 {
		t.Errorf("the ledger %+v", r)
	}
	if r.CompareWith != "gpt-5-mini" || r.Here.WouldHaveCostUSD == nil || *r.Here.WouldHaveCostUSD != 0.25 {
		t.Errorf("compared with %q, what was here would have cost %v", r.CompareWith, r.Here.WouldHaveCostUSD)
	}
	h.text(h.request("PATCH", "/api/settings", `{"ledger": {"compare_with": "no-such-model"}}`), 200)
	if r := get[ledger.Report](h, "/api/ledger?from=2026-02-01&to=2026-02-28&zone=UTC"); r.Here.WouldHaveCostUSD != nil || r.CompareWith != "no-such-model" {
		t.Errorf("without a price: %+v", r.Here)
	}
	if st := get[audit.Stats](h, "/api/audit/stats"); st.Total != 2 || st.Local != 1 {
		t.Errorf("the sums over the records: %+v", st)
	}
	for query, field := range map[string]string{"from=soon": "query.from", "to=2026-13-01": "query.to", "zone=Nowhere": "query.zone", "from=2026-02-02&to=2026-02-01": "query.to"} {
		if d := h.problem(h.request("GET", "/api/ledger?"+query, ""), problem.InvalidRequest); len(d.Errors) != 1 || d.Errors[0].Location != field {
			t.Errorf("%s: %+v", query, d)
		}
	}
}

func TestTheLedgerIsExported(t *testing.T) {
	h := newHouse(t)
	h.record(left)
	at := "/api/ledger/export?from=2026-02-01&to=2026-02-28&zone=UTC&format="
	resp := h.request("GET", at+"csv", "")
	rows, err := csv.NewReader(strings.NewReader(h.text(resp, 200))).ReadAll()
	if err != nil || len(rows) != 2 || strings.Join(rows[1], ",") != "2026-02-03,openai,true,1,0,1000,200,0,4000,900,1.25,0," {
		t.Errorf("%v, %q", err, rows)
	}
	if d := resp.Header.Get("Content-Disposition"); d != `attachment; filename="mlxbar-ledger.csv"` {
		t.Errorf("it is called %s", d)
	}
	var line ledger.Line
	if err := json.Unmarshal([]byte(h.text(h.request("GET", at+"jsonl", ""), 200)), &line); err != nil || line.Day != "2026-02-03" || line.BytesOut != 4000 || *line.CostUSD != 1.25 {
		t.Errorf("%v, %+v", err, line)
	}
	h.problem(h.request("GET", at+"xml", ""), problem.InvalidRequest)
}

func TestPricesSayWhereTheyAreFrom(t *testing.T) {
	h := newHouse(t)
	list := get[admin.PriceList](h, "/api/prices")
	if list.Currency != "USD" || len(list.Own) != 0 || len(list.BuiltIn) < 50 || !strings.HasSuffix(list.File, "prices.json") || list.Problem != "" {
		t.Errorf("%d own, %d built in, %s, %s", len(list.Own), len(list.BuiltIn), list.File, list.Problem)
	}
	for _, p := range list.BuiltIn {
		if p.From == "" || p.Source == "" || p.Seen == "" {
			t.Errorf("%+v", p)
		}
	}
}
