package server_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/settings"
	"mlxbar/backend/testkit"
)

func (h *house) settings() settings.Settings {
	h.t.Helper()
	var s settings.Settings
	if err := json.Unmarshal([]byte(h.text(h.request("GET", "/api/settings", ""), 200)), &s); err != nil {
		h.t.Fatal(err)
	}
	return s
}

func TestAPatchHoldsForTheVeryNextRequest(t *testing.T) {
	up := testkit.NewUpstream(t)
	h := newHouse(t, up.URL)
	h.start()
	big := `{"model": "ok", "messages": [{"role": "user", "content": "` + strings.Repeat("x", 2<<20) + `"}]}`
	h.text(h.request("POST", "/v1/chat/completions", big), 200)
	for range 5 { // there and back, each time at once
		h.text(h.request("PATCH", "/api/settings", `{"server": {"max_body_mb": 1}}`), 200)
		h.problem(h.request("POST", "/v1/chat/completions", big), problem.BodyTooLarge)
		h.text(h.request("PATCH", "/api/settings", `{"server": {"max_body_mb": null}}`), 200)
		h.text(h.request("POST", "/v1/chat/completions", big), 200)
	}
	h.text(h.request("PATCH", "/api/settings", `{"routes": [{"model": "other-*", "targets": [{"provider": "far", "model": "ok-3"}]}]}`), 200)
	h.text(h.chat("other-name", false), 200)
	requests := up.Requests()
	if got := requests[len(requests)-1].Model; got != "ok-3" {
		t.Errorf("the new route asked for %q", got)
	}
	h.problem(h.chat("ok", false), problem.ModelNotFound) // no route, so local

	raw, err := os.ReadFile(h.paths.Settings)
	if err != nil {
		t.Fatal(err)
	}
	if onDisk, err := settings.Parse(raw); err != nil || len(onDisk.Routes) != 1 || onDisk.Routes[0].Model != "other-*" {
		t.Errorf("the file holds %s, %v", raw, err)
	}
	if info, err := os.Stat(h.paths.Settings); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
}

func TestAPatchThatIsRefusedNamesTheField(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	before := h.settings()
	d := h.problem(h.request("PATCH", "/api/settings", `{"timeouts": {"chat": "3s"}, "server": {"max_body_mb": 5}}`), problem.InvalidRequest)
	if len(d.Errors) != 1 || d.Errors[0].Location != "timeouts.chat" || !strings.Contains(d.Errors[0].Detail, "1m to 120m") || d.Errors[0].Value != "3s" {
		t.Errorf("the faults are %+v", d.Errors)
	}
	if after := h.settings(); after.Timeouts != before.Timeouts || after.Server.MaxBodyMB != before.Server.MaxBodyMB {
		t.Errorf("settings after a refused patch: %+v", after)
	}
	if s := h.status(); !s.Settings.OK {
		t.Errorf("the file is well, and the status says %+v", s.Settings)
	}
}

func TestAnEditByHandTakesEffect(t *testing.T) {
	first, second := testkit.NewUpstream(t), testkit.NewUpstream(t)
	h := newHouse(t, first.URL)
	h.start()
	live := h.listen("")
	h.writeSettings(settingsFor(second.URL, ""))
	live.until("state", nil) // the pages hear of it
	h.text(h.chat("ok", false), 200)
	if len(first.Requests()) != 0 || len(second.Requests()) != 1 {
		t.Errorf("%d requests went to the old provider, %d to the new one", len(first.Requests()), len(second.Requests()))
	}
}

func TestABadEditByHandIsRefusedAndShown(t *testing.T) {
	up := testkit.NewUpstream(t)
	h := newHouse(t, up.URL)
	h.writeSettings(settingsFor(up.URL, `"timeouts": {"chat": "20m"},`))
	h.start()
	live := h.listen("")
	bad := `{"timeouts": {"chat": "3s"}}`
	h.writeSettings(bad)
	told := live.until("state", func(data string) bool { return strings.Contains(data, `"settings":{"ok":false`) })
	if s := h.status(); s.Settings.OK || !strings.Contains(s.Settings.Problem, "timeouts.chat") || !strings.Contains(s.Settings.Problem, "1m to 120m") {
		t.Errorf("the status says %+v", s.Settings)
	}
	if !strings.Contains(told.data, "timeouts.chat") {
		t.Errorf("listeners hear %s", told.data)
	}
	if got := h.settings(); got.Timeouts.Chat.String() != "20m" || len(got.Providers) != 1 {
		t.Errorf("in force is %+v", got)
	}
	h.text(h.chat("ok", false), 200)
	if raw, err := os.ReadFile(h.paths.Settings); err != nil || string(raw) != bad {
		t.Errorf("the person's file is now %s, %v", raw, err)
	}
	h.writeSettings(settingsFor(up.URL, `"timeouts": {"chat": "25m"},`))
	live.until("state", func(data string) bool { return strings.Contains(data, `"settings":{"ok":true`) })
	if got := h.settings(); got.Timeouts.Chat.String() != "25m" {
		t.Errorf("in force is %+v", got)
	}
}

// People link to a settings.json of their own, in a folder that may go, as one on
// another disk does.
func TestSettingsThatAreNoLongerWatchedAreShown(t *testing.T) {
	up := testkit.NewUpstream(t)
	h := newHouse(t, up.URL)
	disk := filepath.Join(t.TempDir(), "a disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(h.paths.Settings, filepath.Join(disk, "mine.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(disk, "mine.json"), h.paths.Settings); err != nil {
		t.Fatal(err)
	}
	h.start()
	live := h.listen("")
	if err := os.Rename(disk, disk+" away"); err != nil {
		t.Fatal(err)
	}
	const sentence = "Edits of settings.json by hand take no effect at present"
	live.until("state", func(data string) bool { return strings.Contains(data, `"settings":{"ok":false,"problem":"`+sentence) })
	if s := h.status(); s.Settings.OK || !strings.HasPrefix(s.Settings.Problem, sentence) {
		t.Errorf("the status says %+v", s.Settings)
	}
	h.text(h.chat("ok", false), 200)
	if err := os.Rename(disk+" away", disk); err != nil {
		t.Fatal(err)
	}
	live.until("state", func(data string) bool { return strings.Contains(data, `"settings":{"ok":true`) })
	h.write(h.paths.Settings, settingsFor(up.URL, `"timeouts": {"chat": "25m"},`)) // through the link
	eventually(t, "an edit takes effect again", func() bool { return h.settings().Timeouts.Chat.String() == "25m" })
	if !strings.Contains(h.log.String(), "settings.json is not watched") {
		t.Error("the log does not tell of it")
	}
}
