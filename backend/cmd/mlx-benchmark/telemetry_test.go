package main

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/collector"
	"mlxbar/backend/testkit/upstream"
)

// A trace shows the client and the server that it asks together: the server hears the very span
// that its request is.
func TestAMeasurementIsTold(t *testing.T) {
	to, err := collector.New()
	if err != nil {
		t.Fatal(err)
	}
	defer to.Stop()
	up := testkit.NewUpstream(t, upstream.Key("sk-canary"))
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", to.URL())
	t.Setenv("UPSTREAM_KEY", "sk-canary")
	p := benchmark(t, t.TempDir(), "run", "--url", up.URL, "--api-key-env", "UPSTREAM_KEY", "--model", "ok-5", "--runs", "3", "--concurrency", "1,3", "--format", "json", "--output", filepath.Join(t.TempDir(), "out.json"))
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.stderr)
	}
	all, cases, requests := to.Spans("mlx-benchmark run"), to.Spans("benchmark case"), to.Spans("chat ok-5")
	if len(all) != 1 || len(cases) != 2 || len(requests) != 8 || to.Resource("service.name") != "mlx-benchmark" {
		t.Fatalf("%d measurements, %d cases, %d requests of %s; want 1, 2, 2 times 3 and a warm-up", len(all), len(cases), len(requests), to.Resource("service.name"))
	}
	var told []string
	for _, r := range requests {
		if !slices.ContainsFunc(cases, func(c collector.Span) bool { return c.ID == r.Parent && c.Parent == all[0].ID }) {
			t.Errorf("a request belongs to no case: %+v", r)
		}
		if a := r.Attributes; r.Kind != "client" || a["gen_ai.request.model"] != "ok-5" || a["gen_ai.usage.output_tokens"] != "5" || a["server.address"] != "127.0.0.1" || r.Failed {
			t.Errorf("a request is told as %+v", r)
		}
		told = append(told, fmt.Sprintf("00-%s-%s-01", r.TraceID, r.ID))
	}
	for _, r := range up.Requests() {
		if r.Method == "POST" && !slices.Contains(told, r.Header.Get("Traceparent")) {
			t.Errorf("the server heard of the trace %q; told were %q", r.Header.Get("Traceparent"), told)
		}
	}
	for _, secret := range []string{"sk-canary", upstream.Marker} {
		if strings.Contains(to.Text(), secret) {
			t.Errorf("%s is in what is told", secret)
		}
	}
}

func TestAFailedMeasurementIsToldAsOne(t *testing.T) {
	to, err := collector.New()
	if err != nil {
		t.Fatal(err)
	}
	defer to.Stop()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", to.URL())
	p := benchmark(t, t.TempDir(), "run", "--url", testkit.NewUpstream(t).URL, "--model", "status-500", "--runs", "2")
	if code := p.wait(); code != 1 {
		t.Fatalf("exit code %d: %s", code, p.stderr)
	}
	for _, name := range []string{"benchmark case", "chat status-500"} {
		if spans := to.Spans(name); len(spans) == 0 || !spans[0].Failed {
			t.Errorf("%s: %+v", name, spans)
		}
	}
	if strings.Contains(to.Text(), "Refused (") {
		t.Errorf("the message of the server is told: %s", to.Text())
	}
}

func TestAWrongVariableIsNamed(t *testing.T) {
	up := testkit.NewUpstream(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", up.URL)
	t.Setenv("OTEL_TRACES_SAMPLER", "often")
	for _, command := range []string{"run", "suite"} {
		p := benchmark(t, t.TempDir(), command, "--url", up.URL, "--model", "ok")
		if code := p.wait(); code != 2 || !strings.Contains(p.stderr.String(), "OTEL_TRACES_SAMPLER=often") {
			t.Errorf("%s: exit code %d: %s", command, code, p.stderr)
		}
	}
	if n := up.Counts().Answered; n != 0 {
		t.Errorf("%d requests were answered before", n)
	}
	if p := benchmark(t, t.TempDir(), "version"); p.wait() != 0 { // which tells nobody anything
		t.Errorf("version: %s", p.stderr)
	}
}

// A collector that takes connections and says nothing costs a measurement none of its results.
func TestAMeasurementEndsWithoutItsCollector(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+silent.Addr().String())
	p := benchmark(t, t.TempDir(), "run", "--url", testkit.NewUpstream(t).URL, "--model", "ok", "--runs", "2")
	if code := p.wait(); code != 0 || !strings.Contains(p.stdout.String(), "all 2 answered") || !strings.Contains(p.stderr.String(), "not all telemetry was delivered") {
		t.Errorf("exit code %d: %s%s", code, p.stdout, p.stderr)
	}
}
