package connect_test

import (
	"encoding/json"
	"flag"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlxbar/backend/connect"
)

var update = flag.Bool("update", false, "write the golden files anew")

const home = "http://127.0.0.1:10242"

// targets are what the golden files are filled in with.
var targets = map[string]connect.Target{
	"plain": {URL: home, Model: "qwen3-8b", Context: 40960},
	"key":   {URL: home, Model: "qwen3-8b", Context: 40960, Key: true},
}

func TestSnippets(t *testing.T) {
	for name, to := range targets {
		for _, tool := range connect.Tools() {
			t.Run(name+"/"+tool.ID, func(t *testing.T) {
				snippets, err := tool.Snippets(to)
				if err != nil {
					t.Fatal(err)
				}
				var b strings.Builder
				for _, s := range snippets {
					b.WriteString("== " + s.Title + " | " + s.Where + " | " + s.Language + "\n" + s.Text)
				}
				file := filepath.Join("testdata", name, tool.ID+".txt")
				if *update {
					if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), b.String()); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestEveryToolSaysWhatAPersonNeeds(t *testing.T) {
	seen := map[string]bool{}
	for _, tool := range connect.Tools() {
		if seen[tool.ID] || tool.Name == "" || tool.Version == "" || !strings.HasPrefix(tool.Docs, "https://") {
			t.Errorf("%+v", tool)
		}
		seen[tool.ID] = true
		for name, to := range targets {
			snippets, err := tool.Snippets(to)
			if err != nil || len(snippets) == 0 {
				t.Fatalf("%s, %s: %v, %v", tool.ID, name, snippets, err)
			}
			all := ""
			for _, s := range snippets {
				all += s.Text
				if s.Title == "" || s.Where == "" || s.Language == "" {
					t.Errorf("%s: %+v", tool.ID, s)
				}
			}
			if !strings.Contains(all, home) || !strings.Contains(all, to.Model) {
				t.Errorf("%s, %s does not name the address and the model:\n%s", tool.ID, name, all)
			}
			if strings.Contains(all, connect.KeyVariable) != to.Key && tool.ID != "cursor" {
				t.Errorf("%s, %s: the key's variable is there or not there, and should not be so:\n%s", tool.ID, name, all)
			}
		}
	}
	if without, err := connect.Tools()[0].Snippets(connect.Target{URL: home}); err != nil || !strings.Contains(without[0].Text, connect.UnknownModel) {
		t.Errorf("without a model: %v, %v", without, err)
	}
}

// A model is named after a file, which may be called anything.
func TestAnyNameIsQuoted(t *testing.T) {
	const name = `it's a "model" $(touch x) ` + "`y`" + ` \n <ü&> ${Z} #`
	for _, tool := range connect.Tools() {
		for _, key := range []bool{false, true} {
			snippets, err := tool.Snippets(connect.Target{URL: home, Model: name, Key: key})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range snippets {
				if strings.Contains(s.Text, "sk-mlxbar-...") { // names no model
					continue
				}
				holds(t, tool.ID, s, name)
			}
		}
	}
}

// holds reads a snippet as the one who is to read it does.
func holds(t *testing.T, tool string, s connect.Snippet, name string) {
	t.Helper()
	quoted, _ := strings.CutSuffix(jsonOf(t, name), "\n")
	switch s.Language {
	case "json":
		if !json.Valid([]byte(s.Text)) || !strings.Contains(s.Text, strings.Trim(quoted, `"`)) {
			t.Errorf("%s: no JSON, or not the name:\n%s", tool, s.Text)
		}
	case "go":
		if _, err := parser.ParseFile(token.NewFileSet(), "main.go", s.Text, parser.AllErrors); err != nil || !strings.Contains(s.Text, quoted) {
			t.Errorf("%s: %v in\n%s", tool, err, s.Text)
		}
	case "shell":
		for _, said := range spoken(t, s.Text) {
			if strings.Contains(said, name) || strings.Contains(said, quoted) {
				return
			}
		}
		t.Errorf("%s: a shell makes %q of\n%s", tool, spoken(t, s.Text), s.Text)
	case "toml", "yaml", "python", "javascript":
		if !strings.Contains(s.Text, quoted) {
			t.Errorf("%s: the name is not quoted:\n%s", tool, s.Text)
		}
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// spoken is what the programs of a snippet are given by a real shell, and what it sets.
func spoken(t *testing.T, text string) []string {
	t.Helper()
	stand := "for p in claude aider curl; do eval \"$p() { printf '%s\\n' \\\"\\$@\\\"; [ $p = curl ] && cat; true; }\"; done\n"
	cmd := exec.Command("sh", "-c", stand+text+"printf '%s\\n' \"$ANTHROPIC_MODEL\"")
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%v in\n%s", err, text)
	}
	if made, err := os.ReadDir(cmd.Dir); err != nil || len(made) > 0 {
		t.Errorf("the shell ran what was in the name: %v, %v", made, err)
	}
	return strings.Split(string(out), "\n")
}
