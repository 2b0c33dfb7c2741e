package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"mlxbar/backend/testkit"
)

func TestServeEndsOnASignal(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(s.String(), func(t *testing.T) {
			h := newHouse(t)
			p := h.serve()
			resp, err := http.Get(p.url + "/readyz")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			http.DefaultClient.CloseIdleConnections()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("/readyz: %s", resp.Status)
			}
			p.signal(s)
			p.ends()
			if _, err := os.Stat(h.paths.ServerFile); !os.IsNotExist(err) {
				t.Errorf("server.json after the end: %v", err)
			}
			if p.stderr.String() != "" { // it is no terminal: the log is in the file
				t.Errorf("stderr holds %s", p.stderr)
			}
			if raw, err := os.ReadFile(h.paths.Log); err != nil || !strings.Contains(string(raw), "msg=draining") {
				t.Errorf("the log holds %s, %v", raw, err)
			}
		})
	}
}

func TestServeFinishesARunningAnswer(t *testing.T) {
	url, letGo := stuck(t)
	h := newHouse(t)
	h.provider(url)
	p := h.serve()
	answer := bufio.NewReader(p.ask("any", true).Body)
	if _, err := answer.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGTERM)
	eventually(t, "new connections are refused", p.refusesConnections)
	letGo()
	if raw, err := io.ReadAll(answer); err != nil || !strings.HasSuffix(string(raw), "[DONE]\n\n") {
		t.Errorf("the answer ended with %q, %v", raw, err)
	}
	p.ends()
}

func TestServeThatIsCutShortLeavesInterruptedRecords(t *testing.T) {
	for name, cut := range map[string]func(p *program) syscall.Signal{
		"killed": func(p *program) syscall.Signal {
			p.signal(syscall.SIGKILL)
			return syscall.SIGKILL
		},
		"told twice": func(p *program) syscall.Signal { // the second does not wait for the first one's drain
			p.signal(syscall.SIGTERM)
			eventually(p.t, "new connections are refused", p.refusesConnections)
			p.signal(syscall.SIGTERM)
			return syscall.SIGTERM
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := stuck(t)
			h := newHouse(t)
			h.provider(url)
			p := h.serve()
			if _, err := bufio.NewReader(p.ask("any", true).Body).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the start is on the disk", func() bool { return h.statuses() == "running" })
			want := cut(p)
			if got := endedBy(p.wait()); got != want {
				t.Fatalf("the server ended with %v", p.state)
			}
			if got := h.statuses(); got != "running" {
				t.Fatalf("with the server dead the audit says %q", got)
			}
			second := h.serve()
			if got := h.statuses(); got != "interrupted" {
				t.Errorf("after the next start the audit says %q", got)
			}
			second.signal(syscall.SIGTERM)
			second.ends()
		})
	}
}

// statuses are those of all records, oldest first.
func (h *house) statuses() string {
	h.t.Helper()
	var all []string
	for _, r := range h.exported() {
		all = append(all, string(r.Status))
	}
	return strings.Join(all, " ")
}

func TestServeThatCannotStartSaysWhyInASentence(t *testing.T) {
	t.Run("a server runs", func(t *testing.T) {
		h := newHouse(t)
		p := h.serve()
		h.refused([]string{"serve", "--addr", "127.0.0.1:0"}, p.url, fmt.Sprintf("process %d", p.cmd.Process.Pid), "mlxbar stop")
		p.signal(syscall.SIGTERM)
		p.ends()
	})
	t.Run("the port is taken", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		newHouse(t).refused([]string{"serve", "--addr", listener.Addr().String()}, "port "+port, fmt.Sprintf("process %d", os.Getpid()), "--addr")
	})
	t.Run("a setting is wrong", func(t *testing.T) {
		h := newHouse(t)
		h.provider(testkit.NewUpstream(t).URL)
		h.write(h.paths.Settings, `{"timeouts": {"chat": "3s"}}`)
		h.refused([]string{"serve", "--addr", "127.0.0.1:0"}, "settings.json", "timeouts.chat", "1m to 120m")
	})
	for _, c := range []struct{ flag, value, says string }{
		{"--addr", "my-mac.local:0", "no IP address"},
		{"--addr", "10242", "HOST:PORT"},
		{"--log-level", "loud", "debug, info, warn or error"},
	} {
		t.Run(c.flag+" "+c.value, func(t *testing.T) {
			newHouse(t).refused([]string{"serve", c.flag, c.value}, c.flag, c.value, c.says)
		})
	}
}

func TestTheFlagStandsOverTheVariable(t *testing.T) {
	h, other := newHouse(t), newHouse(t)
	p := h.serve("--data-dir", other.paths.Root)
	if _, err := os.Stat(other.paths.ServerFile); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(h.paths.Root); !os.IsNotExist(err) {
		t.Errorf("the folder of the variable: %v", err)
	}
	p.signal(syscall.SIGTERM)
	p.ends()
}

func TestStop(t *testing.T) {
	h := newHouse(t)
	if got := h.good("stop"); got != "mlxbar was not running.\n" {
		t.Errorf("stop says %q", got)
	}
	if _, err := os.Stat(h.paths.Root); !os.IsNotExist(err) {
		t.Errorf("stop made a data folder: %v", err)
	}
	p := h.serve()
	marked := func() bool { _, err := os.Stat(h.paths.Stopped); return err == nil }
	if marked() {
		t.Error("a running server is marked as stopped on purpose")
	}
	if got := h.good("stop"); got != "mlxbar is stopped.\n" {
		t.Errorf("stop says %q", got)
	}
	p.ends()
	if !marked() {
		t.Error("the server is not marked as stopped on purpose, so the tray would start it again")
	}
	p = h.serve()
	if marked() {
		t.Error("serve did not remove the mark")
	}
	// The tray starts a server that has died; stop keeps it from that.
	p.signal(syscall.SIGKILL)
	p.wait()
	if got := h.good("stop"); got != "mlxbar was not running.\n" || !marked() {
		t.Errorf("stop says %q of a dead server; marked: %t", got, marked())
	}
}

func TestStopWaitsForRunningAnswers(t *testing.T) {
	url, letGo := stuck(t)
	h := newHouse(t)
	h.provider(url)
	p := h.serve()
	answer := bufio.NewReader(p.ask("any", true).Body)
	if _, err := answer.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	said := make(chan outcome, 1)
	go func() { said <- h.mlxbar("stop") }()
	eventually(t, "new connections are refused", p.refusesConnections)
	select {
	case o := <-said:
		t.Fatalf("stop did not wait: %+v", o)
	default:
	}
	letGo()
	if raw, err := io.ReadAll(answer); err != nil || !strings.HasSuffix(string(raw), "[DONE]\n\n") {
		t.Errorf("the answer ended with %q, %v", raw, err)
	}
	p.ends()
	if o := testkit.Receive(t, said); o.code != 0 || o.stdout != "mlxbar is stopped.\n" {
		t.Errorf("stop: %+v", o)
	}
}

func TestLink(t *testing.T) {
	h := newHouse(t)
	h.refused([]string{"link"}, "not running")
	p := h.serve()
	link := strings.TrimSpace(h.good("link"))
	if !strings.HasPrefix(link, p.url+"/login?code=") {
		t.Fatalf("the link is %q", link)
	}
	resp, err := http.DefaultTransport.RoundTrip(httptest.NewRequest("GET", link, nil)) // follows nothing
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" || len(resp.Cookies()) != 1 {
		t.Errorf("the link: %s to %q with the cookies %v", resp.Status, resp.Header.Get("Location"), resp.Cookies())
	}
	p.signal(syscall.SIGTERM)
	p.ends()
}
