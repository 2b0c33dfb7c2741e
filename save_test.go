package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wailsapp/wails/v2/pkg/runtime"
)

func TestWhatThePageMadeIsSavedWhereThePersonSays(t *testing.T) {
	folder := t.TempDir()
	dest := filepath.Join(folder, "chart.png")
	if err := os.WriteFile(dest, []byte("an older one"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("\x89PNG\r\n\x1a\n\x00\xff"), 100_000)
	var asked runtime.SaveDialogOptions
	app := exporter(t, func(o runtime.SaveDialogOptions) (string, error) {
		asked = o
		return dest, nil
	})
	path, err := app.SaveFile("mlxbar-throughput-2026-01-02.png", base64.StdEncoding.EncodeToString(want))
	if err != nil || path != dest {
		t.Fatalf("it says %q, %v", path, err)
	}
	if got, err := os.ReadFile(dest); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file has %d bytes, %v; want %d", len(got), err, len(want))
	}
	if asked.DefaultFilename != "mlxbar-throughput-2026-01-02.png" || asked.Filters[0].Pattern != "*.png" {
		t.Errorf("the dialog was asked for %+v", asked)
	}
	if entries, _ := os.ReadDir(folder); len(entries) != 1 {
		t.Errorf("beside the file there is %v", entries)
	}
}

func TestSavingSaysWhyItWroteNothing(t *testing.T) {
	good := base64.StdEncoding.EncodeToString([]byte("a,b\r\n"))
	for _, c := range []struct {
		name, file, content string
		dest                string
		dialog              error
		want                string // "" is no error
	}{
		{name: "the person thought better of it", file: "a.csv", content: good},
		{name: "a folder in the name", file: "../a.csv", content: good, want: "plain one"},
		{name: "a hidden file", file: ".csv", content: good, want: "plain one"},
		{name: "the person thought better of a conversation", file: "mlxbar-chat-2026-01-02-0304.md", content: good},
		{name: "another kind", file: "a.sh", content: good, want: "plain one"},
		{name: "not base64", file: "a.csv", content: "%%", want: "read what the page made"},
		{name: "too large", file: "a.csv", content: strings.Repeat("A", (maxSaved/3+2)*4), want: "64 MiB"},
		{name: "no dialog", file: "a.csv", content: good, dialog: errors.New("no screen"), want: "ask where to save: no screen"},
		{name: "no such folder", file: "a.csv", content: good, dest: filepath.Join(t.TempDir(), "gone", "a.csv"), want: "save a.csv"},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := false
			app := exporter(t, func(runtime.SaveDialogOptions) (string, error) {
				asked = true
				return c.dest, c.dialog
			})
			path, err := app.SaveFile(c.file, c.content)
			if path != "" || c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("it says %q, %v; want an error that says %q", path, err, c.want)
			}
			if early := c.want == "plain one" || strings.HasPrefix(c.want, "read") || c.want == "64 MiB"; early && asked {
				t.Error("the person was asked in vain")
			}
		})
	}
}
