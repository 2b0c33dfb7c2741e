package telemetry_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/goleak"

	"mlxbar/backend/gateway/requestid"
	"mlxbar/backend/telemetry"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/collector"
)

const patience = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func environment(pairs ...string) func(string) string {
	all := map[string]string{
		"OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_BLRP_SCHEDULE_DELAY": "20", "OTEL_METRIC_EXPORT_INTERVAL": "50",
	}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		all[name] = value
	}
	return func(name string) string { return all[name] }
}

func newCollector(t *testing.T) *collector.Collector {
	t.Helper()
	c, err := collector.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Stop()
		if faults := c.Faults(); len(faults) > 0 {
			t.Errorf("the collector was sent what is no OTLP: %q", faults)
		}
	})
	return c
}

// begin starts telemetry that ends with the test.
func begin(t *testing.T, c telemetry.Config) *telemetry.Telemetry {
	t.Helper()
	c.Service, c.Version = "mlxbar-test", "1.2.3"
	tel, err := telemetry.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		tel.Shutdown(ctx) // with a collector that is away it may fail
	})
	return tel
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain: " + what)
		}
	}
}

func TestACollectorGetsSpansMetricsAndLines(t *testing.T) {
	for _, c := range []struct {
		name, header, value string
		env                 func(at string) []string
	}{
		{"by the variables of OpenTelemetry", "X-Key", "a b", func(at string) []string {
			return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + at, "OTEL_EXPORTER_OTLP_HEADERS=X-Key=a%20b", "OTEL_RESOURCE_ATTRIBUTES=team=x"}
		}},
		{"by Logfire's", "Authorization", "pylf_v1_eu_t", func(at string) []string {
			return []string{"LOGFIRE_TOKEN=pylf_v1_eu_t", "LOGFIRE_BASE_URL=" + at, "OTEL_RESOURCE_ATTRIBUTES=team=x"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			col := newCollector(t)
			tel := begin(t, telemetry.Config{Getenv: environment(c.env(col.URL())...)})
			var local bytes.Buffer
			log := slog.New(tel.Handler(slog.NewTextHandler(&local, nil)))
			ctx, span := tel.Tracer().Start(requestid.With(t.Context(), "req_1"), "work")
			log.InfoContext(ctx, "at work", "n", 7)
			log.DebugContext(ctx, "stays here")
			counter, err := tel.Meter().Int64Counter("mlxbar.test")
			if err != nil {
				t.Fatal(err)
			}
			counter.Add(ctx, 3)
			span.End()
			eventually(t, "all three", func() bool {
				return len(col.Spans("work")) == 1 && col.Metric("mlxbar.test") != nil && len(col.Lines()) == 1
			})
			line, got := col.Lines()[0], col.Spans("work")[0]
			if line.Body != "at work" || line.TraceID != got.TraceID || line.Attributes["request_id"] != "req_1" || line.Attributes["n"] != "7" {
				t.Errorf("the line is %+v of trace %s", line, got.TraceID)
			}
			if text := local.String(); !strings.Contains(text, "request_id=req_1") || !strings.Contains(text, "trace_id="+got.TraceID) || strings.Contains(text, "stays here") {
				t.Errorf("the local log says %s", text)
			}
			for name, want := range map[string]string{"service.name": "mlxbar-test", "service.version": "1.2.3", "service.namespace": "mlxbar", "team": "x", "telemetry.sdk.language": "go"} {
				if r := col.Resource(name); r != want {
					t.Errorf("the resource's %s is %q", name, r)
				}
			}
			for _, h := range col.Headers() {
				if h.Get(c.header) != c.value {
					t.Errorf("a request has the headers %v", h)
				}
			}
		})
	}
}

func TestWithoutADestinationNothingRuns(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, pull := range []bool{false, true} {
		tel := begin(t, telemetry.Config{Getenv: environment("OTEL_SERVICE_NAME=x"), Pull: pull})
		if tel.Tracer() != nil || (tel.Metrics() != nil) != pull {
			t.Errorf("pull %t: a tracer %v, metrics %v", pull, tel.Tracer(), tel.Metrics())
		}
		if _, err := tel.Meter().Int64Counter("mlxbar.test"); err != nil {
			t.Error(err)
		}
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines instead of %d", n, before)
	}
}

