package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mlxbar/backend/bench"
)

// auditRun is what a full audit takes to be looked at and to be exported.
type auditRun struct {
	Records   int         `json:"records"`
	FillS     float64     `json:"fill_s"`
	Questions []*question `json:"questions"`
	Exports   []exported  `json:"exports"`
}

// question is one thing that the Audit Logs page asks.
type question struct {
	Kind   string    `json:"kind"`
	Name   string    `json:"name"`
	Path   string    `json:"path"`
	TookMS []float64 `json:"took_ms"`
}

// Kinds of questions.
const (
	firstPage = "first page"
	sums      = "sums"
	farPage   = "page far down"
)

// exported is one round: the same records by mlxbar and by the sqlite3 shell.
type exported struct {
	MlxbarS     float64 `json:"mlxbar_s"`
	SqliteS     float64 `json:"sqlite_s"`
	MlxbarBytes uint64  `json:"mlxbar_peak_bytes"`
	SqliteBytes uint64  `json:"sqlite_peak_bytes"`
}

// views are the filters that are measured: each one alone, some together, a rare and an
// empty answer, and spans of time.
func views(newest time.Time) [][2]string {
	at := func(days int) string { return url.QueryEscape(newest.AddDate(0, 0, days).Format(time.RFC3339)) }
	return [][2]string{
		{"all", ""},
		{"a model with half of all", "model=qwen2.5-coder-7b-instruct"},
		{"a rare model", "model=claude-opus-4-1"},
		{"a model that is not there", "model=nope"},
		{"backend OPENAI", "backend=OPENAI"},
		{"status success", "status=success"},
		{"status error", "status=error"},
		{"endpoint /v1/embeddings", "endpoint=/v1/embeddings"},
		{"the last seven days", "from=" + at(-7)},
		{"a week in the middle", "from=" + at(-21) + "&to=" + at(-14)},
		{"a model's errors in a week", "model=gpt-5&status=error&from=" + at(-7)},
		{"a rare model's timeouts", "model=claude-opus-4-1&status=timeout"},
		{"two that exclude each other", "backend=LOCAL&endpoint=/v1/messages"},
	}
}

func (a *auditRun) ask(newest time.Time) {
	add := func(kind, name, path string) {
		a.Questions = append(a.Questions, &question{Kind: kind, Name: name, Path: path})
	}
	for _, v := range views(newest) {
		add(firstPage, v[0], "/api/audit?"+v[1])
		add(sums, v[0], "/api/audit/stats?"+v[1])
	}
	half := a.Records / 2
	for _, sort := range []string{"started_at", "model", "backend", "endpoint", "duration_ms", "total_tokens"} {
		add(farPage, "by "+sort, fmt.Sprintf("/api/audit?sort=%s&offset=%d", sort, half))
		add(farPage, "by "+sort+", one model's", fmt.Sprintf("/api/audit?sort=%s&offset=%d&model=qwen2.5-coder-7b-instruct", sort, half/2))
	}
}

// auditSpeed fills a database of its own, asks a server for it, and exports it.
func (b *benchmark) auditSpeed(ctx context.Context) error {
	b.progress("a full audit: %d records", b.options.Records)
	dir := filepath.Join(b.dir, "audit")
	if err := dataFolder(dir); err != nil {
		return err
	}
	run := &auditRun{Records: b.options.Records}
	newest := time.Now().UTC().Truncate(time.Second)
	if err := b.fill(ctx, run, dir, newest); err != nil {
		return err
	}
	run.ask(newest)
	g, err := b.serve(ctx, "mlxbar serve, full audit", dir)
	if err != nil {
		return err
	}
	for range b.options.AuditRounds {
		for _, q := range run.Questions {
			start := time.Now()
			var answer any
			if err := g.admin(ctx, q.Path, &answer); err != nil {
				return err
			}
			q.TookMS = append(q.TookMS, float64(time.Since(start))/float64(time.Millisecond))
		}
	}
	if err := g.stop(); err != nil {
		return err
	}
	for range max(1, b.options.AuditRounds/3) {
		x, err := b.export(ctx, dir)
		if err != nil {
			return err
		}
		run.Exports = append(run.Exports, x)
	}
	b.report.FullAudit = run
	return nil
}

