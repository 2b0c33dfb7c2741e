package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mlxbar/backend/admin"
	"mlxbar/backend/datadir"
	"mlxbar/backend/desktop"
	"mlxbar/backend/download"
	"mlxbar/backend/hub"
	"mlxbar/backend/server"
	"mlxbar/backend/settings"
	"mlxbar/backend/units"
)

func modelsPull(f *flags) *cobra.Command {
	var revision string
	c := &cobra.Command{
		Use:   "pull REPO[:FILE or quantisation]",
		Short: "Download a model from the Hugging Face Hub",
		Long: `Download a model from the Hugging Face Hub

  mlxbar models pull bartowski/Llama-3.2-3B-Instruct-GGUF
  mlxbar models pull bartowski/Llama-3.2-3B-Instruct-GGUF:Q8_0
  mlxbar models pull mlx-community/Llama-3.2-3B-Instruct-4bit

Without a file it is the only model of the repository, or the one in Q4_K_M. A running server does the work, else this
program itself. Interrupted, by Ctrl-C or by anything else, the same command goes on where it stood. $HF_ENDPOINT names
another Hub; models that need it are asked for with $HF_TOKEN or the token of ` + "`mlxbar models login`" + `.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			paths, err := f.paths()
			if err != nil {
				return err
			}
			repo, file, _ := strings.Cut(args[0], ":")
			host := desktop.NewHost(paths.Root)
			defer host.Close()
			r := download.Request{Repo: repo, File: file, Revision: revision}
			if _, err := host.Find(c.Context()); err == nil {
				return pull(c, atServer{host}, r)
			} else if !errors.Is(err, desktop.ErrNotRunning) {
				return err
			}
			return pullAlone(c, paths, r)
		},
	}
	c.Flags().StringVar(&revision, "revision", "", "a branch, tag or `commit` (default: main)")
	return c
}

// puller does the work.
type puller interface {
	add(context.Context, download.Request) (download.Job, error)
	job(ctx context.Context, id string) (download.Job, error)
	// rest has a download stop where it stands.
	rest(ctx context.Context, id string) error
}

const (
	lookEvery = 250 * time.Millisecond
	// mostMissed is how often in a row a busy server may not answer.
	mostMissed = 5
	// addPatience is how long the Hub may take to say what a repository has.
	addPatience = 90 * time.Second
)

// pull follows a download to its end.
func pull(c *cobra.Command, p puller, r download.Request) error {
	adding, done := context.WithTimeout(c.Context(), addPatience)
	defer done()
	j, err := p.add(adding, r)
	if err != nil {
		return err
	}
	bar := newBar(c.ErrOrStderr())
	defer bar.clear()
	missed := 0
	for {
		bar.show(j)
		switch j.Status {
		case download.Done:
			bar.clear()
			fmt.Fprintf(c.OutOrStdout(), "%s is there (%s).\n", j.Model, units.Bytes(j.TotalBytes))
			return nil
		case download.Failed, download.Paused:
			if j.Problem == "" {
				return errors.New("somebody paused the download; the same command goes on with it")
			}
			return errors.New(j.Problem)
		case download.Cancelled:
			return errors.New("somebody cancelled the download")
		}
		select {
		case <-c.Context().Done():
			last, done := context.WithTimeout(context.WithoutCancel(c.Context()), 5*time.Second)
			defer done()
			return errors.Join(errors.New("interrupted; the same command goes on where it stood"), p.rest(last, j.ID))
		case <-time.After(lookEvery):
		}
		now, err := p.job(c.Context(), j.ID)
		switch {
		case err == nil:
			j, missed = now, 0
		case c.Context().Err() == nil:
			if missed++; missed > mostMissed {
				return err
			}
		}
	}
}

// atServer has the running server do it.
type atServer struct{ host *desktop.Host }

func (s atServer) add(ctx context.Context, r download.Request) (j download.Job, err error) {
	err = s.host.Ask(ctx, http.MethodPost, "/api/downloads", admin.DownloadRequest{Repo: r.Repo, File: r.File, Revision: r.Revision}, &j)
	return j, err
}

func (s atServer) job(ctx context.Context, id string) (download.Job, error) {
	var answer struct{ Downloads []download.Job }
	if err := s.host.Ask(ctx, http.MethodGet, "/api/downloads", nil, &answer); err != nil {
		return download.Job{ID: id}, err
	}
	return pick(answer.Downloads, id), nil
}

func (s atServer) rest(ctx context.Context, id string) error {
	return s.host.Ask(ctx, http.MethodPost, "/api/downloads/"+id+"/pause", nil, nil)
}

// pick finds a download; one that is gone was cancelled.
func pick(list []download.Job, id string) download.Job {
	if i := slices.IndexFunc(list, func(j download.Job) bool { return j.ID == id }); i >= 0 {
		return list[i]
	}
	return download.Job{ID: id, Status: download.Cancelled}
}

// alone does it in this program.
type alone struct{ *download.Manager }

func (a alone) add(ctx context.Context, r download.Request) (download.Job, error) {
	j, err := a.Add(ctx, r)
	var wrong *hub.NameError
	if errors.As(err, &wrong) { // as the server says it
		err = fmt.Errorf("body.%s: %s", wrong.Field, wrong.Detail)
	}
	return j, err
}

func (a alone) job(_ context.Context, id string) (download.Job, error) {
	return pick(a.List(), id), nil
}

// rest leaves it for who comes next to take up: closing the manager stops it.
func (alone) rest(context.Context, string) error { return nil }

func pullAlone(c *cobra.Command, paths datadir.Paths, r download.Request) (err error) {
	if err := paths.EnsureDirs(); err != nil {
		return err
	}
	set, err := settings.Read(paths.Settings)
	if err != nil {
		return err
	}
	client, err := server.NewHub()
	if err != nil {
		return err
	}
	defer client.Close()
	m, err := download.Open(download.Config{Dir: paths.Models, Hub: client, Limits: server.DownloadLimits(set)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	return pull(c, alone{m}, r)
}
