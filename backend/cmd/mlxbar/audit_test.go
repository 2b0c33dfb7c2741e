package main

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mlxbar/backend/audit"
	"mlxbar/backend/testkit"
)

// exported is what `mlxbar audit export` gives, with further flags.
func (h *house) exported(flags ...string) (records []audit.Record) {
	h.t.Helper()
	for line := range strings.Lines(h.good(append([]string{"audit", "export", "--format", "jsonl"}, flags...)...)) {
		var r audit.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			h.t.Fatalf("%v in %q", err, line)
		}
		records = append(records, r)
	}
	return records
}

// named gives the models of the records, in order.
func named(records []audit.Record) string {
	var all []string
	for _, r := range records {
		all = append(all, r.Model)
	}
	return strings.Join(all, " ")
}

func TestExportWithTheServerRunningAndStopped(t *testing.T) {
	h := newHouse(t)
	h.provider(testkit.NewUpstream(t).URL)
	p := h.serve()
	for _, model := range []string{"ok", "status-500", "ok-3"} {
		resp := p.ask(model, false)
		io.Copy(io.Discard, resp.Body)
		// What has just been answered is in the export.
		if got := named(h.exported()); !strings.HasSuffix(got, model) {
			t.Fatalf("the export holds %q, without %s", got, model)
		}
	}
	t.Run("running", h.everyExport)
	p.signal(syscall.SIGTERM)
	p.ends()
	t.Run("stopped", h.everyExport)
}

// everyExport holds exports of three records to what was asked of them.
func (h *house) everyExport(t *testing.T) {
	outer := h.t
	h.t = t
	defer func() { h.t = outer }()
	for flags, want := range map[string]string{
		"":                                    "ok status-500 ok-3",
		"--model ok":                          "ok",
		"--status success":                    "ok ok-3",
		"--status error":                      "status-500",
		"--backend OPENAI":                    "ok status-500 ok-3",
		"--backend LOCAL":                     "",
		"--endpoint /v1/embeddings":           "",
		"--from 2020-01-01T00:00:00Z":         "ok status-500 ok-3",
		"--to 2020-01-01T00:00:00+01:00":      "",
		"--status success --model status-500": "",
	} {
		if got := named(h.exported(strings.Fields(flags)...)); got != want {
			t.Errorf("export %s: %q, want %q", flags, got, want)
		}
	}
	for _, flags := range [][]string{nil, {"--format", "csv"}, {"--format", "CSV"}} {
		rows, err := csv.NewReader(strings.NewReader(h.good(append([]string{"audit", "export"}, flags...)...))).ReadAll()
		if err != nil || len(rows) != 4 {
			t.Errorf("export %v: %v, %v", flags, rows, err)
		}
	}
	h.exportToAFile()
}

func (h *house) exportToAFile() {
	t := h.t
	dir := t.TempDir()
	dest := filepath.Join(dir, "my audit.csv")
	if err := os.WriteFile(dest, []byte("an older one"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := h.mlxbar("audit", "export", "--output", dest)
	if o.code != 0 || o.stdout != "" || o.stderr != "3 records written to "+dest+"\n" {
		t.Errorf("export to a file: %+v", o)
	}
	raw, err := os.ReadFile(dest)
	if err != nil {
		t.Fatal(err)
	}
	if want := h.good("audit", "export"); string(raw) != want {
		t.Errorf("the file holds %s, want %s", raw, want)
	}
	if info, err := os.Stat(dest); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("beside it lie %v, %v", entries, err)
	}
	h.refused([]string{"audit", "export", "-o", filepath.Join(dir, "no", "such", "folder.csv")}, "folder.csv", "no such file or directory")
}

func TestExportSaysWhatIsWrongInASentence(t *testing.T) {
	h := newHouse(t)
	h.refused([]string{"audit", "export"}, "no audit", h.paths.Root, "mlxbar serve", "--data-dir")
	if _, err := os.Stat(h.paths.Root); !os.IsNotExist(err) {
		t.Errorf("export made a data folder: %v", err)
	}
	for _, c := range []struct{ flag, value, says string }{
		{"--format", "xlsx", "csv or jsonl"},
		{"--format", "", "csv or jsonl"},
		{"--backend", "local", "LOCAL, OPENAI, ANTHROPIC"},
		{"--status", "failed", "interrupted"},
		{"--endpoint", "chat", "/v1/chat/completions"},
		{"--from", "yesterday", "RFC 3339"},
		{"--to", "2026-02-30T00:00:00Z", "RFC 3339"},
	} {
		h.refused([]string{"audit", "export", c.flag, c.value}, c.flag+` "`+c.value+`"`, c.says)
	}
	h.refused([]string{"audit", "export", "--from", "2026-02-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"}, "--to", "later than from")
	h.refused([]string{"audit", "export", "--limit", "5"}, "--limit")
	h.refused([]string{"audit", "export", "file.csv"}, "file.csv")
	if err := h.paths.EnsureDirs(); err != nil {
		t.Fatal(err)
	}
	h.write(h.paths.Database, "this is a text, not a database")
	h.refused([]string{"audit", "export"}, "mlxbar.db", "not an mlxbar database")
}
