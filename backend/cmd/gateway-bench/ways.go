package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"mlxbar/backend/bench"
)

// way is one path to the upstream and the process that serves it.
type way struct {
	name  string
	url   string // without /v1
	child *child
	// wrapped says that the process was started by runUntilStdin, which does not count.
	wrapped bool
}

// bout is one bout of load on a way.
type bout struct {
	bench.LoadResult
	CPUSeconds float64 `json:"cpu_s"` // of the way's processes, meanwhile and a moment after
}

// cpuUS is processor time for each request, in microseconds.
func (b bout) cpuUS() float64 { return b.CPUSeconds * 1e6 / float64(b.Requests) }
func (b bout) p50MS() float64 { return b.P50US / 1000 }
func (b bout) p99MS() float64 { return b.P99US / 1000 }

// settled is how long the work that a request leaves behind, its record above all, is waited for.
const settled = 300 * time.Millisecond

// put loads a way for a time.
func (b *benchmark) put(ctx context.Context, w way, body string, connections int, d time.Duration) (bout, error) {
	return b.putAt(ctx, w, chatPath, body, connections, d)
}

// putAt is put at another path than Chat Completions'.
func (b *benchmark) putAt(ctx context.Context, w way, path, body string, connections int, d time.Duration) (bout, error) {
	before, err := w.usage(ctx)
	if err != nil {
		return bout{}, err
	}
	r, err := b.wrk.Run(ctx, bench.Load{URL: w.url + path, Body: body, Connections: connections, Duration: d})
	if err == nil {
		err = r.Err()
	}
	if err == nil && r.Requests == 0 {
		err = errors.New("not one request was answered")
	}
	if err != nil {
		return bout{}, fmt.Errorf("%s, %d connections: %w", w.name, connections, err)
	}
	select {
	case <-ctx.Done():
		return bout{}, ctx.Err()
	case <-time.After(settled):
	}
	after, err := w.usage(ctx)
	return bout{LoadResult: r, CPUSeconds: after.cpu - before.cpu}, err
}

// usage is what a way's processes have used.
type usage struct {
	cpu       float64 // seconds
	now, peak uint64  // resident bytes
}

// usage adds up the process and its descendants.
func (w way) usage(ctx context.Context) (usage, error) {
	p, err := process.NewProcessWithContext(ctx, int32(w.child.cmd.Process.Pid))
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w", w.name, err)
	}
	below, err := descendants(ctx, p)
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w", w.name, err)
	}
	if !w.wrapped {
		below = append(below, p)
	}
	return sumUsage(ctx, below), nil
}

// sumUsage leaves out who has ended meanwhile.
func sumUsage(ctx context.Context, processes []*process.Process) (sum usage) {
	for _, p := range processes {
		t, terr := p.TimesWithContext(ctx)
		m, merr := p.MemoryInfoWithContext(ctx)
		if terr != nil || merr != nil {
			continue
		}
		sum.cpu += t.User + t.System
		sum.now += m.RSS
		sum.peak += max(m.HWM, m.RSS)
	}
	return sum
}

func descendants(ctx context.Context, p *process.Process) ([]*process.Process, error) {
	children, err := p.ChildrenWithContext(ctx)
	if errors.Is(err, process.ErrorNoChildren) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := children
	for _, c := range children {
		more, err := descendants(ctx, c)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// chatBody is a request of the usual kind for a model.
func chatBody(model string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"stream":%v,"temperature":0,"messages":[{"role":"system","content":"You are a helpful assistant."},`+
		`{"role":"user","content":"Tell me about marzipan, and why almonds and sugar go together so well."}]}`, model, stream)
}

// firstAnswer waits for the first answer of a way that has just been started.
func (w way) firstAnswer(ctx context.Context, model string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	status, body, err := w.post(ctx, chatPath, chatBody(model, false))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %.300s", w.name, status, body)
	}
	return err
}

// post asks once.
func (w way) post(ctx context.Context, path, body string) (status int, answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", w.name, w.child.saying(err))
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", w.name, err)
	}
	return res.StatusCode, string(raw), nil
}

// each gives a figure of every bout.
func each(bouts []bout, of func(bout) float64) []float64 {
	out := make([]float64, len(bouts))
	for i, b := range bouts {
		out[i] = of(b)
	}
	return out
}

func median(bouts []bout, of func(bout) float64) float64 { return bench.Median(each(bouts, of)) }

func perSecond(b bout) float64 { return b.PerSecond() }

// end stops a child before the run is over.
func (b *benchmark) end(c *child) error {
	b.children = slices.DeleteFunc(b.children, func(other *child) bool { return other == c })
	return c.stop()
}
