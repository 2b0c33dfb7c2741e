package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mlxbar/backend/engine"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/canary"
	"mlxbar/backend/testkit/collector"
	keyring "mlxbar/backend/testkit/secrets"
	"mlxbar/backend/testkit/upstream"
)

// canaryProviders are those that fail in a way of their own, whatever they are asked. A provider
// of another kind joins by a line.
var canaryProviders = []settings.Provider{
	{Name: "wrongkey", Kind: settings.KindOpenAI, APIKeyEnv: "WRONG_KEY"}, // refused by the scripted upstream, in words that quote the key
	{Name: "claude", Kind: settings.KindAnthropic, APIKeyEnv: "FAR_KEY"},
	{Name: "keyless", Kind: settings.KindOpenAI, APIKeyEnv: "NO_SUCH_KEY"},
	{Name: "gone", Kind: settings.KindOpenAI, BaseURL: "http://127.0.0.1:1/v1", APIKeyEnv: "FAR_KEY"},
}

// The words that people ask, that models answer and that stand for keys are nowhere: not in a file of
// the data folder, not in what is told to a collector or to Prometheus, not in an export or what
// a command prints, not in what a crash leaves, and not where other programs see processes.
func TestNothingKeepsWhatWasAskedOrAnswered(t *testing.T) {
	to, err := collector.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(to.Stop)
	keyring.New(t)
	wrongKey := canary.New().Word("wrongkey")
	for name, value := range map[string]string{
		"WRONG_KEY": wrongKey, "OTEL_EXPORTER_OTLP_ENDPOINT": to.URL(), "OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "50", "OTEL_METRIC_EXPORT_INTERVAL": "100",
		"LOGFIRE_TOKEN": "", "GOTRACEBACK": "",
	} {
		t.Setenv(name, value)
	}
	keptKey := "sk-" + canary.New().Word("kept")
	hubToken := canary.New().Word("hub")
	hub := hubWithToken(t, hubToken)
	h := newHouse(t, func(s *settings.Settings) {
		s.Engines.MLX.Enabled = settings.On
		kept := testkit.NewUpstream(t, upstream.Key(keptKey))
		s.Providers = append(s.Providers, settings.Provider{Name: "kept", Kind: settings.KindOpenAI, BaseURL: kept.URL})
		s.Routes = append(s.Routes, settings.Route{Model: "kept", Targets: []settings.Target{{Provider: "kept", Model: "ok=1ms"}}})
		for _, p := range canaryProviders {
			if p.BaseURL == "" {
				p.BaseURL = s.Providers[0].BaseURL
			}
			s.Providers = append(s.Providers, p)
			s.Routes = append(s.Routes, settings.Route{Model: p.Name, Targets: []settings.Target{{Provider: p.Name, Model: "ok=1ms"}}})
		}
		for _, script := range canary.Failures {
			s.Routes = append(s.Routes, settings.Route{Model: "claude/" + script, Targets: []settings.Target{{Provider: "claude", Model: script + "=1ms"}}})
		}
	})
	c := &watch{house: h, words: h.secrets.words, to: to, keptKey: keptKey}
	c.words.Also(wrongKey)
	c.words.Also(keptKey[:stemOfKey])
	c.words.Also(hubToken)
	c.words.Also("canary-signature") // of the addresses to which the Hub sends on

	quiet := c.hear()
	c.keepKey(keptKey)
	c.askEverything()
	c.processes("while an engine runs")
	c.askMLX()
	c.refuseEverything()
	c.fetchModels(hub, hubToken)
	c.giveKey()
	c.printed()
	quiet()
	c.everywhere("after every request")
	c.crash(syscall.SIGQUIT)
	c.crash(syscall.SIGABRT)
	c.askKept(http.StatusOK) // with what the keychain kept meanwhile
	c.killedEngine()
	c.removeKey()
	c.deleteAll()
	h.stop()
	c.everywhere("after the end")
	c.received()
}

// stemOfKey is how much of a key is searched: with what stands before its word, enough to be found and in no other text.
const stemOfKey = 15

