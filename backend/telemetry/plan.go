package telemetry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// plan is what the environment asks for.
type plan struct {
	traces, metrics, logs []destination

	attributes          map[string]string // of the resource
	sampler             sdktrace.Sampler
	spans, lines        batching
	every, everyTimeout time.Duration // of metrics
	temporality         string
	histogram           string
}

// batching is how spans or log lines wait for their destination: a queue that is full drops.
type batching struct {
	queue, batch   int
	delay, timeout time.Duration
}

func (p *plan) sends() bool { return len(p.traces)+len(p.metrics)+len(p.logs) > 0 }

// hosts are where something is sent, each once.
func (p *plan) hosts() (all []string) {
	for _, d := range slices.Concat(p.traces, p.metrics, p.logs) {
		if u, err := url.Parse(d.url); err == nil && !slices.Contains(all, u.Host) {
			all = append(all, u.Host)
		}
	}
	return all
}

// secrets are what must not be read in a complaint about the destinations.
func (p *plan) secrets() (all []string) {
	for _, d := range slices.Concat(p.traces, p.metrics, p.logs) {
		all = slices.AppendSeq(all, maps.Values(d.headers))
	}
	return all
}

// resource says which program of which version this is; not whose machine it runs on.
func (p *plan) resource(c Config) *resource.Resource {
	all := map[string]string{
		"service.name": c.Service, "service.namespace": "mlxbar", "service.version": c.Version,
		"service.instance.id": uuid.NewString(), "process.executable.name": filepath.Base(os.Args[0]),
		"os.type": runtime.GOOS, "host.arch": runtime.GOARCH,
	}
	maps.Copy(all, p.attributes)
	var attributes []attribute.KeyValue
	for name, value := range all {
		attributes = append(attributes, attribute.String(name, value))
	}
	own := resource.NewSchemaless(attributes...)
	sdk, err := resource.New(context.Background(), resource.WithTelemetrySDK())
	if err != nil {
		return own
	}
	merged, err := resource.Merge(sdk, own)
	if err != nil {
		return own
	}
	return merged
}

// readPlan reads LOGFIRE_* and OTEL_*. Its error names each variable that is wrong.
func readPlan(get func(string) string) (*plan, error) {
	v := &vars{get: get}
	p := &plan{}
	if v.choice("OTEL_SDK_DISABLED", "false", "false", "true") == "true" {
		return p, v.err()
	}
	token := v.logfire()
	for _, s := range []struct {
		name string
		to   *[]destination
	}{{"traces", &p.traces}, {"metrics", &p.metrics}, {"logs", &p.logs}} {
		wanted := v.exporter(s.name)
		if wanted == sendNothing {
			continue
		}
		if token != nil {
			*s.to = append(*s.to, token.destination(s.name))
		}
		if d, ok := v.otlp(s.name, wanted == sendOTLP); ok {
			*s.to = append(*s.to, d)
		}
	}
	v.details(p)
	v.library()
	for _, signal := range []string{"", "traces", "metrics", "logs"} {
		v.way(signal)
	}
	return p, v.err()
}

