package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"mlxbar/backend/bench/machine"
)

// part is a measurement with a command of its own.
type part struct {
	name  string // the command, the raw file and the mark in the document
	title string
	run   func(context.Context, *measuring) (result, error)
}

// result is what a part found out.
type result interface {
	print(io.Writer)
	// failure tells what makes the figures worthless, if anything does.
	failure() error
}

// parts are in the order in which the document has them.
func parts() []part {
	return []part{
		{"compare", "the gateway beside other proxies", compare},
		{"protocols", "conversions, slow streams, open circuits", measureProtocols},
		{"sweep", "how cost grows", sweep},
		{"profile", "where the time goes", profileLoad},
		{"advise", "what a person can set", advise},
		{"engines", "many clients and several models", measureEngines},
		{"results", "one model, as mlx-benchmark has it", takeSample},
	}
}

// measuring is a run of a part.
type measuring struct {
	*benchmark
	quick   bool
	rivals  rivals
	python  string // with gguf and mlx-lm
	topic   string // words of trials; "" is all
	threads int    // of the engine where a trial sets none; 0 leaves it to the engine
}

// rounds gives the number of rounds: few of a quick run.
func (m *measuring) rounds(quick, whole int) int {
	if m.quick {
		return quick
	}
	return whole
}

// bout is how long one is: wrk counts whole seconds.
func (m *measuring) bout() time.Duration {
	return time.Duration(m.rounds(1, 2)) * time.Second
}

// measured is the file of a part's results.
type measured struct {
	Part     string    `json:"part"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Quick    bool      `json:"quick"`
	Machine  origin    `json:"machine"`
	Warnings []string  `json:"warnings"`
	Result   result    `json:"result"`
}

// commandOf finds what args begin with, if that is one of the parts or the document.
func commandOf(args []string) func(context.Context, []string, io.Writer, io.Writer) error {
	if len(args) == 0 {
		return nil
	}
	switch args[0] {
	case untilStdinCommand: // hidden: somebody else's program, which ends with whoever started it
		return runUntilStdin
	case documentCommand:
		return writeDocument
	}
	for _, p := range parts() {
		if p.name == args[0] {
			return p.command
		}
	}
	return nil
}

// limitOf bounds a run by what it does: the document is all parts.
func limitOf(args []string) time.Duration {
	if len(args) > 0 && args[0] == documentCommand {
		return 2 * limit
	}
	return limit
}

func (p part) command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	var quick bool
	m := measuring{}
	f := flag.NewFlagSet("gateway-bench "+p.name, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.BoolVar(&quick, "quick", false, "a short run, for a first look")
	f.StringVar(&o.json, "json", "", "also write every figure of every round to this `file`")
	o.programs(f)
	m.rivals.flags(f, filepath.Dir(o.prepared))
	f.StringVar(&m.python, "python", filepath.Join(filepath.Dir(o.prepared), "bench-models", "bin", "python"), "a `program` that has gguf and mlx-lm")
	f.StringVar(&m.topic, "topic", "", "only the topics of advise whose titles hold one of these `words`, as in slots,weights, or of protocols, as in streams,circuit, or of engines, as in mlx,models")
	f.IntVar(&m.threads, "threads", 0, "of advise and results, the engine's threads where they are not the topic; 1 on a machine that others use")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("gateway-bench %s takes no %q; --help lists what it takes", p.name, f.Arg(0))
	}
	if err := built(o.mlxbar, o.fakeUpstream); err != nil {
		return err
	}
	b, err := newBench(ctx, o, stderr)
	if err != nil {
		return err
	}
	m.benchmark, m.quick = b, quick
	defer b.close()
	return p.measure(ctx, &m, stdout)
}

// measure runs the part, prints what it found, and writes it to a file if that was asked for.
func (p part) measure(ctx context.Context, m *measuring, stdout io.Writer) error {
	b := m.benchmark
	out := measured{Part: p.name, Started: b.report.Started, Quick: m.quick, Machine: b.report.Machine,
		Warnings: machine.Warnings(ctx, machine.Local{})}
	begun := time.Now()
	r, err := p.run(ctx, m)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", p.name, err), b.close())
	}
	out.Seconds, out.Result = time.Since(begun).Seconds(), r
	out.print(stdout, p.title)
	if b.options.json != "" {
		raw, err := out.file()
		if err != nil {
			return fmt.Errorf("the results: %w", err)
		}
		if err := os.WriteFile(b.options.json, raw, 0o644); err != nil {
			return err
		}
	}
	return errors.Join(r.failure(), b.close())
}

// file is what is written of it: a result may have a file of its own.
func (m measured) file() ([]byte, error) {
	if own, ok := m.Result.(interface{ rawFile() []byte }); ok {
		return own.rawFile(), nil
	}
	raw, err := json.MarshalIndent(m, "", " ")
	return append(raw, '\n'), err
}

func (m measured) print(w io.Writer, title string) {
	fmt.Fprintf(w, "mlxbar, %s, %s\n", title, m.Started.Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(w, "%s, %s, %s\n", m.Machine.Mlxbar, m.Machine.Go, m.Machine.Wrk)
	fmt.Fprintf(w, "%s, %d CPUs: %s\n", m.Machine.OS, m.Machine.CPUs, m.Machine.CPU)
	kind := "a whole run"
	if m.Quick {
		kind = "a quick run"
	}
	fmt.Fprintf(w, "%s, %.0f s; load average before it: %.1f\n", kind, m.Seconds, m.Machine.Load)
	for _, warning := range m.Warnings {
		fmt.Fprintln(w, warning)
	}
	m.Result.print(w)
}
