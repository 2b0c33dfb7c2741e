package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// rivals are the programs that the gateway is compared with.
type rivals struct{ nginx, litellm string }

func (r *rivals) flags(f *flag.FlagSet, cache string) {
	f.StringVar(&r.nginx, "nginx", filepath.Join(cache, "nginx", "usr", "sbin", "nginx"), "nginx's `program`; one on PATH otherwise")
	f.StringVar(&r.litellm, "litellm", filepath.Join(cache, "litellm", "bin", "litellm"), "LiteLLM's `program`")
}

// find holds that both are there.
func (r *rivals) find() error {
	if _, err := os.Stat(r.nginx); err != nil {
		onPath, perr := exec.LookPath("nginx")
		if perr != nil {
			return errors.New("nginx is missing; `make bench BENCH_ARGS=compare` fetches it")
		}
		r.nginx = onPath
	}
	if _, err := os.Stat(r.litellm); err != nil {
		return fmt.Errorf("%w; `make bench BENCH_ARGS=compare` installs it", err)
	}
	return nil
}

// workers is how many processes each of them gets: one for each CPU, as Go takes threads.
func workers() int { return runtime.GOMAXPROCS(0) }

// nginxConf makes of nginx a plain reverse proxy: kept connections on both sides, nothing
// buffered (a stream's events must not wait), no log.
func nginxConf(dir, addr, upstream string, processes int, account string) string {
	var b strings.Builder
	if account != "" {
		fmt.Fprintf(&b, "user %s;\n", account)
	}
	fmt.Fprintf(&b, `daemon off;
worker_processes %d;
pid %q;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path %[3]q;
  proxy_temp_path %[3]q;
  fastcgi_temp_path %[3]q;
  uwsgi_temp_path %[3]q;
  scgi_temp_path %[3]q;
  upstream bench {
    server %[4]s;
    keepalive 256;
    keepalive_requests 100000000;
  }
  server {
    listen %[5]s;
    location / {
      proxy_pass http://bench;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`, processes, filepath.Join(dir, "nginx.pid"), filepath.Join(dir, "temp"), upstream, addr)
	return b.String()
}

// liteLLMConf has one model, and nothing that is asked of a network or a database. It takes
// no key, as the other ways do not; it wants to be told so twice. Requests of Messages it would put
// to the upstream's Responses, if it were not told to use Chat Completions, as the gateway does here.
func liteLLMConf(model, upstreamV1 string) string {
	return fmt.Sprintf(`model_list:
  - model_name: %q
    litellm_params: {model: %q, api_base: %q, api_key: none}
litellm_settings: {telemetry: false, num_retries: 0, use_chat_completions_url_for_anthropic_messages: true}
general_settings: {dangerously_permit_weak_or_unset_master_key: true}
`, model, "openai/"+model, upstreamV1)
}

// liteLLMEnv keeps LiteLLM from asking the network for its table of prices, and from
// writing more than errors.
func liteLLMEnv(dir string) []string {
	return []string{"LITELLM_LOCAL_MODEL_COST_MAP=True", "LITELLM_TELEMETRY=False", "LITELLM_MODE=PRODUCTION", "LITELLM_LOG=ERROR", "HOME=" + dir}
}

// startNginx starts it on a free port.
func (m *measuring) startNginx(ctx context.Context) (way, error) {
	dir := filepath.Join(m.dir, "nginx")
	if err := os.MkdirAll(filepath.Join(dir, "temp"), 0o700); err != nil {
		return way{}, err
	}
	addr, err := freeAddr()
	if err != nil {
		return way{}, err
	}
	upstream, err := url.Parse(m.urls[direct])
	if err != nil {
		return way{}, err
	}
	account := "" // only root may change it, and would change to somebody who can write nothing here
	if u, err := user.Current(); err == nil && os.Geteuid() == 0 {
		account = u.Username
		if g, err := user.LookupGroupId(u.Gid); err == nil {
			account += " " + g.Name
		}
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(nginxConf(dir, addr, upstream.Host, workers(), account)), 0o600); err != nil {
		return way{}, err
	}
	return m.startRival(ctx, "nginx", nil, addr, m.rivals.nginx, "-c", conf, "-p", dir, "-e", "stderr")
}

func (m *measuring) startLiteLLM(ctx context.Context, model string) (way, error) {
	dir := filepath.Join(m.dir, "litellm")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return way{}, err
	}
	addr, err := freeAddr()
	if err != nil {
		return way{}, err
	}
	conf := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(conf, []byte(liteLLMConf(model, m.urls[direct]+"/v1")), 0o600); err != nil {
		return way{}, err
	}
	host, port, _ := strings.Cut(addr, ":")
	return m.startRival(ctx, "LiteLLM", liteLLMEnv(dir), addr, m.rivals.litellm,
		"--config", conf, "--host", host, "--port", port, "--num_workers", strconv.Itoa(workers()))
}

func (m *measuring) startRival(ctx context.Context, name string, env []string, addr, program string, args ...string) (way, error) {
	self, err := os.Executable()
	if err != nil {
		return way{}, err
	}
	c, err := startChild(ctx, name, env, self, append([]string{untilStdinCommand, addr, program}, args...)...)
	if err != nil {
		return way{}, err
	}
	m.children = append(m.children, c)
	return way{name: name, url: c.url, child: c, wrapped: true}, nil
}

// freeAddr is one on which nobody listened a moment ago.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// untilStdinCommand runs a program that knows nothing of us: it says when the program's
// address takes connections, and ends it when stdin closes, however this process's parent ended.
const untilStdinCommand = "run-until-stdin"

func runUntilStdin(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) < 2 {
		return fmt.Errorf("gateway-bench %s ADDRESS PROGRAM [ARGUMENTS]", untilStdinCommand)
	}
	return superviseUntil(ctx, os.Stdin, args[0], exec.Command(args[1], args[2:]...), stdout, stderr)
}

func superviseUntil(ctx context.Context, stdin io.Reader, addr string, c *exec.Cmd, stdout, stderr io.Writer) error {
	c.Stdout, c.Stderr = stderr, stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that its workers can be ended with it
	if err := c.Start(); err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func() { exited <- c.Wait() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { io.Copy(io.Discard, stdin); cancel() }()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-exited:
			return fmt.Errorf("%s ended by itself: %w", filepath.Base(c.Path), errors.Join(err, io.ErrUnexpectedEOF))
		case <-ctx.Done():
			return endGroup(c, exited)
		case <-look.C:
			if conn, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
				conn.Close()
				look.Stop()
				fmt.Fprintf(stdout, "ready on http://%s\n", addr)
			}
		}
	}
}

// endGroup asks a program to end, and kills it and its workers if it does not.
func endGroup(c *exec.Cmd, exited <-chan error) error {
	c.Process.Signal(syscall.SIGTERM)
	select {
	case <-exited:
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // whoever of the group is still there
	case <-time.After(10 * time.Second):
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		<-exited
	}
	return nil
}
