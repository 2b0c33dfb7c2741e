package telemetry

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func env(pairs ...string) func(string) string {
	all := map[string]string{}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		all[name] = value
	}
	return func(name string) string { return all[name] }
}

func urls(list []destination) string {
	var all []string
	for _, d := range list {
		all = append(all, d.url)
	}
	return strings.Join(all, " ")
}

func TestWhereTheEnvironmentSendsTelemetry(t *testing.T) {
	const token = "LOGFIRE_TOKEN=pylf_v1_us_abcDEF123"
	for _, c := range []struct {
		name                  string
		env                   []string
		traces, metrics, logs string
	}{
		{name: "nothing is set"},
		{name: "what only tells how, not where", env: []string{"OTEL_EXPORTER_OTLP_HEADERS=a=b", "OTEL_SERVICE_NAME=x", "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.5"}},
		{name: "what other programs can do", env: []string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http/json", "OTEL_TRACES_SAMPLER=xray", "OTEL_TRACES_SAMPLER_ARG=endpoint=x", "OTEL_PROPAGATORS=b3,none"}},
		{name: "one's own protocol before that for all", env: []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://h/t", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, traces: "http://h/t"},
		{name: "an endpoint for all", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://h:4318"}, traces: "http://h:4318/v1/traces", metrics: "http://h:4318/v1/metrics", logs: "http://h:4318/v1/logs"},
		{name: "an endpoint with a path", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://h/otlp/"}, traces: "https://h/otlp/v1/traces", metrics: "https://h/otlp/v1/metrics", logs: "https://h/otlp/v1/logs"},
		{name: "an endpoint for one, which is taken as it is", env: []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://h:9/in"}, traces: "http://h:9/in"},
		{name: "one's own before that for all", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://h:1", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://h:2/x"}, traces: "http://h:1/v1/traces", metrics: "http://h:1/v1/metrics", logs: "http://h:2/x"},
		{name: "one turned off", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://h:1", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none"}, traces: "http://h:1/v1/traces"},
		{name: "metrics left to Prometheus", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://h:1", "OTEL_METRICS_EXPORTER=prometheus"}, traces: "http://h:1/v1/traces", logs: "http://h:1/v1/logs"},
		{name: "asked for without an address", env: []string{"OTEL_TRACES_EXPORTER=otlp"}, traces: "http://localhost:4318/v1/traces"},
		{name: "all turned off", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://h:1", token, "OTEL_SDK_DISABLED=TRUE", "OTEL_BSP_SCHEDULE_DELAY=soon"}},
		{name: "Logfire", env: []string{token}, traces: "https://logfire-us.pydantic.dev/v1/traces", metrics: "https://logfire-us.pydantic.dev/v1/metrics", logs: "https://logfire-us.pydantic.dev/v1/logs"},
		{name: "Logfire in Europe", env: []string{"LOGFIRE_TOKEN=pylf_v1_eu_abc", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none"}, traces: "https://logfire-eu.pydantic.dev/v1/traces"},
		{name: "a token without a region", env: []string{"LOGFIRE_TOKEN=abc", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none"}, traces: "https://logfire-us.pydantic.dev/v1/traces"},
		{name: "one's own Logfire", env: []string{"LOGFIRE_TOKEN=pylf_v1_moon_abc", "LOGFIRE_BASE_URL=http://own:8080/", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none"}, traces: "http://own:8080/v1/traces"},
		{name: "Logfire and a collector", env: []string{token, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://h/t", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none"}, traces: "https://logfire-us.pydantic.dev/v1/traces http://h/t"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := readPlan(env(c.env...))
			if err != nil {
				t.Fatal(err)
			}
			if got := [3]string{urls(p.traces), urls(p.metrics), urls(p.logs)}; got != [3]string{c.traces, c.metrics, c.logs} {
				t.Errorf("sent to %q", got)
			}
		})
	}
}

func TestHowTheEnvironmentWantsItSent(t *testing.T) {
	p, err := readPlan(env("OTEL_EXPORTER_OTLP_ENDPOINT=http://h:1", "OTEL_EXPORTER_OTLP_HEADERS=a=1, b=two%20words", "OTEL_EXPORTER_OTLP_LOGS_HEADERS=c=3",
		"OTEL_EXPORTER_OTLP_TIMEOUT=1500", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=99", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip", "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION=none",
		"OTEL_SERVICE_NAME=mine", "OTEL_RESOURCE_ATTRIBUTES=service.name=not,team=a%2Cb", "OTEL_BSP_MAX_QUEUE_SIZE=100", "OTEL_BLRP_SCHEDULE_DELAY=7",
		"OTEL_METRIC_EXPORT_INTERVAL=250", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_PROPAGATORS=baggage, TraceContext"))
	if err != nil {
		t.Fatal(err)
	}
	traces, metrics, logs := p.traces[0], p.metrics[0], p.logs[0]
	if want := map[string]string{"a": "1", "b": "two words"}; !maps.Equal(traces.headers, want) || !maps.Equal(metrics.headers, want) {
		t.Errorf("headers %q and %q", traces.headers, metrics.headers)
	}
	if want := map[string]string{"c": "3"}; !maps.Equal(logs.headers, want) {
		t.Errorf("the logs' headers %q", logs.headers)
	}
	if traces.timeout != 99*time.Millisecond || logs.timeout != 1500*time.Millisecond || !traces.gzip || metrics.gzip {
		t.Errorf("%+v, %+v, %+v", traces, metrics, logs)
	}
	if !maps.Equal(p.attributes, map[string]string{"service.name": "mine", "team": "a,b"}) {
		t.Errorf("resource %q", p.attributes)
	}
	if p.spans.queue != 100 || p.spans.batch != 100 || p.lines.delay != 7*time.Millisecond || p.every != 250*time.Millisecond {
		t.Errorf("%+v, %+v, %s", p.spans, p.lines, p.every)
	}
}

func TestAWrongVariableIsSaid(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.pem")
	if err := os.WriteFile(broken, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	const at = "OTEL_EXPORTER_OTLP_ENDPOINT=https://h:1"
	for _, c := range []struct {
		name, wrong, says string
		secret            string // must not be in it
	}{
		{"no address", "OTEL_EXPORTER_OTLP_ENDPOINT=h:4318", "OTEL_EXPORTER_OTLP_ENDPOINT is no address", ""},
		{"an address of another kind", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=ftp://h", "TRACES_ENDPOINT is no address", ""},
		{"a password in the address", "OTEL_EXPORTER_OTLP_ENDPOINT=http://me:geheim@h", "holds a name or password", "geheim"},
		{"a key in the address", "OTEL_EXPORTER_OTLP_ENDPOINT=http://h?key=geheim", "after its path", "geheim"},
		{"gRPC", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc is none of http/protobuf", ""},
		{"JSON for one", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http/json", "LOGS_PROTOCOL=http/json", ""},
		{"a timeout in words", "OTEL_EXPORTER_OTLP_TIMEOUT=10s", "OTEL_EXPORTER_OTLP_TIMEOUT=10s is no number of milliseconds", ""},
		{"a timeout of none", "OTEL_EXPORTER_OTLP_TIMEOUT=0", "TIMEOUT=0", ""},
		{"headers without a value", "OTEL_EXPORTER_OTLP_HEADERS=a=1,geheim", "entry 2", "geheim"},
		{"headers with a line end", "OTEL_EXPORTER_OTLP_HEADERS=a=geheim%0Ab", "entry 1", "geheim"},
		{"compression", "OTEL_EXPORTER_OTLP_COMPRESSION=zstd", "COMPRESSION=zstd", ""},
		{"no certificate", "OTEL_EXPORTER_OTLP_CERTIFICATE=" + broken, "broken.pem is no file of certificates", ""},
		{"a key without its certificate", "OTEL_EXPORTER_OTLP_CLIENT_KEY=" + broken, "go together", ""},
		{"an exporter that is not there", "OTEL_TRACES_EXPORTER=zipkin", "OTEL_TRACES_EXPORTER=zipkin", ""},
		{"Prometheus for traces", "OTEL_TRACES_EXPORTER=prometheus", "OTEL_TRACES_EXPORTER=prometheus", ""},
		{"headers of another kind", "OTEL_PROPAGATORS=tracecontext,b3", "OTEL_PROPAGATORS=tracecontext,b3 is not tracecontext,baggage", ""},
		{"no headers", "OTEL_PROPAGATORS=none", "OTEL_PROPAGATORS=none", ""},
		{"half of the headers", "OTEL_PROPAGATORS=tracecontext", "OTEL_PROPAGATORS=tracecontext", ""},
		{"a sampler", "OTEL_TRACES_SAMPLER=sometimes", "OTEL_TRACES_SAMPLER=sometimes", ""},
		{"a queue", "OTEL_BSP_MAX_QUEUE_SIZE=-1", "OTEL_BSP_MAX_QUEUE_SIZE=-1", ""},
		{"a queue without bound", "OTEL_BLRP_MAX_QUEUE_SIZE=2000000000", "1 to 1048576", ""},
		{"a batch over its queue", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=4000", "more than the queue of 2048", ""},
		{"the resource", "OTEL_RESOURCE_ATTRIBUTES=nonsense", "OTEL_RESOURCE_ATTRIBUTES is not of the form", ""},
		{"disabled or not", "OTEL_SDK_DISABLED=yes", "OTEL_SDK_DISABLED=yes", ""},
		{"a token with a space", "LOGFIRE_TOKEN=pylf_v1_us_ge heim", "LOGFIRE_TOKEN holds a character", "heim"},
		{"a region", "LOGFIRE_TOKEN=pylf_v1_moon_geheim", `the region "moon"`, "geheim"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readPlan(env(at, c.wrong))
			if err == nil || !strings.Contains(err.Error(), c.says) || (c.secret != "" && strings.Contains(err.Error(), c.secret)) {
				t.Errorf("it says %v", err)
			}
		})
	}
	_, err := readPlan(env(at, "OTEL_EXPORTER_OTLP_PROTOCOL=carrier-pigeon"))
	if err == nil || strings.Count(err.Error(), "PROTOCOL") != 1 {
		t.Errorf("it says more than once %v", err)
	}
	_, err = readPlan(env(at, "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=2", "OTEL_BSP_SCHEDULE_DELAY=x"))
	if err == nil || !strings.Contains(err.Error(), "SAMPLER_ARG=2") || !strings.Contains(err.Error(), "DELAY=x") {
		t.Errorf("of two faults it says %v", err)
	}
}

// A value that nobody can read is wrong on the day on which it is set, not only on that on which it counts.
func TestAWrongVariableIsSaidWhereNothingIsSent(t *testing.T) {
	for _, c := range []struct{ wrong, says string }{
		{"OTEL_TRACES_SAMPLER=sometimes", "OTEL_TRACES_SAMPLER=sometimes is none of always_on"},
		{"OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=2", "OTEL_TRACES_SAMPLER_ARG=2 is no share from 0 to 1"},
		{"OTEL_PROPAGATORS=tracecontext,morse", "OTEL_PROPAGATORS=tracecontext,morse"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=grcp", "OTEL_EXPORTER_OTLP_PROTOCOL=grcp is none of http/protobuf"},
		{"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=udp", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=udp"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT=10s", "OTEL_EXPORTER_OTLP_TIMEOUT=10s is no number of milliseconds"},
		{"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=-1", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT=-1"},
		{"OTEL_EXPORTER_OTLP_HEADERS=geheim", "OTEL_EXPORTER_OTLP_HEADERS is not of the form"},
		{"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=zip", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=zip"},
		{"OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=h:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is no address"},
		{"OTEL_RESOURCE_ATTRIBUTES=geheim", "OTEL_RESOURCE_ATTRIBUTES is not of the form"},
		{"LOGFIRE_BASE_URL=moon", "LOGFIRE_BASE_URL is no address"},
		{"OTEL_BSP_SCHEDULE_DELAY=soon", "OTEL_BSP_SCHEDULE_DELAY=soon"},
		{"OTEL_METRIC_EXPORT_INTERVAL=often", "OTEL_METRIC_EXPORT_INTERVAL=often"},
		{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=past", "TEMPORALITY_PREFERENCE=past"},
		{"OTEL_METRICS_EXEMPLAR_FILTER=some", "OTEL_METRICS_EXEMPLAR_FILTER=some"},
		{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=many", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=many is no whole number"},
	} {
		t.Run(c.wrong, func(t *testing.T) {
			_, err := readPlan(env(strings.Fields(c.wrong)...))
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("it says %v", err)
			}
			if _, err := readPlan(env(append(strings.Fields(c.wrong), "OTEL_SDK_DISABLED=true")...)); err != nil {
				t.Errorf("with all turned off it says %v", err)
			}
		})
	}
}
