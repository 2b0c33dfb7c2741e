package bench

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed wrk.lua
var wrkScript []byte

// resultMark begins the line that wrk.lua prints at the end.
const resultMark = "mlxbar-result "

// Wrk runs the load tool wrk.
type Wrk struct {
	binary string
	script string
}

// NewWrk finds wrk and writes its script to dir.
func NewWrk(dir string) (*Wrk, error) {
	binary, err := exec.LookPath("wrk")
	if err != nil {
		return nil, errors.New("the load tool wrk is missing: install it with `apt-get install wrk` or `brew install wrk`")
	}
	w := &Wrk{binary: binary, script: filepath.Join(dir, "wrk.lua")}
	if err := os.WriteFile(w.script, wrkScript, 0o600); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return w, nil
}

// Version is the first line that wrk says of itself.
func (w *Wrk) Version(ctx context.Context) string {
	out, _ := exec.CommandContext(ctx, w.binary, "-v").CombinedOutput() // wrk -v exits with 1
	fields := strings.Fields(string(out))
	if len(fields) < 2 {
		return "wrk"
	}
	return fields[0] + " " + fields[1]
}

// Load is one bout of load: POST of Body to URL over and over.
type Load struct {
	URL         string
	Body        string
	Connections int
	Duration    time.Duration // whole seconds, at least one
}

// LoadResult is what wrk saw.
type LoadResult struct {
	Requests int64   `json:"requests"` // answered completely
	Seconds  float64 `json:"seconds"`
	Bytes    int64   `json:"bytes"`
	MeanUS   float64 `json:"mean_us"`
	P50US    float64 `json:"p50_us"`
	P90US    float64 `json:"p90_us"`
	P99US    float64 `json:"p99_us"`
	MaxUS    float64 `json:"max_us"`
	Errors   struct {
		Connect int64 `json:"connect"`
		Read    int64 `json:"read"`
		Write   int64 `json:"write"`
		Status  int64 `json:"status"` // answers of 400 and above
		Timeout int64 `json:"timeout"`
	} `json:"errors"`
}

// PerSecond is the throughput.
func (r LoadResult) PerSecond() float64 { return float64(r.Requests) / r.Seconds }

// Err is an error if any request failed.
func (r LoadResult) Err() error {
	if e := r.Errors; e.Connect+e.Read+e.Write+e.Status+e.Timeout > 0 {
		return fmt.Errorf("requests failed: connect %d, read %d, write %d, status %d, timeout %d", e.Connect, e.Read, e.Write, e.Status, e.Timeout)
	}
	return nil
}

// Run puts l on its address, and ends early with ctx.
func (w *Wrk) Run(ctx context.Context, l Load) (LoadResult, error) {
	c := exec.CommandContext(ctx, w.binary, "-t1", "-c"+strconv.Itoa(l.Connections),
		fmt.Sprintf("-d%ds", max(1, int(l.Duration/time.Second))), "--timeout", "20s", "-s", w.script, l.URL)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 5 * time.Second
	c.Env = append(os.Environ(), "BENCH_BODY="+l.Body)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if ctx.Err() != nil {
		return LoadResult{}, ctx.Err()
	}
	if err != nil {
		return LoadResult{}, fmt.Errorf("wrk: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return ParseWrk(out)
}

// ParseWrk reads the line that wrk.lua adds to wrk's own output, which rounds.
func ParseWrk(out []byte) (LoadResult, error) {
	for line := range bytes.Lines(out) {
		text, ok := bytes.CutPrefix(line, []byte(resultMark))
		if !ok {
			continue
		}
		var r LoadResult
		if err := json.Unmarshal(text, &r); err != nil {
			return LoadResult{}, fmt.Errorf("wrk's result: %w", err)
		}
		if r.Seconds <= 0 || r.Requests < 0 {
			return LoadResult{}, fmt.Errorf("wrk's result makes no sense: %s", bytes.TrimSpace(text))
		}
		return r, nil
	}
	return LoadResult{}, fmt.Errorf("wrk printed no result: %.200s", bytes.TrimSpace(out))
}
