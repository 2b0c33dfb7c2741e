package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"mlxbar/backend/datadir"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

type families map[string]*dto.MetricFamily

// scraped reads /metrics as Prometheus does.
func (h *house) scraped() families {
	h.t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(h.text(h.request("GET", "/metrics", "", header("Authorization", "")), http.StatusOK)))
	if err != nil {
		h.t.Fatalf("Prometheus could not read it: %v", err)
	}
	return all
}

// value sums up a metric over the series that have all these labels: a counter or a gauge, or
// the observations of a histogram and their sum.
func (f families) value(name string, labels ...string) (n, sum float64) {
	for _, m := range f[name].GetMetric() {
		has := map[string]string{}
		for _, l := range m.Label {
			has[l.GetName()] = l.GetValue()
		}
		match := true
		for i := 0; i < len(labels); i += 2 {
			match = match && has[labels[i]] == labels[i+1]
		}
		if match {
			n += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			sum += m.GetHistogram().GetSampleSum()
		}
	}
	return n, sum
}

func TestMetricsNeedNoTokenAndObeyTheGuard(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	resp := h.request("GET", "/metrics", "", header("Authorization", ""))
	h.text(resp, http.StatusOK)
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/plain; version=0.0.4") {
		t.Errorf("Content-Type %q", got)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		h.problem(h.request(method, "/metrics", ""), problem.MethodNotAllowed)
	}
	h.problem(h.request("GET", "/metrics/", ""), problem.NotFound)
	h.problem(h.request("GET", "/metrics", "", func(r *http.Request) { r.Host = "evil.example" }), problem.ForeignHost)
	h.problem(h.request("GET", "/metrics", "", header("Origin", "https://evil.example")), problem.ForeignOrigin)
}

func TestMetricsCountWhatWasDone(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	for range 3 {
		h.text(h.chat("usage-5", true), 200)
	}
	h.text(h.chat("ok-4", false), 200)
	h.drain(h.chat("status-500", false))
	h.drain(h.chat("cut", true))
	for i := range 20 {
		h.drain(h.chat(fmt.Sprint("no-such-script-", i), false))
	}
	h.drain(h.request("POST", "/v1/chat/completions", "{"))
	var f families
	eventually(t, "all that was done", func() bool {
		f = h.scraped()
		n, _ := f.value("mlxbar_requests_total")
		records, sum := f.value("mlxbar_audit_batch_records")
		running, _ := f.value("mlxbar_requests_in_flight")
		return n == 27 && records > 0 && sum >= 27 && running == 0
	})
	f = h.scraped() // a request's figures come one by one; by now all of them are there
	for _, c := range []struct {
		name   string
		labels []string
		n, sum float64 // -1: any
	}{
		{"mlxbar_requests_total", []string{"mlxbar_status", "success", "gen_ai_request_model", "usage-5", "error_type", ""}, 3, 0},
		{"mlxbar_requests_total", []string{"mlxbar_status", "error", "error_type", "upstream-failed", "gen_ai_request_model", "_other"}, 1, 0},
		{"mlxbar_requests_total", []string{"error_type", "upstream-cut"}, 1, 0},
		{"mlxbar_requests_total", []string{"error_type", "invalid-json", "gen_ai_provider_name", "mlxbar"}, 1, 0},
		{"mlxbar_requests_total", []string{"gen_ai_request_model", "_other"}, 23, 0},
		{"gen_ai_server_request_duration_seconds", nil, 27, -1},
		{"gen_ai_server_time_to_first_token_seconds", []string{"gen_ai_request_model", "usage-5"}, 3, -1},
		{"gen_ai_server_time_per_output_token_seconds", nil, 3, -1},
		{"gen_ai_client_token_usage", []string{"gen_ai_token_type", "input"}, 4, 4 * upstream.PromptTokens},
		{"gen_ai_client_token_usage", []string{"gen_ai_token_type", "output"}, 4, 3*5 + 4},
		{"mlxbar_requests_in_flight", nil, 0, 0},
		{"mlxbar_requests_waiting", nil, 0, 0},
		{"mlxbar_audit_batch_failures_total", nil, 0, 0},
	} {
		if n, sum := f.value(c.name, c.labels...); n != c.n || (c.sum >= 0 && sum != c.sum) {
			t.Errorf("%s %v is %g with a sum of %g, want %g and %g", c.name, c.labels, n, sum, c.n, c.sum)
		}
	}
	if n, _ := f.value("process_memory_usage_bytes"); n < 1<<20 {
		t.Errorf("the process has %g bytes", n)
	}
	eventually(t, "an empty queue", func() bool {
		f = h.scraped()
		queue, _ := f.value("mlxbar_audit_queue_length")
		lag, _ := f.value("mlxbar_audit_lag_seconds")
		return queue == 0 && lag == 0
	})
}

func TestARunningRequestIsInFlight(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	resp := h.chat("ok-2000=50ms", true)
	eventually(t, "a request in flight", func() bool { n, _ := h.scraped().value("mlxbar_requests_in_flight"); return n == 1 })
	resp.Body.Close()
	eventually(t, "its end", func() bool {
		n, _ := h.scraped().value("mlxbar_requests_total", "mlxbar_status", "cancelled", "error_type", "cancelled")
		return n == 1
	})
}

