package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/keychain"
	"mlxbar/backend/testkit/secrets"
)

const someToken = "pylf_v1_eu_canaryOfTheToken"

// feeds runs a command with text on its stdin.
func (h *house) feeds(text string, args ...string) outcome {
	h.t.Helper()
	cmd := h.command(args...)
	cmd.Stdin = strings.NewReader(text)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// tells checks what status tells, and that it shows no token.
func (h *house) tells(parts ...string) {
	h.t.Helper()
	said := h.good("telemetry", "status")
	for _, part := range parts {
		if !strings.Contains(said, part) {
			h.t.Errorf("status does not say %q: %s", part, said)
		}
	}
	if strings.Contains(said, "canary") {
		h.t.Errorf("status shows the token: %s", said)
	}
}

func withoutToken(t *testing.T) {
	t.Setenv("LOGFIRE_TOKEN", "")
	os.Unsetenv("LOGFIRE_TOKEN")
}

func TestTelemetryLoginStatusLogout(t *testing.T) {
	secrets.New(t)
	withoutToken(t)
	h := newHouse(t)
	h.tells("traces   sent nowhere\nmetrics  sent nowhere\nlogs     sent nowhere\n", "token    none: neither in the environment nor in the keychain")

	if o := h.feeds(someToken+"\n", "telemetry", "login"); o.code != 0 || o.stderr != "" || strings.Contains(o.stdout, "canary") {
		t.Fatalf("login: %+v", o)
	}
	if got, err := keychain.Get(t.Context(), keychain.LogfireToken); err != nil || got != someToken {
		t.Errorf("in the keychain is %q, %v", got, err)
	}
	h.tells("traces   https://logfire-eu.pydantic.dev/v1/traces\n", "token    from the keychain\n")

	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
	t.Setenv("LOGFIRE_TOKEN", "pylf_v1_us_canaryOfAnother")
	h.tells("logs     https://logfire-us.pydantic.dev/v1/logs, http://127.0.0.1:4318/v1/logs\n", "token    from $LOGFIRE_TOKEN\n")
	t.Setenv("LOGFIRE_TOKEN", "")
	h.tells("traces   http://127.0.0.1:4318/v1/traces\n", "keeps the keychain out")
	withoutToken(t)

	if err := h.paths.EnsureDirs(); err != nil {
		t.Fatal(err)
	}
	h.write(h.paths.Settings, `{"telemetry": {"otlp_endpoint": "http://127.0.0.1:4319"}}`)
	os.Unsetenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	h.tells("logs     https://logfire-eu.pydantic.dev/v1/logs\n", "server   sends to http://127.0.0.1:4319 as well")
	h.write(h.paths.Settings, `{"telemetry": {"otlp_endpoint": 1}}`)
	h.refused([]string{"telemetry", "status"}, "telemetry.otlp_endpoint")

	if said := h.good("telemetry", "logout"); !strings.Contains(said, "removed") {
		t.Errorf("logout says %q", said)
	}
	if said := h.good("telemetry", "logout"); said != "The keychain held no token.\n" {
		t.Errorf("a second logout says %q", said)
	}
	h.write(h.paths.Settings, `{}`)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
	t.Setenv("OTEL_TRACES_SAMPLER", "often")
	h.refused([]string{"telemetry", "status"}, "OTEL_TRACES_SAMPLER=often")
}

// At a terminal the token is asked for and not shown.
func TestTelemetryLoginShowsNoToken(t *testing.T) {
	secrets.New(t)
	withoutToken(t)
	h := newHouse(t)
	if seen, err := h.typed(someToken, "telemetry", "login"); err != nil || !strings.Contains(seen, "write token: ") || strings.Contains(seen, "canary") {
		t.Errorf("%v: %s", err, seen)
	}
	if got, err := keychain.Get(t.Context(), keychain.LogfireToken); err != nil || got != someToken {
		t.Errorf("in the keychain is %q, %v", got, err)
	}
}

// typed types a secret into a command at a terminal, which `script` is, once that shows no longer what is typed. It gives
// what was to be seen there.
func (h *house) typed(secret string, args ...string) (seen string, err error) {
	h.t.Helper()
	own := h.command(args...)
	name := filepath.Join(h.t.TempDir(), "terminal")
	cmd := exec.Command("script", "--quiet", "--return", "--command", "tty >'"+name+"'; exec '"+own.Path+"' "+strings.Join(args, " "), "/dev/null")
	cmd.Env = own.Env
	stdin, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	eventually(h.t, "the terminal shows no longer what is typed", func() bool { return hidesInput(name) })
	if _, err := stdin.Write([]byte(secret + "\n")); err != nil {
		h.t.Fatal(err)
	}
	err = cmd.Wait()
	return out.String(), err
}

// hidesInput says whether the terminal whose name the file holds shows what is typed no longer.
func hidesInput(file string) bool {
	terminal, err := os.ReadFile(file)
	if err != nil || len(terminal) == 0 {
		return false
	}
	modes, err := exec.Command("stty", "-F", strings.TrimSpace(string(terminal)), "-a").Output()
	return err == nil && strings.Contains(string(modes), " -echo ")
}

func TestTelemetryLoginRefusesWhatIsNoToken(t *testing.T) {
	secrets.New(t)
	withoutToken(t)
	h := newHouse(t)
	for name, c := range map[string]struct {
		text string
		args []string
		says string
	}{
		"nothing":       {"", nil, "no token was read"},
		"a blank line":  {" \n", nil, "no token was read"},
		"two lines":     {"canary one\ncanary two\n", nil, "a character that no token has"},
		"a region":      {"pylf_v1_mars_canary", nil, `"mars"`},
		"too much":      {strings.Repeat("canary", 1000), nil, "too long"},
		"an argument":   {"", []string{"canary"}, "no argument"},
		"an odd option": {"", []string{"--token=canary"}, "--token"},
	} {
		t.Run(name, func(t *testing.T) {
			o := h.feeds(c.text, append([]string{"telemetry", "login"}, c.args...)...)
			if o.code != 1 || !strings.Contains(o.stderr, c.says) || strings.Contains(o.stdout+o.stderr, "canary") {
				t.Errorf("%+v", o)
			}
		})
	}
	h.tells("token    none")

	secrets.NewBus(t) // with no keychain on it
	if o := h.feeds(someToken, "telemetry", "login"); o.code != 1 || !strings.Contains(o.stderr, "set the variable LOGFIRE_TOKEN instead") || strings.Contains(o.stderr, "canary") {
		t.Errorf("without a keychain: %+v", o)
	}
	h.tells("token    none in the environment, and there is no keychain here")
}