// details are read where nothing is sent as well: whoever set one that cannot be read is to hear of it before the day on
// which it counts. What can be read and is for other programs, such as another sampler, is wrong only where something is sent.
func (v *vars) details(p *plan) {
	p.attributes = v.pairs("OTEL_RESOURCE_ATTRIBUTES")
	if name := v.text("OTEL_SERVICE_NAME"); name != "" {
		p.attributes["service.name"] = name
	}
	if base := v.text("LOGFIRE_BASE_URL"); base != "" {
		v.address("LOGFIRE_BASE_URL", base)
	}
	v.propagators(p.sends())
	p.sampler = v.sampler(p.sends())
	p.spans = v.batching("OTEL_BSP_", 5*time.Second)
	p.lines = v.batching("OTEL_BLRP_", time.Second)
	p.every = v.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", time.Minute)
	p.everyTimeout = v.milliseconds("OTEL_METRIC_EXPORT_TIMEOUT", 30*time.Second)
	p.temporality = v.choice("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "cumulative", "cumulative", "delta", "lowmemory")
	p.histogram = v.choice("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
		"explicit_bucket_histogram", "explicit_bucket_histogram", "base2_exponential_bucket_histogram")
}

func (v *vars) batching(prefix string, delay time.Duration) batching {
	b := batching{
		queue: v.number(prefix+"MAX_QUEUE_SIZE", 2048), batch: v.number(prefix+"MAX_EXPORT_BATCH_SIZE", 512),
		delay: v.milliseconds(prefix+"SCHEDULE_DELAY", delay), timeout: v.milliseconds(prefix+"EXPORT_TIMEOUT", 30*time.Second),
	}
	if b.batch > b.queue && v.text(prefix+"MAX_EXPORT_BATCH_SIZE") != "" {
		v.fault(prefix+"MAX_EXPORT_BATCH_SIZE", fmt.Sprintf("is %d, more than the queue of %d (%sMAX_QUEUE_SIZE)", b.batch, b.queue, prefix))
	}
	b.batch = min(b.batch, b.queue)
	return b
}

func (v *vars) sampler(sends bool) sdktrace.Sampler {
	const variable, usual = "OTEL_TRACES_SAMPLER", "parentbased_always_on"
	if !sends && v.among(variable, "jaeger_remote", "parentbased_jaeger_remote", "xray") {
		return nil
	}
	switch v.choice(variable, usual, "always_on", "always_off", "traceidratio", usual, "parentbased_always_off", "parentbased_traceidratio") {
	case "always_on":
		return sdktrace.AlwaysSample()
	case "always_off":
		return sdktrace.NeverSample()
	case "traceidratio":
		return sdktrace.TraceIDRatioBased(v.ratio("OTEL_TRACES_SAMPLER_ARG"))
	case "parentbased_always_off":
		return sdktrace.ParentBased(sdktrace.NeverSample())
	case "parentbased_traceidratio":
		return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(v.ratio("OTEL_TRACES_SAMPLER_ARG")))
	}
	return sdktrace.ParentBased(sdktrace.AlwaysSample())
}

// logfireToken is a write token of Logfire: pylf_v1_REGION_SECRET, or an old one without a region.
var logfireToken = regexp.MustCompile(`^pylf_v[0-9]+_([a-z]+)_[A-Za-z0-9]+$`)

var logfireRegions = map[string]string{"us": "https://logfire-us.pydantic.dev", "eu": "https://logfire-eu.pydantic.dev"}

// logfire is where LOGFIRE_TOKEN leads.
type logfire struct{ base, token string }

func (v *vars) logfire() *logfire {
	token := v.text("LOGFIRE_TOKEN")
	if token == "" {
		return nil
	}
	for _, c := range token {
		if c <= ' ' || c > '~' {
			v.secretFault("LOGFIRE_TOKEN", "holds a character that no token has")
			return nil
		}
	}
	if base := v.text("LOGFIRE_BASE_URL"); base != "" {
		u, ok := v.address("LOGFIRE_BASE_URL", base)
		if !ok {
			return nil
		}
		return &logfire{base: u.String(), token: token}
	}
	region := "us"
	if m := logfireToken.FindStringSubmatch(token); m != nil {
		region = m[1]
	}
	base, ok := logfireRegions[region]
	if !ok {
		v.secretFault("LOGFIRE_TOKEN", fmt.Sprintf("is of the region %q, which mlxbar does not know; set LOGFIRE_BASE_URL to its address", region))
		return nil
	}
	return &logfire{base: base, token: token}
}

func (l *logfire) destination(signal string) destination {
	d := newDestination(under(l.base, signal), defaultTimeout, nil)
	d.headers = map[string]string{"Authorization": l.token}
	d.gzip, d.delta = true, true
	return d
}

// errTelemetry begins what is said of wrong variables.
var errTelemetry = errors.New("telemetry is not set up right")
