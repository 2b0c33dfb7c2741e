package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/bench"
	"mlxbar/backend/testkit"
)

// sampleProtocols are made-up figures: a request that is converted takes 30 us more, an event 2 us.
func sampleProtocols() *protocolsRun {
	bouts := func(us, cpu float64) []bout {
		return []bout{{LoadResult: bench.LoadResult{Requests: 1000, Seconds: 1, P50US: us}, CPUSeconds: cpu / 1000}}
	}
	c := &conversionRun{Events: 100, Bouts: map[string]*conversionSeries{}}
	for _, d := range directions {
		more := 0.0
		if d.twin != "" {
			more = 1
		}
		c.Bouts[d.name] = &conversionSeries{JSON: bouts(150+30*more, 120+20*more), SSE: bouts(1000+200*more, 900+150*more)}
	}
	s := &streamsRun{Streams: 1000, Events: 40, PauseMS: 500}
	for i, name := range []string{wayDirect, wayGateway, "messages to chat"} {
		n := float64(i)
		s.Ways = append(s.Ways, &heldStreams{Way: name, delays: delays{Count: 40_000, P50MS: 0.1 + n, P99MS: 0.5 + n, P999MS: 1 + n, MaxMS: 12},
			GatewayCPU: n * 2, UpstreamCPU: 3, ClientCPU: 2, Memory: memory{PeakBytes: uint64(i) * 90 * mib}})
	}
	return &protocolsRun{Conversion: c, Streams: s, Circuit: &circuitRun{Direct: delays{Count: 4000, P50MS: 0.1, P99MS: 0.3, MaxMS: 2}, Paced: delays{Count: 4000, P50MS: 0.2, P99MS: 0.8, MaxMS: 3}, Bouts: []bench.LoadResult{{Requests: 9000, P50US: 90, P99US: 700}, {Requests: 9000, P50US: 110, P99US: 900}}}}
}

func TestWhatIsAddedIsTakenRoundByRound(t *testing.T) {
	c := sampleProtocols().Conversion
	d := directions[1]
	for range 2 { // rounds on a machine that has become slow
		for _, name := range []string{d.name, d.twin} {
			s := c.Bouts[name]
			slow := s.JSON[0]
			slow.P50US += 5000
			s.JSON = append(s.JSON, slow)
		}
	}
	if ms := c.added(d, ofJSON, bout.p50MS); math.Abs(ms-0.03) > 1e-9 {
		t.Errorf("%v ms are added", ms)
	}
	if waited, cpu := c.event(d); math.Abs(waited-2) > 1e-9 || math.Abs(cpu-1.5) > 1e-9 {
		t.Errorf("an event takes %v us longer, and %v us of the processor", waited, cpu)
	}
}

// TestTargetsOfProtocolsCanBeMissed makes each figure too large in turn.
func TestTargetsOfProtocolsCanBeMissed(t *testing.T) {
	missed := func(p *protocolsRun) (names []string) {
		p.judge(func(name, _, _ string, ok bool) {
			if !ok {
				names = append(names, name)
			}
		})
		return names
	}
	if names := missed(sampleProtocols()); len(names) > 0 {
		t.Errorf("a good run misses %q", names)
	}
	for want, spoil := range map[string]func(*protocolsRun){
		"added to a median, chat to messages":  func(p *protocolsRun) { p.Conversion.Bouts["chat to messages"].JSON[0].P50US += 80 },
		"added to an event, responses to chat": func(p *protocolsRun) { p.Conversion.Bouts["responses to chat"].SSE[0].CPUSeconds *= 4 },
		"1,000 slow streams: memory, peak":     func(p *protocolsRun) { p.Streams.Ways[1].Memory.PeakBytes = 200 * mib },
		"1,000 slow streams: p99 of an event":  func(p *protocolsRun) { p.Streams.Ways[2].P99MS = 5.1 },
		"answer of an open circuit, median":    func(p *protocolsRun) { p.Circuit.Paced.P50MS = 1 },
		"answer of an open circuit, p99":       func(p *protocolsRun) { p.Circuit.Paced.P99MS = 1 },
	} {
		p := sampleProtocols()
		spoil(p)
		if names := missed(p); len(names) != 1 || names[0] != want {
			t.Errorf("missed are %q, not %q", names, want)
		}
	}
}