// watch is a house whose words are searched.
type watch struct {
	*house
	words *canary.Words
	to    *collector.Collector
	// keptKey is in the keychain and nowhere else.
	keptKey string
}

func (c *watch) search(when string, places ...canary.Place) {
	c.t.Helper()
	for _, found := range c.words.Search(places...) {
		c.t.Errorf("%s %s", when, found)
	}
}

// do asks, and reads the answer however it ends.
func (c *watch) do(ctx context.Context, a canary.Ask, admin bool) (status int, answer string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(ctx, a.Method, c.url+a.Path, strings.NewReader(a.Body))
	if err != nil {
		c.t.Fatal(err)
	}
	for name, value := range a.Header {
		req.Header.Set(name, value)
	}
	if admin {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil { // some answers break off before they begin
		return 0, ""
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body) // or in the middle
	return resp.StatusCode, string(raw)
}

// keepKey puts key into the keychain as that of the provider kept, through the server, after one that the provider
// refuses in words that quote it.
func (c *watch) keepKey(key string) {
	c.t.Helper()
	for _, k := range []struct {
		key    string
		status int
		ok     string
	}{{c.words.Word("keptwrong"), http.StatusBadGateway, `"ok":false`}, {key, http.StatusOK, `"ok":true`}} {
		status, answer := c.do(c.t.Context(), canary.Ask{Method: "PUT", Path: "/api/providers/kept/key", Body: `{"key": "` + k.key + `"}`}, true)
		if status != http.StatusOK || !strings.Contains(answer, `"state":"in-keychain"`) {
			c.t.Fatalf("the key was not kept: %d %s", status, answer)
		}
		c.askKept(k.status)
		status, tested := c.do(c.t.Context(), canary.Ask{Method: "POST", Path: "/api/providers/kept/test"}, true)
		if status != http.StatusOK || !strings.Contains(tested, k.ok) {
			c.t.Errorf("a test answers %d %s", status, tested)
		}
		c.search("of a provider's key", canary.Text("the answer", answer), canary.Text("a test", tested))
	}
}

// askKept asks the provider whose key is in the keychain.
func (c *watch) askKept(want int) {
	c.t.Helper()
	if status, answer := c.do(c.t.Context(), c.words.Asks("kept")[0], false); status != want {
		c.t.Errorf("the provider kept answers %d %s, want %d", status, answer, want)
	}
}

func (c *watch) removeKey() {
	c.t.Helper()
	status, answer := c.do(c.t.Context(), canary.Ask{Method: "DELETE", Path: "/api/providers/kept/key"}, true)
	if status != http.StatusOK || !strings.Contains(answer, `"removed":true`) {
		c.t.Errorf("removing the key: %d %s", status, answer)
	}
	c.askKept(http.StatusBadGateway) // without any
	c.search("of a key that is removed", canary.Text("the answer", answer))
}

func (c *watch) askEverything() {
	c.t.Helper()
	answered := 0
	models := []string{local, "no-such-model"}
	for _, script := range canary.Failures {
		models = append(models, script+"=1ms", "claude/"+script)
	}
	for _, p := range canaryProviders {
		models = append(models, p.Name)
	}
	for _, model := range models {
		for _, a := range c.words.Asks(model) {
			if status, _ := c.do(c.t.Context(), a, false); status == http.StatusOK {
				answered++
			}
		}
	}
	for _, a := range c.words.Refused() {
		c.do(c.t.Context(), a, false)
		c.do(c.t.Context(), a, strings.HasPrefix(a.Path, "/api/"))
	}
	long := c.words.Asks(local)[0] // more than the model's context holds
	long.Body = strings.Replace(long.Body, "Repeat this: ", strings.Repeat(c.words.Word("long")+" ", 20_000), 1)
	c.do(c.t.Context(), long, false)
	ctx, leave := context.WithCancel(c.t.Context()) // a client that leaves in mid-answer
	gone := c.inFlight(ctx, "slow-idle=1m")
	leave()
	<-gone
	if answered < 20 {
		c.t.Errorf("only %d requests were answered: they did not get as far as they should", answered)
	}
}

// inFlight has requests of every kind under way, and tells when they have ended.
func (c *watch) inFlight(ctx context.Context, models ...string) (ended chan struct{}) {
	c.t.Helper()
	before := len(c.running())
	ended = make(chan struct{})
	n, left := 0, make(chan struct{})
	for _, model := range models {
		for _, a := range c.words.Asks(model) {
			if a.Path == "/v1/rerank" || strings.HasSuffix(a.Path, "/count_tokens") { // answered at once, or refused
				continue
			}
			n++
			go func() { c.do(ctx, a, false); left <- struct{}{} }()
		}
	}
	go func() {
		defer close(ended)
		for range n {
			<-left
		}
	}()
	c.eventually("the requests are under way", func() bool { return len(c.running()) >= before+n })
	return ended
}

// running are the ids of the requests that run, as the server tells them.
func (c *watch) running() []string {
	c.t.Helper()
	status, answer := c.do(c.t.Context(), canary.Ask{Method: "GET", Path: "/api/requests"}, true)
	if status != http.StatusOK {
		c.t.Fatalf("/api/requests: %d %s", status, answer)
	}
	return strings.Split(answer, `"request_id"`)[1:]
}

// processes looks at the command lines of the server and its engines, and at what engines are
// given of the environment; the server's own holds the keys that people put there.
func (c *watch) processes(when string) {
	c.t.Helper()
	engines := c.children()
	if len(engines) == 0 {
		c.t.Error("no engine runs")
	}
	server, err := canary.Process(c.cmd.Process.Pid)
	if err != nil {
		c.t.Fatal(err)
	}
	c.search(when, server[0])
	if c.keptKey == "" || strings.Contains(string(server[1].Text), c.keptKey) {
		c.t.Error("the server's environment has the key of the keychain")
	}
	if len(c.words.Search(server[1])) == 0 {
		c.t.Error("the server has no key in its environment: then no engine's says anything")
	}
	for _, pid := range engines {
		engine, err := canary.Process(int(pid))
		if err != nil {
			c.t.Fatal(err)
		}
		c.search(when, engine...)
		if strings.Contains(string(engine[0].Text)+string(engine[1].Text), c.token) {
			c.t.Error("an engine is shown the admin token")
		}
	}
	for _, pid := range append(engines, int32(c.cmd.Process.Pid)) {
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
		if err != nil {
			c.t.Fatal(err)
		}
		for line := range strings.Lines(string(limits)) {
			if strings.HasPrefix(line, "Max core file size") && strings.Fields(line)[4] != "0" {
				c.t.Errorf("process %d may leave its memory in a core file: %s", pid, line)
			}
		}
	}
}

// printed looks at what the server and the commands tell people.
func (c *watch) printed() {
	c.t.Helper()
	for _, path := range append(c.told(), "/metrics", "/healthz", "/readyz", "/v1/models", "/api/audit?limit=200", "/api/audit/export?format=csv") {
		status, answer := c.do(c.t.Context(), canary.Ask{Method: "GET", Path: path}, true)
		if status != http.StatusOK || len(answer) == 0 {
			c.t.Errorf("%s answers %d, %q", path, status, answer)
		}
		c.search("asked after all", canary.Text(path, answer))
	}
	for _, command := range []string{"audit export --format csv", "audit export --format jsonl", "models list", "providers list", "keys list", "ledger", "ledger export --format jsonl", "telemetry status"} {
		cmd := exec.Command(program, append(strings.Fields(command), "--data-dir", c.paths.Root)...)
		out, err := cmd.CombinedOutput()
		if err != nil || len(out) == 0 {
			c.t.Errorf("mlxbar %s: %v, %q", command, err, out)
		}
		c.search("told after all", canary.Text("mlxbar "+command, string(out)))
	}
}

// everywhere looks at all that is left of requests at any time.
func (c *watch) everywhere(when string) {
	c.t.Helper()
	places, err := canary.Folder(c.paths.Root)
	if err != nil {
		c.t.Fatal(err)
	}
	seen := map[string]int{}
	for _, p := range places {
		seen[filepath.Base(p.Name)] = len(p.Text)
	}
	if seen["mlxbar.db"] == 0 || seen["mlxbar.log"] < 2000 {
		c.t.Errorf("%s there are only %v", when, seen)
	}
	c.search(when, append(append(places, canary.Text("the server's output", c.said.String())), canary.Collected(c.to)...)...)
}

// crash ends the server as a fault of its own would, in the middle of requests, and starts
// another. Go tells where each of its parts was, with addresses and no text.
func (c *watch) crash(signal syscall.Signal) {
	c.t.Helper()
	ended := c.inFlight(c.t.Context(), "slow-idle=1m", "slow-headers=1m", "slow-first=1m")
	before := len(c.said.String())
	if err := c.cmd.Process.Signal(signal); err != nil {
		c.t.Fatal(err)
	}
	c.wait(2)
	<-ended
	if told := c.said.String()[before:]; strings.Count(told, "goroutine ") < 5 || !strings.Contains(told, "mlxbar/backend/gateway") {
		c.t.Errorf("the crash tells too little to be looked at: %s", told)
	}
	c.everywhere("after " + signal.String())
	c.start()
}

// killedEngine has an engine crash in the middle of a request.
func (c *watch) killedEngine() {
	c.t.Helper()
	long := c.words.Asks(local)[1]
	long.Body = strings.Replace(long.Body, `"max_tokens": 8`, `"max_tokens": 100000, "ignore_eos": true`, 1)
	ended := make(chan struct{})
	go func() { defer close(ended); c.do(c.t.Context(), long, false) }()
	c.eventually("an engine writes", func() bool { e := c.engineOf(local); return e.State == engine.Ready && e.InFlight == 1 })
	for _, pid := range c.children() {
		if err := syscall.Kill(int(pid), syscall.SIGABRT); err != nil {
			c.t.Error(err)
		}
	}
	<-ended
	c.everywhere("after an engine's crash")
}

// deleteAll deletes the audit. What it says of a request is in the database until then, which shows that
// it is searched, and after that not even in pages that are free.
func (c *watch) deleteAll() {
	c.t.Helper()
	deleted := canary.New()
	c.do(c.t.Context(), canary.Ask{Method: "POST", Path: "/v1/chat/completions", Body: "{}", Header: map[string]string{"X-Request-Id": deleted.Word("id")}}, false)
	database := func() []string {
		var places []canary.Place
		for _, suffix := range []string{"", "-wal"} {
			text, err := os.ReadFile(c.paths.Database + suffix)
			if err != nil && !os.IsNotExist(err) {
				c.t.Fatal(err)
			}
			places = append(places, canary.Place{Name: "mlxbar.db" + suffix, Text: text})
		}
		return deleted.Search(places...)
	}
	c.eventually("the request is in the database", func() bool { return len(database()) > 0 })
	if status, answer := c.do(c.t.Context(), canary.Ask{Method: "DELETE", Path: "/api/audit"}, true); status != http.StatusOK {
		c.t.Errorf("deleting the audit: %d %s", status, answer)
	}
	c.eventually("it is gone for good, free pages and write-ahead log included", func() bool { return len(database()) == 0 })
}

// received makes sure that there was something to search: that the server tells of itself.
func (c *watch) received() {
	c.t.Helper()
	if faults := c.to.Faults(); len(faults) > 0 {
		c.t.Errorf("the collector was sent what is no OTLP: %q", faults)
	}
	if spans, metrics, lines := len(c.to.Spans("")), len(c.to.Metrics()), len(c.to.Lines()); spans < 100 || metrics < 5 || lines < 20 {
		c.t.Errorf("the collector got %d spans, %d instruments and %d lines: too little to be looked at", spans, metrics, lines)
	}
}