// What was asked and answered, and any key, is in no name and no label.
func TestMetricsHoldNothingOfWhatWasAsked(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t, upstream.Key(providerKey)).URL)
	h.start()
	for _, script := range []string{"ok", "tools", "status-400", "status-401", "status-429", "status-500", "error-event", "cut", "malformed-json", "html", "no-such-script"} {
		for _, stream := range []bool{false, true} {
			h.drain(h.request("POST", "/v1/chat/completions?key=canary-of-the-query", fmt.Sprintf(`{"model": %q, "stream": %t, "user": "canary-of-the-prompt",
				"messages": [{"role": "user", "content": "canary-of-the-prompt"}], "tools": [{"type": "function", "function": {"name": "f", "description": "canary-of-the-tool"}}]}`, script, stream),
				header("Authorization", "Bearer sk-canary-of-the-client"), header("User-Agent", "Tool/1.0 (canary-of-the-agent)"), header("X-Request-ID", "canary-of-the-id"),
				header("baggage", "a=canary-of-the-baggage")))
		}
	}
	text := ""
	eventually(t, "all of them", func() bool {
		n, _ := h.scraped().value("mlxbar_requests_total")
		text = h.text(h.request("GET", "/metrics", ""), 200)
		return n == 22
	})
	for _, canary := range []string{"canary", providerKey, upstream.Marker, h.token} {
		if strings.Contains(text, canary) {
			t.Errorf("/metrics holds %q", canary)
		}
	}
}

// With the real engine, for the sake of its metrics: the documentation names all that there is and
// no more, and the dashboard asks for nothing else.
func TestTheDocumentationAndTheDashboardAreOfTheseMetrics(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.paths = datadir.At(testkit.Prepared(t))
	h.opts.DataDir = h.paths.Root
	h.start()
	h.client.Timeout = 4 * testkit.Patience
	h.text(h.request("POST", "/v1/chat/completions", `{"model": "`+models.StarterName+`", "stream": true, "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}`), 200)
	h.drain(h.chat("unknown", false))
	var f families
	eventually(t, "the batch of both", func() bool {
		f = h.scraped()
		n, _ := f.value("mlxbar_requests_total")
		_, records := f.value("mlxbar_audit_batch_records")
		return n == 2 && records >= 2
	})
	docs, err := os.ReadFile(filepath.Join(testkit.Root(t), "docs", "OBSERVABILITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, row := range regexp.MustCompile("(?m)^\\| `[^`]+` \\| `([a-z0-9_]+)` \\|").FindAllStringSubmatch(string(docs), -1) {
		named = append(named, row[1])
	}
	there := slices.DeleteFunc(slices.Sorted(maps.Keys(f)), func(name string) bool { return name == "target_info" }) // is Prometheus' own
	slices.Sort(named)
	if !slices.Equal(named, there) {
		t.Errorf("the documentation names\n%v\nand there are\n%v", named, there)
	}
	queries := dashboard(t)
	if len(queries) < 30 {
		t.Errorf("the dashboard has only %d queries", len(queries))
	}
	shown := map[string]bool{}
	for _, query := range queries {
		for _, wrong := range f.lacks(query, shown) {
			t.Errorf("%s asks for %s, which is not there", query, wrong)
		}
	}
	for _, name := range there {
		if !shown[name] {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

// dashboard gives the queries of docs/grafana/mlxbar.json.
func dashboard(t *testing.T) (queries []string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(testkit.Root(t), "docs", "grafana", "mlxbar.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			queries = append(queries, target.Expr)
		}
	}
	return queries
}

var (
	selector = regexp.MustCompile(`([a-z_][a-z0-9_]*)\{([^}]*)\}`)
	grouping = regexp.MustCompile(`by \(([^)]*)\)`)
	matcher  = regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)"`)
)

// lacks gives the metrics and labels of a query that are not there, and notes those that are shown.
// All the dashboard's selectors have braces.
func (f families) lacks(query string, shown map[string]bool) (wrong []string) {
	has := map[string]bool{"le": true, "instance": true} // Prometheus adds the instance
	found := selector.FindAllStringSubmatch(query, -1)
	if len(found) == 0 {
		return []string{"no metric"}
	}
	for _, s := range found {
		name := s[1]
		family := f[name]
		for _, end := range []string{"_bucket", "_sum", "_count"} {
			if base, cut := strings.CutSuffix(name, end); cut && f[base].GetType() == dto.MetricType_HISTOGRAM {
				family = f[base]
			}
		}
		if family == nil {
			wrong = append(wrong, name)
			continue
		}
		shown[family.GetName()] = true
		for _, m := range family.Metric {
			for _, l := range m.Label {
				has[l.GetName()] = true
			}
		}
		for _, l := range matcher.FindAllStringSubmatch(s[2], -1) {
			if !has[l[1]] {
				wrong = append(wrong, name+"'s label "+l[1])
			}
		}
	}
	for _, by := range grouping.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(by[1], ",") {
			if label = strings.TrimSpace(label); !has[label] {
				wrong = append(wrong, "the label "+label)
			}
		}
	}
	return wrong
}

func TestAWrongDashboardIsFound(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	h.text(h.chat("ok", false), 200)
	var f families
	eventually(t, "the request", func() bool { f = h.scraped(); return f["mlxbar_requests_total"] != nil })
	for query, wrong := range map[string]string{
		`sum by (mlxbar_status) (rate(mlxbar_requests_total{instance=~"$instance"}[1m]))`: "",
		`sum(rate(mlxbar_request_total{instance=~"$instance"}[1m]))`:                      "mlxbar_request_total",
		`sum by (status) (mlxbar_requests_total{})`:                                       "the label status",
		`mlxbar_requests_total{status="x"}`:                                               "mlxbar_requests_total's label status",
		`mlxbar_requests_in_flight_bucket{}`:                                              "mlxbar_requests_in_flight_bucket",
		`up`:                                                                              "no metric",
	} {
		if got := strings.Join(f.lacks(query, map[string]bool{}), ", "); got != wrong {
			t.Errorf("%s lacks %q, want %q", query, got, wrong)
		}
	}
}