func TestATopicThatIsNotThereIsAnError(t *testing.T) {
	b := &benchmark{}
	run, err := b.protocols(t.Context(), protocolsPlan{Topic: "stream"})
	if err != nil {
		t.Fatal(err)
	}
	run.judge(func(name, _, _ string, _ bool) { t.Errorf("%s is judged", name) })
	if err := run.failure(); err == nil || !strings.Contains(err.Error(), "conversion, streams and circuit") {
		t.Error(err)
	}
}

func TestDirectionsHaveTwinsOfTheSameUpstream(t *testing.T) {
	twins := map[string]direction{}
	for _, d := range directions {
		if d.twin == "" {
			twins[d.name] = d
		}
	}
	for _, d := range directions {
		if d.twin != "" && twins[d.twin].model != d.model {
			t.Errorf("%s is compared with %s, which another upstream answers", d.name, d.twin)
		}
		for _, stream := range []bool{false, true} {
			if !json.Valid([]byte(d.ask(stream))) {
				t.Errorf("%s asks %s", d.name, d.ask(stream))
			}
		}
	}
}

func TestTimeOfAnEvent(t *testing.T) {
	for line, want := range map[string]int64{
		`data: {"choices":[{"delta":{"content":"at=1767225600000000001"}}]}`: 1767225600000000001,
		`data: {"type":"text_delta","text":"at=17"}`:                         17,
		`data: {"content":"at="}`:                                            -1,
		`data: {"content":"at=17`:                                            -1,
		"\n":                                                                 -1,
	} {
		at, ok := sentAt([]byte(line))
		if ok != (want >= 0) || ok && at.UnixNano() != want {
			t.Errorf("%s was sent at %v, %v", line, at, ok)
		}
	}
}

// TestStreamsAreHeld asks a real upstream for a few streams, in both protocols.
func TestStreamsAreHeld(t *testing.T) {
	up := testkit.NewUpstream(t)
	for _, path := range []string{chatPath, messagesPath} {
		var out bytes.Buffer
		err := run(t.Context(), []string{streamsCommand, "-url", strings.TrimSuffix(up.URL, "/v1"), "-path", path,
			"-streams", "3", "-events", "4", "-pause", (2 * time.Millisecond).String()}, &out, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var f delays
		if err := json.Unmarshal(out.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		if f.Count != 12 || f.P50MS <= 0 || f.MaxMS < f.P99MS {
			t.Errorf("%s: %+v", path, f)
		}
	}
	c := streamClient{url: strings.TrimSuffix(up.URL, "/v1"), path: "/v1/nothing", streams: 2, events: 1, pause: time.Millisecond}
	if _, err := c.hold(t.Context()); err == nil || !strings.Contains(err.Error(), "status 404") {
		t.Errorf("streams that are refused give %v", err)
	}
}

func TestRequestsThatArePaced(t *testing.T) {
	up := testkit.NewUpstream(t)
	w := way{url: strings.TrimSuffix(up.URL, "/v1")}
	if d, err := w.paced(t.Context(), chatBody("status-503", false), 5, time.Microsecond); err != nil || d.Count != 5 || d.P50MS <= 0 {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := w.paced(t.Context(), chatBody("ok", false), 5, time.Microsecond); err == nil || !strings.Contains(err.Error(), "status 200") {
		t.Errorf("an answer where there should be none: %v", err)
	}
}

// TestADirectionIsTriedFirst holds that an answer of the wrong kind is not counted as one.
func TestADirectionIsTriedFirst(t *testing.T) {
	up := testkit.NewUpstream(t)
	w := way{name: "upstream", url: strings.TrimSuffix(up.URL, "/v1")}
	for _, d := range directions[:1] {
		if err := d.try(t.Context(), w); err != nil {
			t.Error(err)
		}
	}
	for _, d := range []direction{directions[2], {name: "as it came", path: chatPath, body: chatBody, model: "ok-", ends: "[DONE]", twin: "chat"}} {
		if err := d.try(t.Context(), w); err == nil || !strings.Contains(err.Error(), "passed on as it came: true") {
			t.Errorf("%s counts as converted: %v", d.name, err)
		}
	}
	for _, model := range []string{"no-done-", "malformed-json-", "nothing-"} {
		d := directions[0]
		d.model = model
		if err := d.try(t.Context(), w); err == nil || !strings.HasPrefix(err.Error(), "chat: status ") {
			t.Errorf("%s: %v", model, err)
		}
	}
	if got, want := fmt.Sprint(planOf(true).Streams), "1000"; got != want { // a short run holds as many, for less long
		t.Errorf("%s streams", got)
	}
}
