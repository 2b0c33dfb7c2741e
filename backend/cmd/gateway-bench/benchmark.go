package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mlxbar/backend/bench"
	"mlxbar/backend/bench/machine"
)

// benchmark is one run and what it started.
type benchmark struct {
	options  options
	log      io.Writer
	dir      string
	wrk      *bench.Wrk
	children []*child
	upstream *child
	gateway  *gateway
	urls     [nPaths]string // without /v1
	report   *report
}

func newBench(ctx context.Context, o options, log io.Writer) (*benchmark, error) {
	dir, err := os.MkdirTemp("", "gateway-bench-")
	if err != nil {
		return nil, err
	}
	b := &benchmark{options: o, log: log, dir: dir, report: &report{Started: time.Now().UTC().Truncate(time.Second), Options: o}}
	if b.wrk, err = bench.NewWrk(dir); err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.report.Machine = describe(ctx, o.mlxbar, b.wrk)
	return b, nil
}

// measure runs every part.
func (b *benchmark) measure(ctx context.Context) error {
	if err := b.readyTimes(ctx); err != nil {
		return err
	}
	if err := b.start(ctx); err != nil {
		return err
	}
	if err := b.load(ctx); err != nil {
		return err
	}
	if err := b.account(ctx); err != nil {
		return err
	}
	if err := b.allocations(ctx); err != nil {
		return err
	}
	if b.options.Protocols {
		run, err := b.protocols(ctx, planOf(b.options.Rounds < fullRounds))
		if err != nil {
			return err
		}
		b.report.Protocols = run
	}
	if b.options.EngineRounds > 0 {
		if err := b.engineSpeed(ctx); err != nil {
			return err
		}
	}
	if b.options.Records > 0 {
		if err := b.auditSpeed(ctx); err != nil {
			return err
		}
	}
	if b.options.Recorded == 0 {
		return nil
	}
	return b.writerSpeed(ctx)
}

// startUpstream brings up who answers. It has no Responses, for these are to be converted where they are asked for.
func (b *benchmark) startUpstream(ctx context.Context) error {
	up, err := startChild(ctx, "fakeupstream", nil, b.options.fakeUpstream, "--until-stdin", "--without-responses")
	if err != nil {
		return err
	}
	b.children, b.upstream = append(b.children, up), up
	b.urls[direct] = strings.TrimSuffix(up.url, "/v1")
	return nil
}

// start brings up the upstream and the two ways to it.
func (b *benchmark) start(ctx context.Context) error {
	if err := b.startUpstream(ctx); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	proxy, err := startChild(ctx, "reverse proxy", nil, self, proxyCommand, b.urls[direct])
	if err != nil {
		return err
	}
	b.children = append(b.children, proxy)
	b.urls[proxied] = proxy.url

	dir := filepath.Join(b.dir, "load")
	if err := dataFolder(dir, route{Model: "*", URL: b.upstream.url}); err != nil {
		return err
	}
	if b.gateway, err = b.serve(ctx, "mlxbar serve", dir); err != nil {
		return err
	}
	b.urls[gated] = b.gateway.url
	return nil
}

// close ends everything that was started, the last first; again does nothing.
func (b *benchmark) close() error {
	var errs []error
	for i := len(b.children) - 1; i >= 0; i-- {
		errs = append(errs, b.children[i].stop())
	}
	b.children = nil
	errs = append(errs, os.RemoveAll(b.dir))
	return errors.Join(errs...)
}

func (b *benchmark) progress(format string, args ...any) {
	fmt.Fprintf(b.log, format+"\n", args...)
}

// origin says where the figures come from.
type origin struct {
	machine.Machine
	Mlxbar string `json:"mlxbar"`
	Wrk    string `json:"wrk"`
}

func describe(ctx context.Context, mlxbar string, wrk *bench.Wrk) origin {
	o := origin{Machine: machine.Describe(ctx), Mlxbar: "unknown version", Wrk: wrk.Version(ctx)}
	if out, err := exec.CommandContext(ctx, mlxbar, "version").Output(); err == nil {
		o.Mlxbar, _, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
	}
	return o
}
