package server_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/collector"
)

// prompt has everything sent at once, as a test waits for it.
var prompt = []string{"OTEL_BSP_SCHEDULE_DELAY=5", "OTEL_BLRP_SCHEDULE_DELAY=5", "OTEL_METRIC_EXPORT_INTERVAL=20"}

// environment answers as one that has only these variables.
func environment(lines ...string) func(string) string {
	return func(name string) string {
		for _, line := range lines {
			if value, ok := strings.CutPrefix(line, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// tells has the house tell a collector, by the environment and more of it.
func (h *house) tells(more ...string) *collector.Collector {
	h.t.Helper()
	c, err := collector.New()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { // after the server has ended
		c.Stop()
		if faults := c.Faults(); len(faults) > 0 {
			h.t.Errorf("the collector was sent what is no OTLP: %q", faults)
		}
	})
	h.opts.Getenv = environment(append(append(more, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL()), prompt...)...)
	return c
}

func TestALogLineLeadsToItsTrace(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	c := h.tells()
	h.start()
	h.problem(h.chat("status-500", false, header("X-Request-ID", "mine")), "upstream-failed")
	request := spans(t, c, "server", 1)[0]
	var lines []collector.Line
	eventually(t, "the line", func() bool {
		lines = nil
		for _, l := range c.Lines() {
			if l.Body == "request failed" {
				lines = append(lines, l)
			}
		}
		return len(lines) > 0
	})
	if len(lines) != 1 || lines[0].TraceID != request.TraceID || lines[0].Attributes["request_id"] != "mine" {
		t.Errorf("the lines are %+v, the request %+v", lines, request)
	}
	local := 0
	for line := range strings.Lines(h.log.String()) {
		if strings.Contains(line, "request failed") {
			local++
			for _, want := range []string{"request_id=mine", "trace_id=" + request.TraceID, "span_id=" + request.ID} {
				if strings.Count(line, want) != 1 {
					t.Errorf("%d times %s in %s", strings.Count(line, want), want, line)
				}
			}
		}
	}
	if local != 1 {
		t.Errorf("%d lines in the log", local)
	}
}

func TestACollectorInTheSettings(t *testing.T) {
	named, won := newHouse(t, testkit.NewUpstream(t).URL), newHouse(t, testkit.NewUpstream(t).URL)
	c, other := named.tells(), won.tells()
	set := `"telemetry": {"otlp_endpoint": "` + c.URL() + `", "service_name": "at-home"},`
	named.opts.Getenv = environment(prompt...)
	for _, h := range []*house{named, won} {
		h.writeSettings(settingsFor(testkit.NewUpstream(t).URL, set))
		h.start()
		h.text(h.chat("ok", false), 200)
	}
	spans(t, c, "server", 1)
	spans(t, other, "server", 1)
	if got := c.Resource("service.name"); got != "at-home" {
		t.Errorf("it calls itself %q", got)
	}
	if !strings.Contains(named.log.String(), "telemetry is sent") {
		t.Error("the log does not say where telemetry goes")
	}
}

func TestWithNothingNamedNothingIsSent(t *testing.T) {
	for name, env := range map[string][]string{
		"no variable": {}, "switched off": {"OTEL_SDK_DISABLED=true"}, "none wanted": {"OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, testkit.NewUpstream(t).URL)
			c := h.tells(env...)
			if len(env) == 0 {
				h.opts.Getenv = environment(prompt...)
			}
			h.start()
			h.text(h.chat("ok", false), 200)
			h.scraped() // which is there nevertheless
			h.stop()
			if err := h.wait(); err != nil { // whereby all would be sent
				t.Fatal(err)
			}
			if got := c.Headers(); len(got) > 0 || strings.Contains(h.log.String(), "telemetry is sent") {
				t.Errorf("%d requests came to the collector", len(got))
			}
		})
	}
}

func TestAWrongVariableStopsTheStartAndAWrongSettingIsRefused(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.opts.Getenv = environment("OTEL_EXPORTER_OTLP_TIMEOUT=soon", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1")
	if err := h.fails(); !strings.Contains(err.Error(), "OTEL_EXPORTER_OTLP_TIMEOUT=soon") {
		t.Errorf("it ended with: %v", err)
	}
	h.opts.Getenv = environment()
	h.start()
	for field, value := range map[string]string{"otlp_endpoint": "localhost:4318", "service_name": "two words"} {
		d := h.problem(h.request("PATCH", "/api/settings", `{"telemetry": {"`+field+`": "`+value+`"}}`), "invalid-request")
		if len(d.Errors) != 1 || d.Errors[0].Location != "telemetry."+field {
			t.Errorf("%s: %+v", field, d.Errors)
		}
	}
	h.text(h.request("PATCH", "/api/settings", `{"telemetry": {"otlp_endpoint": "http://localhost:4318"}}`), http.StatusOK)
}

// Nobody is there to take anything: requests are served as ever, what waits is bounded, and who
// comes back hears of what is done from then on.
func TestACollectorThatIsAwayCostsNoRequestAnything(t *testing.T) {
	const queue, requests = 64, 2000
	h := newHouse(t, testkit.NewUpstream(t).URL)
	c := h.tells(fmt.Sprint("OTEL_BSP_MAX_QUEUE_SIZE=", queue), fmt.Sprint("OTEL_BSP_MAX_EXPORT_BATCH_SIZE=", queue), "OTEL_EXPORTER_OTLP_TIMEOUT=1000")
	h.start()
	h.text(h.chat("ok-1", false), 200)
	eventually(t, "the first span", func() bool { return len(c.Spans("chat ok-1")) == 2 })
	c.Stop()
	gone := time.Now()
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range requests / 4 {
				resp, err := h.client.Post(h.url+"/v1/chat/completions", "application/json", strings.NewReader(`{"model": "ok-2", "messages": [{"role": "user", "content": "hello"}]}`))
				if err != nil {
					t.Error(err)
					return
				}
				if h.drain(resp); resp.StatusCode != http.StatusOK {
					t.Errorf("a request was answered with %s", resp.Status)
				}
			}
		})
	}
	work.Wait()
	eventually(t, "all requests in /metrics", func() bool { // the last one's answer may be here before it is counted
		n, _ := h.scraped().value("mlxbar_requests_total", "mlxbar_status", "success")
		return n >= requests
	})
	eventually(t, "its address to be free", func() bool { return c.Start() == nil }) // another program may have had it meanwhile
	eventually(t, "new spans", func() bool {
		h.text(h.chat("ok-3", false), 200)
		return len(c.Spans("chat ok-3")) > 0
	})
	// The queue, and a batch that was on its way.
	if n := len(c.Spans("chat ok-2")); n > 2*queue {
		t.Errorf("%d spans of the meantime were kept", n)
	}
	minutes := 1 + int(time.Since(gone)/time.Minute)
	if n := strings.Count(h.log.String(), "telemetry could not be delivered"); n > minutes {
		t.Errorf("the log says so %d times within %d minutes", n, minutes)
	}
}

// The end waits for a collector that is away, and not for ever.
func TestTheServerEndsWithoutACollector(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done() // until the client has had enough
	}))
	defer silent.Close()
	for name, url := range map[string]string{"silent": silent.URL, "gone": "http://" + testkit.Nobody(t)} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, testkit.NewUpstream(t).URL)
			h.opts.Getenv = environment(append(prompt, "OTEL_EXPORTER_OTLP_ENDPOINT="+url)...)
			h.start()
			h.text(h.chat("ok", false), 200)
			h.stop()
			if err := h.wait(); err != nil {
				t.Errorf("it ended with: %v", err)
			}
		})
	}
}
