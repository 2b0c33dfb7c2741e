package tray

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlxbar/backend/desktop"
)

func TestMenu(t *testing.T) {
	server := desktop.Server{Addr: "127.0.0.1:10242", URL: "http://127.0.0.1:10242"}
	for _, tc := range []struct {
		name  string
		state State
		want  string // the visible lines; (…) is one that cannot be clicked
	}{
		{"stopped", State{Server: desktop.State{Phase: desktop.Stopped}},
			"(Stopped) | — | Start | Open mlxbar | (Copy Address) | — | Quit"},
		{"starting", State{Server: desktop.State{Phase: desktop.Starting}},
			"(Starting…) | — | (Start) | Open mlxbar | (Copy Address) | — | Quit"},
		{"running", State{Server: desktop.State{Phase: desktop.Running, Server: server}},
			"(Running · 127.0.0.1:10242) | — | Stop | Open mlxbar | Copy Address | — | Quit"},
		{"a download", State{Server: desktop.State{Phase: desktop.Running, Server: server, Downloading: 1}},
			"(Running · 127.0.0.1:10242 · downloading a model) | — | Stop | Open mlxbar | Copy Address | — | Quit"},
		{"two downloads", State{Server: desktop.State{Phase: desktop.Running, Server: server, Downloading: 2}},
			"(Running · 127.0.0.1:10242 · downloading 2 models) | — | Stop | Open mlxbar | Copy Address | — | Quit"},
		{"a model that fails", State{Server: desktop.State{Phase: desktop.Running, Server: server, Downloading: 1, Failing: 1}},
			"(Running · 127.0.0.1:10242 · a model has failed · downloading a model) | — | Stop | Open mlxbar | Copy Address | — | Quit"},
		{"two models that fail", State{Server: desktop.State{Phase: desktop.Running, Server: server, Failing: 2}},
			"(Running · 127.0.0.1:10242 · 2 models have failed) | — | Stop | Open mlxbar | Copy Address | — | Quit"},
		{"running after a crash", State{Server: desktop.State{Phase: desktop.Running, Server: server}, Note: "Restarted at 14:02"},
			"(Running · 127.0.0.1:10242) | (Restarted at 14:02) | — | Stop | Open mlxbar | Copy Address | — | Quit"},
		{"stopping", State{Server: desktop.State{Phase: desktop.Stopping, Server: server}},
			"(Stopping, finishing requests…) | — | (Stop) | Open mlxbar | (Copy Address) | — | Quit"},
		{"failed", State{Server: desktop.State{Phase: desktop.Failed}, Note: "Port 10242 is taken."},
			"(Not running) | (Port 10242 is taken.) | — | Start | Open mlxbar | (Copy Address) | — | Quit"},
		{"ending", State{Server: desktop.State{Phase: desktop.Stopping}, Ending: true},
			"(Stopping, finishing requests…) | — | (Stop) | (Open mlxbar) | (Copy Address) | — | (Quit)"},
		{"nothing known yet", State{},
			"(Stopped) | — | Start | Open mlxbar | (Copy Address) | — | Quit"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			items := Menu(tc.state)
			if len(items) != len(Menu(State{})) {
				t.Errorf("%d items: the number must not change", len(items))
			}
			if diff := cmp.Diff(tc.want, visible(items)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMenuShortensALongNote(t *testing.T) {
	items := Menu(State{Note: "A sentence\nof several lines " + strings.Repeat("and words ", 40)})
	note := items[1].Title
	if got := len([]rune(note)); got != maxNote || strings.Contains(note, "\n") || !strings.HasSuffix(note, "…") {
		t.Errorf("%d runes: %q", got, note)
	}
}

func visible(items []Item) string {
	var lines []string
	for _, it := range items {
		switch {
		case it.Invisible:
		case it.Title == "":
			lines = append(lines, "—")
		case it.Enabled:
			lines = append(lines, it.Title)
		default:
			lines = append(lines, "("+it.Title+")")
		}
	}
	return strings.Join(lines, " | ")
}
