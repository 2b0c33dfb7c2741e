package server_test

import (
	"context"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"mlxbar/backend/datadir"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

// With the real engine: what is set for a single model reaches it, in the estimate, at the start, when it is loaded
// anew, and when nothing of it can be.
func TestSettingsOfSingleModels(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.paths = datadir.At(testkit.Prepared(t))
	h.opts.DataDir = h.paths.Root
	h.writeSettings(`{"version": 2, "models": {"each": [{"name": "` + models.StarterName + `", "preload": true, "pin": true, "context_size": 512, "parallel": 1}]}}`)
	h.start()
	h.client.Timeout = 4 * testkit.Patience
	state := func() gjson.Result { return gjson.Get(h.text(h.request("GET", "/api/engines", ""), 200), "engines.0") }
	ready := func(but int64) int64 {
		t.Helper()
		eventually(t, "the engine to be ready", func() bool {
			s := state()
			return s.Get("state").Str == "ready" && s.Get("detail").Str == "" && s.Get("pid").Int() != but
		})
		return state().Get("pid").Int()
	}
	each := func(fields string) { // of the starter
		t.Helper()
		h.text(h.request("PATCH", "/api/settings", `{"models": {"each": [{"name": "`+models.StarterName+`"`+fields+`}]}}`), 200)
	}
	first := ready(0)
	if s := state(); !s.Get("pinned").Bool() || s.Get("slots").Int() != 1 || s.Get("last_used").Str != "" {
		t.Errorf("it is %s", s)
	}
	memory := gjson.Get(h.text(h.request("GET", "/api/status", ""), 200), "memory")
	if used, limit, machine := memory.Get("used_bytes").Int(), memory.Get("limit_bytes").Int(), memory.Get("machine_bytes").Int(); used < 98362432 || limit >= machine || used > limit {
		t.Errorf("the memory is %s", memory)
	}
	if m := gjson.Get(h.text(h.request("GET", "/api/models", ""), 200), "models.0"); m.Get("memory_tokens").Int() != 512 {
		t.Errorf("the estimate is of %s", m)
	}

	each(`, "context_size": 512, "parallel": 1`) // no longer pinned, which restarts nothing
	eventually(t, "it not to be pinned", func() bool { return !state().Get("pinned").Bool() })
	if pid := ready(0); pid != first {
		t.Errorf("pid %d, then %d", first, pid)
	}
	each(`, "context_size": 512, "parallel": 3, "arguments": ["--flash-attn", "on"]`)
	second := ready(first)
	if s := state(); s.Get("slots").Int() != 3 {
		t.Errorf("it is %s", s)
	}
	h.text(h.request("POST", "/v1/completions", `{"model": "`+models.StarterName+`", "prompt": "Hello", "max_tokens": 4}`), 200)
	if s := state(); s.Get("last_used").Str == "" {
		t.Errorf("it is %s", s)
	}

	each(`, "draft": "gone"`)
	eventually(t, "the load to fail", func() bool { return state().Get("state").Str == "failed" })
	if d := state().Get("detail").Str; d != "Its draft model gone, which models.each names, is not there or cannot be used." {
		t.Errorf("it fails because %q", d)
	}
	each("")
	h.text(h.request("POST", "/api/models/"+models.StarterName+"/load", ""), 202)
	ready(second)
}

// A llama-server that is not there is a fault of its setting, and one whose context no machine holds is refused with the arithmetic.
func TestWhatCannotBeRunIsToldAtOnce(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.paths = datadir.At(testkit.Prepared(t))
	h.opts.DataDir = h.paths.Root
	h.start()
	plain := filepath.Join(t.TempDir(), "llama-server")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		plain + "-gone": "there is no such file", filepath.Dir(plain): "it is a folder", plain: "it is not executable", "llama-server": "whole path",
	} {
		d := h.problem(h.request("PATCH", "/api/settings", `{"engines": {"llamacpp": {"command": "`+path+`"}}}`), problem.InvalidRequest)
		if len(d.Errors) != 1 || d.Errors[0].Location != "engines.llamacpp.command" || !strings.Contains(d.Errors[0].Detail, want) {
			t.Errorf("%s: %+v, want %q", path, d.Errors, want)
		}
	}
	h.text(h.request("PATCH", "/api/settings", `{"engines": {"memory_percent": 10}, "models": {"each": [{"name": "`+models.StarterName+`", "context_size": 1048576, "parallel": 64}]}}`), 200)
	for _, resp := range []struct{ detail string }{
		{h.problem(h.chat(models.StarterName, false), problem.ModelTooLarge).Detail},
		{h.problem(h.request("POST", "/api/models/"+models.StarterName+"/load", ""), problem.ModelTooLarge).Detail},
	} {
		if !strings.Contains(resp.detail, "It is expected to take 1683.") || !strings.Contains(resp.detail, "With a context_size of ") {
			t.Errorf("it is refused with %q", resp.detail)
		}
	}
}

// Who would be one too many in the queue for a model is told when to come again, and the log has everybody's place.
func TestTheQueueForAModelHasABound(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.paths = datadir.At(testkit.Prepared(t))
	h.opts.DataDir = h.paths.Root
	never := filepath.Join(t.TempDir(), "llama-server")
	if err := os.WriteFile(never, []byte("#!/bin/sh\nexec sleep 600\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.writeSettings(`{"version": 2, "engines": {"queue": 1, "llamacpp": {"command": "` + never + `"}}}`)
	h.start()
	ctx, leave := context.WithCancel(t.Context())
	began, left := time.Now(), make(chan struct{})
	go func() {
		defer close(left)
		req, err := http.NewRequestWithContext(ctx, "POST", h.url+"/v1/completions", strings.NewReader(`{"model": "`+models.StarterName+`", "prompt": "Hello"}`))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Request-ID", "the-first")
		if resp, err := (&http.Client{Transport: h.client.Transport}).Do(req); err == nil {
			t.Errorf("a model that is never loaded answered %s", resp.Status)
			resp.Body.Close()
		}
	}()
	defer func() { leave(); <-left }()
	eventually(t, "the first to wait", func() bool {
		return gjson.Get(h.text(h.request("GET", "/api/status", ""), 200), "engines.0.queued").Int() == 1
	})
	resp := h.chat(models.StarterName, false)
	waited := int(math.Ceil(time.Since(began).Seconds())) // the first one has, at most
	if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || after < 1 || after > max(5, waited) || after < 5-waited {
		t.Errorf("Retry-After is %q, %d seconds after the first one asked", resp.Header.Get("Retry-After"), waited)
	}
	h.problem(resp, problem.QueueFull)
	log, err := os.ReadFile(h.paths.Log)
	if err != nil || !strings.Contains(string(log), `msg="a request waits for a model" request_id=the-first model=`+models.StarterName+` place=1 loads_ahead=0`) {
		t.Errorf("the log has no place in the queue: %v\n%s", err, log)
	}
}
