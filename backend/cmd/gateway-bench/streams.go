package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"mlxbar/backend/settings"
)

// The aims of many slow streams.
const (
	maxStreamsMemory = 200 * mib
	maxForwardedMS   = 5
)

// streamsRun is many streams at once, each of which says little: past the gateway, through it, and through it
// with a conversion.
type streamsRun struct {
	Streams int            `json:"streams"`
	Events  int            `json:"events"` // of one stream
	PauseMS float64        `json:"pause_ms"`
	Ways    []*heldStreams `json:"ways"`
}

// heldStreams are those of one way.
type heldStreams struct {
	Way string `json:"way"`
	delays
	Seconds float64 `json:"seconds"`
	// Processor time, in seconds, and of the gateway the memory.
	GatewayCPU  float64 `json:"gateway_cpu_s"`
	UpstreamCPU float64 `json:"upstream_cpu_s"`
	ClientCPU   float64 `json:"client_cpu_s"`
	Memory      memory  `json:"memory"`
}

// cpuEvent is what an event takes of some processor time, in microseconds.
func (h *heldStreams) cpuEvent(seconds float64) float64 { return seconds * 1e6 / float64(h.Count) }

// slowStreams has a client of its own hold them. Every way through the gateway has a server that has done nothing before, so that
// its memory at the highest is that of the streams.
func (b *benchmark) slowStreams(ctx context.Context, p protocolsPlan) (*streamsRun, error) {
	run := &streamsRun{Streams: p.Streams, Events: p.Events, PauseMS: float64(p.Pause) / float64(time.Millisecond)}
	v1 := b.urls[direct] + "/v1"
	for _, c := range []struct {
		name, path string
		through    bool
		kind       settings.ProviderKind
	}{
		{wayDirect, chatPath, false, ""},
		{wayGateway, chatPath, true, settings.KindOpenAI},
		{"messages to chat", messagesPath, true, settings.KindOpenAI},
	} {
		b.progress("%d slow streams: %s", p.Streams, c.name)
		var w *way
		if c.through {
			dir := filepath.Join(b.dir, "streams-"+strconv.Itoa(len(run.Ways)))
			if err := dataFolder(dir, route{Model: "*", URL: v1, Kind: c.kind}); err != nil {
				return nil, err
			}
			g, err := b.serve(ctx, "mlxbar serve, slow streams", dir)
			if err != nil {
				return nil, err
			}
			w = &way{name: c.name, url: g.url, child: g.child}
		}
		h, err := b.hold(ctx, p, w, c.path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		h.Way = c.name
		run.Ways = append(run.Ways, h)
		if w != nil {
			if err := b.end(w.child); err != nil {
				return nil, err
			}
		}
	}
	return run, nil
}

// hold holds the streams of a way; nil is the upstream itself.
func (b *benchmark) hold(ctx context.Context, p protocolsPlan, w *way, path string) (*heldStreams, error) {
	up := way{name: "fakeupstream", child: b.upstream}
	before, err := up.usage(ctx)
	if err != nil {
		return nil, err
	}
	url := b.urls[direct]
	if w != nil {
		url = w.url
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, self, streamsCommand, "--url", url, "--path", path,
		"--streams", strconv.Itoa(p.Streams), "--events", strconv.Itoa(p.Events), "--pause", p.Pause.String())
	said := &tail{}
	c.Stderr = said
	begun := time.Now()
	raw, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, said)
	}
	h := &heldStreams{Seconds: time.Since(begun).Seconds(), ClientCPU: (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()}
	if err := json.Unmarshal(raw, &h.delays); err != nil {
		return nil, fmt.Errorf("what the client of the streams says: %w", err)
	}
	after, err := up.usage(ctx)
	if err != nil {
		return nil, err
	}
	h.UpstreamCPU = after.cpu - before.cpu
	if w != nil {
		u, err := w.usage(ctx)
		if err != nil {
			return nil, err
		}
		h.GatewayCPU, h.Memory = u.cpu, memory{NowBytes: u.now, PeakBytes: u.peak}
	}
	if lost := int64(p.Streams*p.Events) - h.Count; lost != 0 {
		err = fmt.Errorf("%d events are missing", lost)
	}
	return h, err
}

// judge takes the worse of the ways through the gateway.
func (r *streamsRun) judge(aim func(name, wanted, measured string, ok bool)) {
	if r == nil {
		return
	}
	var peak uint64
	var p99 float64
	for _, h := range r.Ways {
		if h.Way != wayDirect {
			peak, p99 = max(peak, h.Memory.PeakBytes), max(p99, h.P99MS)
		}
	}
	name := thousands(r.Streams) + " slow streams: "
	aim(name+"memory, peak", "< 200 MB", fmt.Sprintf("%.1f MB", float64(peak)/mib), peak < maxStreamsMemory)
	aim(name+"p99 of an event", "<= 5.00 ms", fmt.Sprintf("%.2f ms", p99), p99 <= maxForwardedMS)
}

func (r *streamsRun) print(w io.Writer) {
	if r == nil {
		return
	}
	fmt.Fprintf(w, "\n%s streams at once, each with an event every %.0f ms for %.0f s\n", thousands(r.Streams), r.PauseMS, r.PauseMS*float64(r.Events)/1000)
	fmt.Fprintf(w, "%-18s %7s %6s %6s %6s %6s    %s\n", "From upstream", "events", "median", "p99", "p99.9", "worst", "CPU us an event, of")
	fmt.Fprintf(w, "%-18s %7s %6s %6s %6s %6s  %8s %7s %6s\n", "to client", "", "ms", "ms", "ms", "ms", "upstream", "gateway", "client")
	for _, h := range r.Ways {
		fmt.Fprintf(w, "  %-16s %7s %6.2f %6.2f %6.2f %6.1f  %8.1f %7.1f %6.1f\n", h.Way, thousands(int(h.Count)), h.P50MS, h.P99MS, h.P999MS, h.MaxMS,
			h.cpuEvent(h.UpstreamCPU), h.cpuEvent(h.GatewayCPU), h.cpuEvent(h.ClientCPU))
	}
	for _, h := range r.Ways {
		if h.Way != wayDirect {
			fmt.Fprintf(w, "  the gateway's memory, %s: %.1f MB at its peak\n", h.Way, float64(h.Memory.PeakBytes)/mib)
		}
	}
}
