// Command gateway-bench measures the gateway on this machine: what it adds to a
// request, how much it carries, how much memory that takes, what is left of an
// engine's speed, how soon it is ready, and whether each request of the run is in
// the audit. Its commands compare, sweep, profile, advise and results measure more, and document
// writes all of it into docs/PERFORMANCE.md. Everything runs on loopback and ends with the command.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are what a run is told.
type options struct {
	Rounds       int           `json:"rounds"`
	Duration     time.Duration `json:"duration_ns"`
	Connections  []int         `json:"connections"`
	Chunks       int           `json:"chunks"`
	EngineRounds int           `json:"engine_rounds"`
	EngineTokens int           `json:"engine_tokens"`
	Starts       int           `json:"starts"`
	Exact        int           `json:"exact_requests"`
	Records      int           `json:"records"`
	AuditRounds  int           `json:"audit_rounds"`
	Recorded     int           `json:"recorded"`
	WriterRounds int           `json:"writer_rounds"`
	Protocols    bool          `json:"protocols"`

	mlxbar, fakeUpstream, prepared, json string
}

// fullRounds are those of load in a run that is not a short one: the 99th percentile of a bout lies a turn of the scheduler up or down.
const fullRounds = 9

// limit bounds a part, whatever hangs: the longest, the engines with MLX on two cores, takes almost an hour.
const limit = 90 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limitOf(os.Args[1:]))
	defer cancel()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gateway-bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 2 && args[0] == proxyCommand { // hidden: the bare reverse proxy, in a process of its own
		return serveProxy(ctx, args[1], stdout, os.Stdin)
	}
	if len(args) > 0 && args[0] == fillCommand {
		return runFill(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 0 && args[0] == streamsCommand {
		return runStreams(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 0 && args[0] == recordCommand {
		return runRecord(ctx, args[1:], stdout, stderr)
	}
	if len(args) == 3 && args[0] == allocationsCommand {
		return runAllocations(ctx, args[1], args[2], stdout)
	}
	if command := commandOf(args); command != nil {
		return command(ctx, args[1:], stdout, stderr)
	}
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.measure(ctx); err != nil {
		return errors.Join(err, b.close())
	}
	b.report.judge()
	b.report.print(stdout)
	if o.json != "" {
		if err := b.report.write(o.json); err != nil {
			return err
		}
	}
	if problems := b.report.Audit.problems(); len(problems) > 0 {
		return fmt.Errorf("the audit does not account for the run: %q", problems)
	}
	return b.close()
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	o := options{Connections: []int{1, 8, 16, 64}}
	quick := false
	f := flag.NewFlagSet("gateway-bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.Rounds, "rounds", fullRounds, "rounds of load; each runs direct, proxy and gateway")
	f.DurationVar(&o.Duration, "duration", 2*time.Second, "length of one bout of load, whole seconds")
	f.IntVar(&o.Chunks, "chunks", 16, "tokens of one answer under load")
	f.IntVar(&o.EngineRounds, "engine-rounds", 48, "rounds with the real engine; 0 leaves it out")
	f.IntVar(&o.EngineTokens, "engine-tokens", 160, "tokens of one answer of the engine")
	f.IntVar(&o.Starts, "starts", 8, "starts to time, on a fresh and on an existing data folder")
	f.IntVar(&o.Exact, "exact", 2000, "requests that are counted one by one")
	f.IntVar(&o.Records, "records", 1_000_000, "records of the full audit; 0 leaves it out")
	f.IntVar(&o.AuditRounds, "audit-rounds", 9, "times that each question about the full audit is asked")
	f.IntVar(&o.Recorded, "recorded", 100_000, "requests that the audit's writer records in one round; 0 leaves it out")
	f.IntVar(&o.WriterRounds, "writer-rounds", 3, "rounds of the audit's writer")
	f.BoolVar(&o.Protocols, "protocols", true, "conversions, slow streams and open circuits too; false leaves them out")
	f.BoolVar(&quick, "quick", false, "a short run: two rounds of load, four of the engine")
	f.StringVar(&o.json, "json", "", "also write the results to this `file`")
	o.programs(f)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if quick {
		o.Rounds, o.Duration, o.EngineRounds, o.Starts, o.Exact = 2, time.Second, min(o.EngineRounds, 4), 3, 400
		o.AuditRounds, o.WriterRounds = min(o.AuditRounds, 3), min(o.WriterRounds, 1)
	}
	if o.Rounds < 1 || o.Starts < 1 || o.Chunks < 1 || o.Exact < 1 || o.EngineRounds < 0 || o.EngineTokens < 1 || o.Records < 0 || o.AuditRounds < 1 || o.Recorded < 0 || o.WriterRounds < 1 {
		return o, errors.New("rounds, starts, chunks, tokens, exact, audit-rounds and writer-rounds are at least 1")
	}
	return o, built(o.mlxbar, o.fakeUpstream)
}

// programs are the flags that name what is measured; by default it lies beside this program.
func (o *options) programs(f *flag.FlagSet) {
	beside := ""
	if exe, err := os.Executable(); err == nil {
		beside = filepath.Dir(exe)
	}
	f.StringVar(&o.mlxbar, "mlxbar", filepath.Join(beside, "mlxbar"), "the `program` to measure")
	f.StringVar(&o.fakeUpstream, "fakeupstream", filepath.Join(beside, "fakeupstream"), "the `program` that answers")
	f.StringVar(&o.prepared, "prepared", filepath.Join(beside, "..", "cache", "data"), "a data `folder` that has runtime and starter model")
}

// built holds that programs are there.
func built(programs ...string) error {
	for _, program := range programs {
		if _, err := os.Stat(program); err != nil {
			return fmt.Errorf("%w; `make bench` builds it", err)
		}
	}
	return nil
}

func (r *report) write(file string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("the results: %w", err)
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}
