package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mlxbar/backend/desktop"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/session"
)

// A native is the window as a person has it: the real programs on a screen of their own, with the
// real engine and the starter model.
type native struct {
	*session.Session
	t    testing.TB
	host *desktop.Host
	bin  string
}

func newNative(t testing.TB) *native {
	t.Helper()
	dir := testkit.Prepared(t)
	// The model is small: now and then it goes on until its context is full.
	if err := os.WriteFile(filepath.Join(dir, "settings.json"), []byte(`{"server":{"addr":"127.0.0.1:0"},"engines":{"llamacpp":{"context_size":512}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &native{Session: session.New(t), t: t, host: desktop.NewHost(dir), bin: filepath.Join(testkit.Root(t), "build", "bin")}
	t.Cleanup(n.host.Close)
	t.Cleanup(func() {
		if t.Failed() {
			n.keep("root", t.Name()+" failed.png")
		}
	})
	for _, program := range []string{"mlxbar", "mlxbar-app", "mlxbar-tray"} {
		if _, err := os.Stat(filepath.Join(n.bin, program)); err != nil {
			t.Fatalf("%v: run make setup", err)
		}
	}
	return n
}

// open starts mlxbar-app and waits until its window shows a server that runs.
func (n *native) open() (app *exec.Cmd, window string) {
	n.t.Helper()
	app = n.app()
	n.Eventually("the window", func() bool { window = n.window("^mlxbar$"); return window != "" })
	n.Eventually("the page in the window", func() bool {
		shot := n.shot(window)
		return shot != nil && near(shot.At(20, 25), ok) && near(shot.At(10, 400), side)
	})
	return app, window
}

// quit closes the window and holds the program to an end in order.
func (n *native) quit(app *exec.Cmd, window string) {
	n.t.Helper()
	if err := n.Quit(window); err != nil {
		n.t.Fatal(err)
	}
	if err := app.Wait(); err != nil {
		n.t.Errorf("the closed window's program ended with %v", err)
	}
}

// Tokens of the pages: the dot of a server that runs, what stands around it, and a panel.
var (
	ok    = color.RGBA{0x1a, 0x74, 0x44, 0xff}
	side  = color.RGBA{0xec, 0xec, 0xea, 0xff}
	panel = color.RGBA{0xff, 0xff, 0xff, 0xff}
)

func near(is color.Color, want color.RGBA) bool {
	r, g, b, _ := is.RGBA()
	for i, v := range []uint32{r, g, b} {
		if d := int(v>>8) - int([]uint8{want.R, want.G, want.B}[i]); d < -8 || d > 8 {
			return false
		}
	}
	return true
}

// window gives the visible window of that name, "" if there is none.
func (n *native) window(name string) string {
	found, err := n.Run("xdotool", "search", "--onlyvisible", "--name", name)
	if err != nil { // so it says that there is none
		return ""
	}
	return strings.Fields(found)[0]
}

// shot is a picture of the window, nil if it cannot be taken just now.
func (n *native) shot(window string) image.Image {
	out, err := n.Command("import", "-window", window, "png:-").Output()
	if err != nil {
		return nil
	}
	shot, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		return nil
	}
	return shot
}

// keep puts a picture of the window among the artefacts.
func (n *native) keep(window, name string) {
	n.t.Helper()
	if err := n.Picture(window, filepath.Join(testkit.Root(n.t), "build", "artifacts", "window", name)); err != nil {
		n.t.Error(err)
	}
}

// press lets xdotool do what a hand does.
func (n *native) press(args ...string) {
	n.t.Helper()
	if _, err := n.Run("xdotool", args...); err != nil {
		n.t.Fatal(err)
	}
}

// end ends the programs of that name.
func (n *native) end(program string) {
	n.t.Helper()
	for _, p := range n.Programs(program) {
		if err := p.Terminate(); err != nil {
			n.t.Fatal(err)
		}
	}
	n.Eventually("the end of "+program, func() bool { return len(n.Programs(program)) == 0 })
}

// newest is the last record of the audit, as the server tells it.
func (n *native) newest() (record struct {
	Status, Client, Endpoint string
}) {
	n.t.Helper()
	server, err := n.host.Find(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	token, err := os.ReadFile(n.host.Paths.AdminToken)
	if err != nil {
		n.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, server.URL+"/api/audit?limit=1", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	var page struct{ Records []json.RawMessage }
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		n.t.Fatal(err)
	}
	if len(page.Records) > 0 {
		if err := json.Unmarshal(page.Records[0], &record); err != nil {
			n.t.Fatal(err)
		}
	}
	return record
}

// ask types a question into the page, waits until an answer has begun to come, and stops it: the
// starter model may go on for long.
func (n *native) ask(window, question string) {
	n.t.Helper()
	n.press("windowfocus", "--sync", window, "mousemove", "--window", window, "400", "150", "click", "1")
	n.press("type", "--delay", "15", question)
	n.press("key", "Return")
	n.Eventually("the record of a question asked in the window", func() bool {
		return strings.HasPrefix(n.newest().Client, "mlxbar-app")
	})
	n.Eventually("an answer in the window", func() bool { // whose measures then stand below it
		shot := n.shot(window)
		for x := 245; shot != nil && x < 400; x++ {
			if !near(shot.At(x, 322), panel) {
				return true
			}
		}
		return false
	})
	n.press("key", "Escape")
	n.Eventually("the end of the request", func() bool { return n.newest().Status != "running" })
}

func TestWindowShowsAsksAndCloses(t *testing.T) {
	n := newNative(t)
	app, window := n.open()
	shot := n.shot(window)
	if colours := colours(shot); colours < 40 {
		t.Errorf("the window has %d colours: no page was drawn", colours)
	}
	n.keep(window, "open.png")

	n.ask(window, "What is the capital of France?")
	record := n.newest()
	if record.Endpoint != "/v1/chat/completions" || record.Status != "success" && record.Status != "cancelled" {
		t.Errorf("the audit has %+v", record)
	}
	n.Eventually("the answer to be drawn", func() bool {
		now := n.shot(window)
		return now != nil && fmt.Sprint(now) != fmt.Sprint(shot)
	})
	n.keep(window, "answered.png")

	server, err := n.host.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n.quit(app, window)
	n.Eventually("WebKit's own programs to end", func() bool { return len(n.Programs("WebKitWebProcess")) == 0 })
	if again, err := n.host.Find(t.Context()); err != nil || again.PID != server.PID {
		t.Errorf("after the window closed: server %+v, %v; want process %d to run on", again, err, server.PID)
	}
	if trays := len(n.Programs("mlxbar-tray")); trays != 1 {
		t.Errorf("after the window closed there are %d trays, want 1", trays)
	}

	app, window = n.open() // again
	if trays, servers := len(n.Programs("mlxbar-tray")), len(n.Programs("mlxbar")); trays != 1 || servers != 1 {
		t.Errorf("the second window brought %d trays and %d servers", trays, servers)
	}
	if err := app.Process.Kill(); err != nil { // and a crash of it takes nobody with it
		t.Fatal(err)
	}
	app.Wait()
	if again, err := n.host.Find(t.Context()); err != nil || again.PID != server.PID {
		t.Errorf("after the window was killed: server %+v, %v", again, err)
	}
	n.open()
}

func colours(shot image.Image) int {
	seen := map[color.Color]bool{}
	for y := shot.Bounds().Min.Y; y < shot.Bounds().Max.Y; y++ {
		for x := shot.Bounds().Min.X; x < shot.Bounds().Max.X; x++ {
			seen[shot.At(x, y)] = true
		}
	}
	return len(seen)
}

func TestSecondStartRaisesTheFirst(t *testing.T) {
	n := newNative(t)
	first, window := n.open()
	n.press("windowunmap", "--sync", window)
	second := n.Command(filepath.Join(n.bin, "mlxbar-app"), "--data-dir", n.host.Paths.Root)
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	second.Wait() // its code is Wails' own affair
	n.Eventually("the first window to be shown again", func() bool { return n.window("^mlxbar$") == window })
	if err := first.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the first is gone: %v", err)
	}
	if apps := len(n.Programs("mlxbar-app")); apps != 1 {
		t.Errorf("%d windows' programs run, want 1", apps)
	}
}

// saving is the name of the dialog that asks where to save an export.
const saving = "^Export audit$"

// saveAs has press ask for an export and types a name into the system's dialog, as far as they are there
// to be used: the page may be busy, and the dialog slow to take keys. A next try goes on from there.
func (n *native) saveAs(file string, press func()) {
	n.t.Helper()
	dialog := n.window(saving)
	if dialog == "" {
		press()
		for range 150 { // whoever asked again too soon would find a second dialog when it is over
			if dialog = n.window(saving); dialog != "" {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	if dialog == "" {
		return
	}
	for _, keys := range [][]string{
		{"windowfocus", dialog}, {"key", "ctrl+a"}, {"type", "--delay", "15", file}, {"key", "Return"},
	} {
		if _, err := n.Run("xdotool", keys...); err != nil { // it may just have closed
			return
		}
	}
	for range 60 {
		if n.window(saving) == "" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	n.keep(dialog, "dialog.png")
}

func TestExportThroughTheSaveDialog(t *testing.T) {
	n := newNative(t)
	reader := n.Reader()
	_, window := n.open()
	server, err := n.host.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(server.URL+"/v1/embeddings", "application/json", strings.NewReader(`{"model":"smollm2-135m-instruct","input":"Hello"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for _, c := range []struct{ button, extension, begins string }{
		{"Export CSV", ".csv", "id,"},
		{"Export JSONL", ".jsonl", "{"},
	} {
		file := filepath.Join(t.TempDir(), "saved"+c.extension)
		var saved []byte
		n.Eventually("the saved file", func() bool {
			n.saveAs(file, func() { n.choose(reader, window, c.button, saving) })
			var err error
			saved, err = os.ReadFile(file)
			return err == nil
		})
		if !strings.HasPrefix(string(saved), c.begins) || !strings.Contains(string(saved), "/v1/embeddings") {
			t.Errorf("%s holds %.200q", filepath.Base(file), saved)
		}
	}
	n.keep(window, "exported.png")
}
