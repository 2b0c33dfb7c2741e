package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"mlxbar/backend/bench/results"
	"mlxbar/backend/bench/workload"
)

// progress is how the person, or the program, wants to hear of a measurement.
func (a *App) progress(o *options) progress {
	if o.progress == progressJSON {
		return &lines{w: a.Err}
	}
	return newBar(a.Err, a.Terminal)
}

// told runs a command that is to stop when stdin ends, if it was asked to, and says its
// failure in the words of --progress.
func (a *App) told(ctx context.Context, o *options, run func(context.Context) error) error {
	if o.untilStdin {
		bound, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() { // until stdin ends, or the program does
			io.Copy(io.Discard, a.In)
			cancel()
		}()
		ctx = bound
	}
	err := run(ctx)
	if err == nil || o.progress != progressJSON {
		return err
	}
	(&lines{w: a.Err}).fail(err)
	e := &exit{code: codeFailure, err: err}
	errors.As(err, &e)
	return &exit{code: e.code, err: err, said: true}
}

// canSave finds out before anything is measured whether the results can be kept.
func (s *session) canSave(ctx context.Context) error {
	if !s.options.save {
		return nil
	}
	at := results.CleanURL(s.options.server.URL)
	if !s.known.Admin {
		return usage("--save: needs the admin token of the mlxbar at %s: run this on its data folder (--data-dir), or name the variable that holds it with --admin-token-env", at)
	}
	switch err := s.options.server.Keeps(ctx, s.runner.Client); {
	case ctx.Err() != nil:
		return errEarly
	case errors.Is(err, workload.ErrForeign):
		return usage("--save: the mlxbar at %s keeps no results: it is older than this program", at)
	case err != nil:
		return failed("--save: %w", err)
	}
	return nil
}

// print prints the results.
func (s *session) print(raw []byte) error {
	if _, err := s.Out.Write(raw); err != nil {
		return failed("print the results: %w", err)
	}
	return nil
}

// conclude is how the command ends: with why the results are not in their file or not with the
// server, else with what was not measured as asked.
func (s *session) conclude(unwritten, unsaved error) error {
	switch {
	case unwritten != nil && unsaved != nil:
		return failed("%w; %w", unwritten, unsaved)
	case unwritten != nil:
		return unwritten
	case unsaved != nil:
		return unsaved
	}
	return s.verdict()
}

// save has the server keep what was measured, of a run that was broken off too.
func (s *session) save(ctx context.Context) error {
	if !s.options.save {
		return nil
	}
	if !s.file.HasSamples() {
		if ctx.Err() != nil {
			return errEarly
		}
		return nil // the verdict says why
	}
	raw, err := json.Marshal(s.file) // a third of the size that it has with its lines indented
	if err != nil {
		return failed("results: %w", err)
	}
	id, err := s.options.server.Keep(context.WithoutCancel(ctx), s.runner.Client, raw, s.options.label)
	if err != nil {
		return failed("--save: the server at %s did not keep the results: %w", results.CleanURL(s.options.server.URL), err)
	}
	s.tells.saved(id)
	return nil
}
