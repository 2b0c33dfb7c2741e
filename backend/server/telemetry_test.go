package server_test

import (
	"net/http"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/testkit"
)

// scraped reads /metrics as Prometheus does.
func (h *house) scraped() map[string]*dto.MetricFamily {
	h.t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(h.text(h.request("GET", "/metrics", "", header("Authorization", "")), http.StatusOK)))
	if err != nil {
		h.t.Fatalf("Prometheus could not read it: %v", err)
	}
	return families
}

func TestMetricsNeedNoTokenAndObeyTheGuard(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	h.text(h.chat("ok", false), 200)
	for name := range h.scraped() {
		t.Log(name)
	}
	t.Log(h.text(h.request("GET", "/metrics", ""), 200))
	h.problem(h.request("POST", "/metrics", "{}"), problem.MethodNotAllowed)
	h.problem(h.request("GET", "/metrics", "", func(r *http.Request) { r.Host = "evil.example" }), problem.ForeignHost)
	h.problem(h.request("GET", "/metrics", "", header("Origin", "https://evil.example")), problem.ForeignOrigin)
}
