package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/desktop"
)

// drafting is the facade of one window after the other over the same data folder.
func drafting(t *testing.T) func() *App {
	t.Helper()
	host := desktop.NewHost(filepath.Join(t.TempDir(), "data folder"))
	t.Cleanup(host.Close)
	if err := host.Paths.EnsureDirs(); err != nil {
		t.Fatal(err)
	}
	return func() *App {
		app := newApp(host)
		app.ctx, app.stop = t.Context(), func() {}
		return app
	}
}

func TestWhatIsUnsavedOutlivesTheWindow(t *testing.T) {
	open := drafting(t)
	const unsaved = `{"timeouts":{"chat":"18m"}}`
	for _, step := range []struct {
		name string
		kept []string // what the page says while the window is open
		want string   // what the next one has
	}{
		{"nothing was changed", []string{""}, ""},
		{"something was", []string{"", `{"timeouts":{"chat":"17m"}}`, unsaved}, unsaved},
		{"the page never came to say", nil, unsaved},
		{"it was saved", []string{unsaved, ""}, ""},
		{"and there is nothing to forget", []string{""}, ""},
	} {
		app := open()
		for _, text := range step.kept {
			if err := app.KeepDraft(text); err != nil {
				t.Fatal(err)
			}
		}
		app.shutdown()
		if got, err := open().Draft(); err != nil || got != (Unsaved{Change: step.want}) {
			t.Errorf("%s: then there is %+v, %v; want %q", step.name, got, err, step.want)
		}
	}
}

func TestWhatIsUnsavedIsItsOwnersAlone(t *testing.T) {
	app := drafting(t)()
	if err := app.KeepDraft(strings.Repeat("x", maxDraft+1)); !errors.Is(err, errDraftSize) {
		t.Errorf("what is too large: %v", err)
	}
	if err := app.KeepDraft(`{}`); err != nil {
		t.Fatal(err)
	}
	app.shutdown()
	info, err := os.Stat(app.host.Paths.Draft)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(app.host.Paths.Draft)); len(entries) != 1 {
		t.Errorf("beside it there is %v", entries)
	}
}

func TestWhatMayBeASecretDoesNotLieOnTheDisk(t *testing.T) {
	app := drafting(t)()
	if err := app.KeepDraft(`{"providers":[{"name":"p","api_key_env":"sk-secret"}],"models":{"each":[{"name":"m","arguments":["--api-key","sk-secret","--swa-full"]}]}}`); err != nil {
		t.Fatal(err)
	}
	app.shutdown()
	if raw, err := os.ReadFile(app.host.Paths.Draft); err != nil || strings.Contains(string(raw), "secret") {
		t.Errorf("it holds %s, %v", raw, err)
	}
	want := Unsaved{Change: `{"models":{"each":[{"arguments":["--swa-full"],"name":"m"}]},"providers":[{"api_key_env":"","name":"p"}]}`, LeftOut: true}
	if got, err := app.Draft(); err != nil || got != want {
		t.Errorf("then there is %+v, %v", got, err)
	}
}

func TestWhatIsNoChangeIsRefusedAndWhatWasKeptStays(t *testing.T) {
	app := drafting(t)()
	if err := app.KeepDraft(`{"local_only":true}`); err != nil {
		t.Fatal(err)
	}
	if err := app.KeepDraft(`sk-secret`); err == nil || strings.Contains(err.Error(), "sk-secret") {
		t.Errorf("what is no change: %v", err)
	}
	app.shutdown()
	if got, err := app.Draft(); err != nil || got.Change != `{"local_only":true}` {
		t.Errorf("then there is %+v, %v", got, err)
	}
}

func TestADraftFromBeforeIsReadToo(t *testing.T) {
	app := drafting(t)()
	if err := os.WriteFile(app.host.Paths.Draft, []byte(`{"local_only":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := app.Draft(); err != nil || got != (Unsaved{Change: `{"local_only":true}`}) {
		t.Errorf("it is %+v, %v", got, err)
	}
}

func TestAnUnreadableDraftIsSaid(t *testing.T) {
	for _, spoil := range []func(path string) error{
		func(path string) error { return os.Mkdir(path, 0o700) },
		func(path string) error { return os.WriteFile(path, []byte(`{"change":`), 0o600) },
	} {
		app := drafting(t)()
		if err := spoil(app.host.Paths.Draft); err != nil {
			t.Fatal(err)
		}
		if unsaved, err := app.Draft(); err == nil {
			t.Errorf("it is %+v", unsaved)
		}
	}
}
