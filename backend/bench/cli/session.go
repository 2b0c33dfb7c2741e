package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"mlxbar/backend/bench"
	"mlxbar/backend/bench/machine"
	"mlxbar/backend/bench/results"
	"mlxbar/backend/bench/workload"
	"mlxbar/backend/telemetry"
)

// session is one measurement from its beginning to its results.
type session struct {
	*App
	options *options
	runner  *workload.Runner
	known   *workload.Known
	file    *results.File
	tells   progress
	hashes  map[string]string

	tel  *telemetry.Telemetry
	span trace.Span // of all of it
}

// begin checks the options, finds the server, and looks at the machine.
func (a *App) begin(ctx context.Context, command string, o *options) (*session, error) {
	if err := o.check(a.Getenv); err != nil {
		return nil, err
	}
	s := &session{App: a, options: o, tells: a.progress(o), hashes: map[string]string{}}
	if err := s.tell(ctx, command); err != nil {
		return nil, err
	}
	s.runner = workload.NewRunner(o.plan, o.server, o.direct, s.tells.step)
	s.runner.Tracer = s.tel.Tracer()
	s.runner.Client = workload.Client(slices.Max(o.concurrency))
	for _, step := range []func(context.Context) error{s.look, s.canSave} {
		if err := step(ctx); err != nil {
			s.end()
			return nil, err
		}
	}
	s.file = &results.File{Format: results.Format, Version: results.Version, Tool: Version, Command: command,
		StartedAt: time.Now().UTC().Truncate(time.Second), Machine: machine.Describe(ctx),
		Server:   results.Server{URL: results.CleanURL(o.server.URL), Version: s.known.Version, Engines: s.known.Engines},
		Settings: o.settings(), Warnings: []string{}, Cases: []results.Case{}}
	s.file.EndedAt = s.file.StartedAt
	for _, w := range machine.Warnings(ctx, a.Probe) {
		s.warn(w)
	}
	if ctx.Err() != nil {
		s.end()
		return nil, errEarly
	}
	return s, nil
}

var errEarly = failed("broken off before anything was measured")

// tell starts telemetry, with a span of the whole command.
func (s *session) tell(ctx context.Context, command string) (err error) {
	s.tel = &telemetry.Telemetry{}
	if s.Telemetry != nil {
		if s.tel, err = s.Telemetry(ctx); err != nil {
			return usage("%w", err)
		}
	}
	_, s.span = s.tel.Span(ctx, "mlx-benchmark "+command)
	return nil
}

func (s *session) end() {
	s.runner.Client.CloseIdleConnections()
	s.span.End()
	if err := s.tel.Close(); err != nil {
		fmt.Fprintln(s.Err, "mlx-benchmark: warning: not all telemetry was delivered:", err)
	}
}

func (s *session) warn(text string) {
	s.file.Warnings = append(s.file.Warnings, text)
	s.tells.say("warning: " + text)
}

// look asks the server what there is.
func (s *session) look(ctx context.Context) (err error) {
	o := s.options
	s.known, err = workload.Look(ctx, s.runner.Client, o.server)
	if o.keyIsToken && errors.Is(err, workload.ErrForbidden) {
		err = workload.ErrToken
	}
	if errors.Is(err, workload.ErrToken) && o.tokenFound { // left behind by a server that was there before
		o.server.Token = ""
		if o.keyIsToken {
			o.server.Key = ""
		}
		s.runner.Server = o.server
		s.known, err = workload.Look(ctx, s.runner.Client, o.server)
	}
	at := results.CleanURL(o.server.URL)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errEarly
	case errors.Is(err, workload.ErrNobody):
		return failed("no server answers at %s: start one with `mlxbar serve`, or name another with --url", at)
	case errors.Is(err, workload.ErrForbidden):
		return failed("the server at %s wants a key: name the variable that holds it with --api-key-env", at)
	case errors.Is(err, workload.ErrToken):
		return usage("--admin-token-env %s: the server at %s refuses that token; it is in run/admin.token of its data folder", o.tokenEnv, at)
	case errors.Is(err, workload.ErrForeign):
		return failed("what answers at %s is no server of OpenAI's protocol: /v1/models gives no list; name another with --url", at)
	}
	return failed("%w", err)
}

