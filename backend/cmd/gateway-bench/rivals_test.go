package main

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlxbar/backend/testkit"
)

func TestNginxIsAPlainReverseProxy(t *testing.T) {
	conf := nginxConf("/a data folder", "127.0.0.1:2", "127.0.0.1:1", 4, "me mine")
	for _, want := range []string{
		"user me mine;\n", "worker_processes 4;\n", `pid "/a data folder/nginx.pid";`, "server 127.0.0.1:1;", "listen 127.0.0.1:2;",
		"proxy_buffering off;", "keepalive 256;", `proxy_set_header Connection "";`, "access_log off;",
	} {
		if !strings.Contains(conf, want) {
			t.Errorf("it has no %q", want)
		}
	}
	if strings.Count(conf, "{") != strings.Count(conf, "}") || strings.Contains(conf, "%!") {
		t.Error(conf)
	}
	if conf := nginxConf("/d", "a:1", "b:2", 1, ""); strings.Contains(conf, "user ") {
		t.Error("without root's rights it tries to change the user")
	}
}

func TestLiteLLMHasOneModelAndNothingElse(t *testing.T) {
	want := `model_list:
  - model_name: "ok-16"
    litellm_params: {model: "openai/ok-16", api_base: "http://127.0.0.1:1/v1", api_key: none}
litellm_settings: {telemetry: false, num_retries: 0, use_chat_completions_url_for_anthropic_messages: true}
general_settings: {dangerously_permit_weak_or_unset_master_key: true}
`
	if diff := cmp.Diff(want, liteLLMConf("ok-16", "http://127.0.0.1:1/v1")); diff != "" {
		t.Error(diff)
	}
	if env := strings.Join(liteLLMEnv("/d"), " "); !strings.Contains(env, "LITELLM_LOCAL_MODEL_COST_MAP=True") {
		t.Errorf("%s: it would ask the network for its prices", env)
	}
}

func TestRivalsThatAreMissingAreNamed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	r := rivals{nginx: filepath.Join(dir, "no-nginx"), litellm: filepath.Join(dir, "no-litellm")}
	if err := r.find(); err == nil || !strings.Contains(err.Error(), "nginx is missing") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "nginx"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := r.find(); err == nil || !strings.Contains(err.Error(), "no-litellm") || r.nginx != filepath.Join(dir, "nginx") {
		t.Errorf("%v, nginx at %s", err, r.nginx)
	}
}

// TestAProgramEndsWithStdin has a program with a worker of its own, which ignores signals.
func TestAProgramEndsWithStdin(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // stands in for the program's own address
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	worker, told := io.Pipe()
	c := exec.Command("/bin/sh", "-c", "(trap '' TERM; echo alive; sleep 600) & wait")
	stdin, ours := io.Pipe()
	stdout, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := superviseUntil(context.Background(), stdin, l.Addr().String(), c, out, told)
		told.Close()
		ended <- err
	}()
	line := make([]byte, 100)
	if n, err := stdout.Read(line); err != nil || string(line[:n]) != "ready on http://"+l.Addr().String()+"\n" {
		t.Fatalf("it says %q, %v", line[:n], err)
	}
	if n, err := worker.Read(line); err != nil || string(line[:n]) != "alive\n" {
		t.Fatalf("the worker says %q, %v", line[:n], err)
	}
	ours.Close()
	if err := testkit.Receive(t, ended); err != nil {
		t.Error(err)
	}
	if _, err := worker.Read(line); err != io.EOF {
		t.Errorf("the worker still holds its output open: %v", err)
	}
}

func TestAProgramThatEndsByItselfIsAnError(t *testing.T) {
	stdin, ours := io.Pipe()
	defer ours.Close()
	err := superviseUntil(t.Context(), stdin, "127.0.0.1:1", exec.Command("/bin/sh", "-c", "exit 3"), io.Discard, io.Discard)
	stdin.Close()
	if err == nil || !strings.Contains(err.Error(), "sh ended by itself: exit status 3") {
		t.Errorf("%v", err)
	}
}
