// Package collector is an OpenTelemetry collector for tests: a real HTTP server that takes spans,
// metrics and log lines by OTLP in protobuf, can go away and come back, and shows what it got.
package collector

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Collector keeps what it is sent.
type Collector struct {
	Addr string // host:port, the same after a return

	mu       sync.Mutex
	server   *http.Server
	ended    chan struct{}
	spans    []Span
	metrics  map[string]*metrics.Metric // the newest state of each instrument
	lines    []Line
	headers  []http.Header
	resource map[string]string
	text     strings.Builder
	faults   []string
}

// Span is one that arrived.
type Span struct {
	Name, Kind           string
	TraceID, ID, Parent  string // in hex; Parent "" for a root
	Attributes           map[string]string
	Links                []string // the ids of the spans that it is linked to
	Failed               bool
	StartNanos, EndNanos uint64
}

// Line is one of a log.
type Line struct {
	Body, TraceID string
	Attributes    map[string]string
}

// New starts one on a free port of this machine. Stop ends it.
func New() (*Collector, error) {
	c := &Collector{Addr: "127.0.0.1:0", metrics: map[string]*metrics.Metric{}, resource: map[string]string{}}
	return c, c.Start()
}

// URL is the address that OTEL_EXPORTER_OTLP_ENDPOINT takes.
func (c *Collector) URL() string { return "http://" + c.Addr }

// Start begins to serve, again where it did before.
func (c *Collector) Start() error {
	l, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", take(c, func() *coltrace.ExportTraceServiceRequest { return &coltrace.ExportTraceServiceRequest{} }, c.takeSpans))
	mux.HandleFunc("POST /v1/metrics", take(c, func() *colmetrics.ExportMetricsServiceRequest { return &colmetrics.ExportMetricsServiceRequest{} }, c.takeMetrics))
	mux.HandleFunc("POST /v1/logs", take(c, func() *collogs.ExportLogsServiceRequest { return &collogs.ExportLogsServiceRequest{} }, c.takeLines))
	c.mu.Lock()
	defer c.mu.Unlock()
	server, ended := &http.Server{Handler: mux}, make(chan struct{})
	c.Addr, c.server, c.ended = l.Addr().String(), server, ended
	go func() {
		defer close(ended)
		server.Serve(l) // ends with Stop
	}()
	return nil
}

// Stop goes away: connections are cut and new ones refused.
func (c *Collector) Stop() {
	c.mu.Lock()
	server, ended := c.server, c.ended
	c.mu.Unlock()
	server.Close()
	<-ended
}

// take decodes one request, as strictly as its headers allow.
func take[M proto.Message](c *Collector, empty func() M, keep func(M)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil { // the sender has left, as one may that ends
			return
		}
		if r.Header.Get("Content-Encoding") == "gzip" {
			raw, err = unzip(raw)
		}
		m := empty()
		if err == nil {
			err = proto.Unmarshal(raw, m)
		}
		var text []byte
		if err == nil {
			text, err = protojson.Marshal(m) // on one line: set out in many it takes several times the room
		}
		if err != nil || r.Header.Get("Content-Type") != "application/x-protobuf" {
			c.refuse(w, "no protobuf of this signal")
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		keep(m)
		c.headers = append(c.headers, r.Header.Clone())
		c.text.Write(text)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}
}

func unzip(raw []byte) ([]byte, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unzipped)
}

func (c *Collector) refuse(w http.ResponseWriter, why string) {
	c.mu.Lock()
	c.faults = append(c.faults, why)
	c.mu.Unlock()
	http.Error(w, why, http.StatusBadRequest)
}

func (c *Collector) takeSpans(m *coltrace.ExportTraceServiceRequest) {
	for _, rs := range m.ResourceSpans {
		c.knows(rs.GetResource().GetAttributes())
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				var links []string
				for _, l := range s.Links {
					links = append(links, hex.EncodeToString(l.SpanId))
				}
				c.spans = append(c.spans, Span{
					Name: s.Name, Kind: strings.ToLower(strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_")),
					TraceID: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId),
					Attributes: attributes(s.Attributes), Links: links, Failed: s.GetStatus().GetCode() == trace.Status_STATUS_CODE_ERROR,
					StartNanos: s.StartTimeUnixNano, EndNanos: s.EndTimeUnixNano,
				})
			}
		}
	}
}

func (c *Collector) takeMetrics(m *colmetrics.ExportMetricsServiceRequest) {
	for _, rm := range m.ResourceMetrics {
		c.knows(rm.GetResource().GetAttributes())
		for _, sm := range rm.ScopeMetrics {
			for _, m := range sm.Metrics {
				c.metrics[m.Name] = m
			}
		}
	}
}

func (c *Collector) takeLines(m *collogs.ExportLogsServiceRequest) {
	for _, rl := range m.ResourceLogs {
		c.knows(rl.GetResource().GetAttributes())
		for _, sl := range rl.ScopeLogs {
			for _, l := range sl.LogRecords {
				c.lines = append(c.lines, Line{Body: l.GetBody().GetStringValue(), TraceID: hex.EncodeToString(l.TraceId), Attributes: attributes(l.Attributes)})
			}
		}
	}
}

func (c *Collector) knows(resource []*common.KeyValue) {
	for name, value := range attributes(resource) {
		c.resource[name] = value
	}
}

// attributes gives values as text.
func attributes(list []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, kv := range list {
		switch v := kv.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			all[kv.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			all[kv.Key] = strconv.FormatInt(v.IntValue, 10)
		case *common.AnyValue_DoubleValue:
			all[kv.Key] = strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
		case *common.AnyValue_BoolValue:
			all[kv.Key] = strconv.FormatBool(v.BoolValue)
		default:
			all[kv.Key] = protojson.Format(kv.Value)
		}
	}
	return all
}

// Spans are those of a name, or all with "".
func (c *Collector) Spans(name string) (found []Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if name == "" || s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// Metrics are the names of the instruments of which something arrived, sorted.
func (c *Collector) Metrics() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.metrics))
}

// Metric is the newest state of an instrument; nil when none arrived.
func (c *Collector) Metric(name string) *metrics.Metric {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.metrics[name]
}

// Lines are those of all logs.
func (c *Collector) Lines() []Line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.lines)
}

// Headers are those of each request.
func (c *Collector) Headers() []http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.headers)
}

// Resource is what the senders said of themselves.
func (c *Collector) Resource(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resource[name]
}

// Text is all that arrived, decoded, to search in.
func (c *Collector) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// Faults are requests that were no OTLP.
func (c *Collector) Faults() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.faults)
}