// measure runs the specs one after another, and calls kept after each. When that fails it goes on,
// since what was measured can still be printed; its error is the first, unless kept succeeds at the end.
func (s *session) measure(ctx context.Context, specs []workload.Spec, kept func() error) error {
	total := 0
	for _, spec := range specs {
		if spec.Skip == "" {
			total += s.runner.Requests()
		}
	}
	ctx = trace.ContextWithSpan(ctx, s.span)
	s.tells.start(total)
	defer s.tells.stop()
	told := context.AfterFunc(ctx, func() { s.tells.say("stopping; what was measured is kept. Ctrl-C again ends at once.") })
	defer told()
	stopped := "the run was broken off by Ctrl-C"
	if s.options.untilStdin {
		stopped = "the run was stopped"
	}
	s.file.BrokenOff = "it ended before its last case"
	broken := ""
	var unkept error
	keep := func() error {
		err := kept()
		if err != nil && unkept == nil {
			unkept = err
			s.tells.say(fmt.Sprintf("warning: %v; it goes on, and prints the results at the end", err))
		}
		return err
	}
	for i, spec := range specs {
		if broken != "" {
			s.file.Cases = append(s.file.Cases, spec.NotRun(broken))
			continue
		}
		s.tells.label(spec)
		c := s.runner.Case(ctx, spec)
		c.ModelSHA256 = s.hash(ctx, spec)
		s.file.Cases = append(s.file.Cases, c)
		switch {
		case ctx.Err() != nil && (i < len(specs)-1 || c.Status == results.BrokenOff || c.Status == results.NotRun):
			broken = stopped
		case c.Status == results.BrokenOff || c.Status == results.NotRun:
			broken = "the server stopped answering"
		}
		s.file.EndedAt = time.Now().UTC().Truncate(time.Second)
		keep()
	}
	s.file.Complete, s.file.BrokenOff = broken == "", broken
	if keep() != nil {
		return unkept
	}
	return nil
}

// hash names the model's file, where the server runs on this machine.
func (s *session) hash(ctx context.Context, spec workload.Spec) string {
	if !s.options.server.Here() || !spec.IgnoreEOS {
		return ""
	}
	if _, done := s.hashes[spec.Model]; !done {
		s.hashes[spec.Model] = workload.ModelHash(ctx, s.known.DataDir, spec.Model)
	}
	return s.hashes[spec.Model]
}

// verdict is an error when something was not measured as asked.
func (s *session) verdict() error {
	if !s.file.Complete {
		return failed("%s; what was measured until then is kept", s.file.BrokenOff)
	}
	var lost, asked, measured int
	var reasons []string
	for _, c := range s.file.Cases {
		lost, asked = lost+c.Failed, asked+c.Answered+c.Failed
		if c.Answered > 0 {
			measured++
		}
		if c.Status == results.Failed && c.Reason != "" {
			reasons = append(reasons, fmt.Sprintf("%s %s: %s", c.Route, c.Model, c.Reason))
		}
		for _, e := range c.Errors {
			if c.Failed > 0 {
				reasons = append(reasons, fmt.Sprintf("%d %s", e.Count, e.Kind))
			}
		}
	}
	slices.Sort(reasons)
	why := strings.Join(slices.Compact(reasons), "; ")
	switch {
	case lost > 0:
		return failed("%d of %d requests failed (%s)", lost, asked, why)
	case why != "":
		return failed("not everything was measured: %s", why)
	case measured == 0:
		return failed("nothing was measured: every target was skipped, and the results say why")
	}
	return nil
}

// unknownModel says whether the server has said that there is no such model.
func unknownModel(c results.Case) bool {
	return c.Answered == 0 && len(c.Errors) > 0 && c.Errors[0].Kind == bench.FailureKind("status_404")
}