// fill makes the records in a process of its own: what this one has had in its memory
// would be counted for the processes that it starts.
func (b *benchmark) fill(ctx context.Context, run *auditRun, dir string, newest time.Time) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	run.FillS, _, err = timed(ctx, filepath.Join(b.dir, "fill.txt"), self, fillCommand, "--data-dir", dir,
		"--records", strconv.Itoa(run.Records), "--newest", newest.Format(time.RFC3339), "--days", "29") // a day less than is kept
	return err
}

// export writes all records as CSV, by mlxbar and by the sqlite3 shell, to files.
func (b *benchmark) export(ctx context.Context, dir string) (x exported, err error) {
	shell, err := exec.LookPath("sqlite3")
	if err != nil {
		return x, fmt.Errorf("%w; `make bench` installs it", err)
	}
	ours, theirs := filepath.Join(b.dir, "mlxbar.csv"), filepath.Join(b.dir, "sqlite3.csv")
	if x.MlxbarS, x.MlxbarBytes, err = timed(ctx, ours, b.options.mlxbar, "audit", "export", "--data-dir", dir, "--format", "csv"); err != nil {
		return x, err
	}
	head, err := firstLine(ours)
	if err != nil {
		return x, err
	}
	columns := strings.Replace(head, ",bytes_out,bytes_in", "", 1) // which the table has within left_to
	x.SqliteS, x.SqliteBytes, err = timed(ctx, theirs, shell, "-readonly", "-csv", filepath.Join(dir, "mlxbar.db"), "SELECT "+columns+" FROM requests ORDER BY id")
	return x, errors.Join(err, os.Remove(ours), os.Remove(theirs))
}

// timed runs a program with its output in a file. It tells how long that took, and how
// much memory the program had at its highest.
func timed(ctx context.Context, into, program string, args ...string) (seconds float64, peak uint64, err error) {
	out, err := os.Create(into)
	if err != nil {
		return 0, 0, err
	}
	defer out.Close()
	c := exec.CommandContext(ctx, program, args...)
	said := &tail{}
	c.Stdout, c.Stderr = out, said
	start := time.Now()
	if err := c.Run(); err != nil {
		return 0, 0, fmt.Errorf("%s: %w\n%s", filepath.Base(program), err, said)
	}
	seconds = time.Since(start).Seconds()
	if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peak = uint64(u.Maxrss)
		if runtime.GOOS != "darwin" { // which counts bytes; others kilobytes
			peak *= 1024
		}
	}
	return seconds, peak, nil
}

func firstLine(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, 1024)
	n, err := f.Read(b)
	line, _, found := strings.Cut(string(b[:n]), "\r\n")
	if err != nil || !found {
		return "", fmt.Errorf("%s has no header: %w", path, errors.Join(err, os.ErrInvalid))
	}
	return line, nil
}

// medians are those of every question of a kind; slowest is the one that took longest.
func (a *auditRun) medians(kind string) (all []float64, slowest *question) {
	most := -1.0
	for _, q := range a.Questions {
		if q.Kind != kind {
			continue
		}
		m := bench.Median(q.TookMS)
		if all = append(all, m); m > most {
			most, slowest = m, q
		}
	}
	return all, slowest
}

// ratios are mlxbar's time by the shell's, round by round; peak is mlxbar's memory.
func (a *auditRun) ratios() (ratios []float64, peak uint64) {
	for _, x := range a.Exports {
		ratios = append(ratios, x.MlxbarS/x.SqliteS)
		peak = max(peak, x.MlxbarBytes)
	}
	return ratios, peak
}