func TestAWrongVariableStopsTheStart(t *testing.T) {
	_, err := telemetry.Start(t.Context(), telemetry.Config{Getenv: environment("OTEL_EXPORTER_OTLP_ENDPOINT=nowhere")})
	if err == nil || !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_ENDPOINT") {
		t.Errorf("it says %v", err)
	}
}

func TestMetricsForPrometheus(t *testing.T) {
	tel := begin(t, telemetry.Config{Getenv: environment(), Pull: true})
	h, err := tel.Meter().Float64Histogram("gen_ai.server.request.duration", metric.WithUnit("s"))
	if err != nil {
		t.Fatal(err)
	}
	h.Record(t.Context(), 0.5, metric.WithAttributes(attribute.String("gen_ai.request.model", "m")))
	w := httptest.NewRecorder()
	tel.Metrics().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`gen_ai_server_request_duration_seconds_count{gen_ai_request_model="m"} 1`, `service_name="mlxbar-test"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("there is no %s in\n%s", want, w.Body)
		}
	}
}

// What is done while nobody listens is lost past the queue, what is done afterwards arrives,
// and neither waits.
func TestACollectorGoesAwayAndComesBack(t *testing.T) {
	col := newCollector(t)
	log := &lines{}
	tel := begin(t, telemetry.Config{
		Getenv: environment("OTEL_EXPORTER_OTLP_ENDPOINT="+col.URL(), "OTEL_EXPORTER_OTLP_HEADERS=X-Key=geheim", "OTEL_BSP_MAX_QUEUE_SIZE=64", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=32"),
		Log:    slog.New(slog.NewTextHandler(log, nil)),
	})
	span := func(name string) { _, s := tel.Tracer().Start(context.Background(), name); s.End() }
	span("before")
	eventually(t, "the first span", func() bool { return len(col.Spans("before")) == 1 })
	col.Stop()
	for range 10_000 {
		span("meanwhile")
	}
	eventually(t, "a word in the log", func() bool { return log.count("telemetry could not be delivered") > 0 })
	if err := col.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "spans again", func() bool { span("after"); return len(col.Spans("after")) > 0 })
	if n := log.count("telemetry could not be delivered"); n != 1 {
		t.Errorf("%d words in the log within a minute:\n%s", n, log)
	}
	if strings.Contains(log.String(), "geheim") {
		t.Errorf("the log holds the key: %s", log)
	}
}

// A collector that refuses, and quotes the key in doing so.
func TestARefusalIsLoggedWithoutTheKey(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "unknown key "+r.Header.Get("Authorization"), http.StatusUnauthorized)
	}))
	defer refusing.Close()
	log := &lines{}
	tel := begin(t, telemetry.Config{
		Getenv: environment("LOGFIRE_TOKEN=pylf_v1_us_geheim", "LOGFIRE_BASE_URL="+refusing.URL),
		Log:    slog.New(slog.NewTextHandler(log, nil)),
	})
	_, span := tel.Tracer().Start(t.Context(), "work")
	span.End()
	eventually(t, "a word in the log", func() bool { return log.count("telemetry could not be delivered") > 0 })
	if s := log.String(); !strings.Contains(s, "401") || !strings.Contains(s, "unknown key …") || strings.Contains(s, "geheim") {
		t.Errorf("the log says %s", s)
	}
	_, last := tel.Tracer().Start(t.Context(), "last")
	last.End()
	if err := tel.Shutdown(t.Context()); err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "geheim") {
		t.Errorf("the end says %v", err)
	}
}

// Where a collector points was named by nobody, and gets neither spans nor keys.
func TestARedirectIsNotFollowed(t *testing.T) {
	var followed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer elsewhere.Close()
	// 307 and 308 have the body sent again, the others would be asked for with GET.
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		t.Run(strconv.Itoa(status), func(t *testing.T) { // one after the other: the library has one place for complaints
			redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/v1/traces", status))
			defer redirecting.Close()
			log := &lines{}
			tel := begin(t, telemetry.Config{
				Getenv: environment("OTEL_EXPORTER_OTLP_ENDPOINT="+redirecting.URL, "OTEL_EXPORTER_OTLP_HEADERS=X-Key=geheim"),
				Log:    slog.New(slog.NewTextHandler(log, nil)),
			})
			_, span := tel.Tracer().Start(t.Context(), "work")
			span.End()
			eventually(t, "a word in the log", func() bool { return log.count("telemetry could not be delivered") > 0 })
			if s := log.String(); !strings.Contains(s, strconv.Itoa(status)) || strings.Contains(s, "geheim") {
				t.Errorf("after %d the log says %s", status, s)
			}
		})
	}
	if n := followed.Load(); n != 0 {
		t.Errorf("%d requests were sent to where nobody had said", n)
	}
}

func TestShutdownSendsWhatIsLeft(t *testing.T) {
	col := newCollector(t)
	tel := begin(t, telemetry.Config{Getenv: environment("OTEL_EXPORTER_OTLP_ENDPOINT="+col.URL(), "OTEL_BSP_SCHEDULE_DELAY=3600000", "OTEL_BLRP_SCHEDULE_DELAY=3600000", "OTEL_METRIC_EXPORT_INTERVAL=3600000")})
	_, span := tel.Tracer().Start(t.Context(), "last")
	span.End()
	slog.New(tel.Handler(slog.DiscardHandler)).Info("last")
	counter, _ := tel.Meter().Int64Counter("mlxbar.last")
	counter.Add(t.Context(), 1)
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(col.Spans("last")) != 1 || len(col.Lines()) != 1 || !slices.Contains(col.Metrics(), "mlxbar.last") {
		t.Errorf("arrived: %v, %v, %v", col.Spans(""), col.Lines(), col.Metrics())
	}
}

// A program that has no log, such as mlx-benchmark, tells at its end what was not delivered, of whatever kind it is.
func TestShutdownTellsOfWhatWasRefused(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "geheim is not allowed", http.StatusForbidden)
	}))
	defer refusing.Close()
	for _, c := range []struct {
		signal string
		tell   func(*telemetry.Telemetry)
	}{
		{"TRACES", func(tel *telemetry.Telemetry) { _, s := tel.Tracer().Start(t.Context(), "work"); s.End() }},
		{"LOGS", func(tel *telemetry.Telemetry) { slog.New(tel.Handler(slog.DiscardHandler)).Info("work") }},
		{"METRICS", func(tel *telemetry.Telemetry) {
			counter, _ := tel.Meter().Int64Counter("mlxbar.work")
			counter.Add(t.Context(), 1)
		}},
	} {
		env := environment("OTEL_EXPORTER_OTLP_"+c.signal+"_ENDPOINT="+refusing.URL, "OTEL_EXPORTER_OTLP_HEADERS=X-Key=geheim")
		tel := begin(t, telemetry.Config{Getenv: env})
		c.tell(tel)
		if err := tel.Close(); err == nil || !strings.Contains(err.Error(), "403") || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", c.signal, err)
		}
		log := &lines{}
		tel = begin(t, telemetry.Config{Getenv: env, Log: slog.New(slog.NewTextHandler(log, nil))})
		c.tell(tel)
		err := tel.Close()
		if said := fmt.Sprint(err, log); !strings.Contains(said, "403") || strings.Contains(said, "geheim") {
			t.Errorf("%s, with a log: %s", c.signal, said)
		}
	}
}

// lines is a log that a test may read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) count(s string) int { return strings.Count(l.String(), s) }

// Whoever ends has no time for a collector that is gone or says nothing: nothing goes on to be
// sent after Shutdown, which goleak looks for.
func TestNothingIsSentAfterShutdown(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done() // until the client has had enough
	}))
	defer silent.Close()
	for _, url := range []string{silent.URL, "http://" + testkit.Nobody(t)} {
		before := goleak.IgnoreCurrent()
		tel := begin(t, telemetry.Config{Getenv: environment("OTEL_EXPORTER_OTLP_ENDPOINT="+url, "OTEL_BSP_SCHEDULE_DELAY=1", "OTEL_BLRP_SCHEDULE_DELAY=1", "OTEL_METRIC_EXPORT_INTERVAL=1")})
		_, span := tel.Tracer().Start(t.Context(), "work")
		span.End()
		slog.New(tel.Handler(slog.DiscardHandler)).Info("work")
		counter, _ := tel.Meter().Int64Counter("mlxbar.work")
		counter.Add(t.Context(), 1)
		time.Sleep(20 * time.Millisecond) // so that it is on its way
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		tel.Shutdown(ctx) // may fail
		cancel()
		if err := goleak.Find(before); err != nil {
			t.Error(err)
		}
	}
}
