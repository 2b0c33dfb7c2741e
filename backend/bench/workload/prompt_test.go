package workload

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func TestPrompts(t *testing.T) {
	last := 0
	for _, name := range Names {
		p, err := FindPrompt(name)
		if err != nil || p.Name != name || !strings.HasSuffix(p.text, question) || p.About().Characters <= 3*last {
			t.Errorf("%s: %d characters after %d, %v", name, p.About().Characters, last, err)
		}
		last = p.About().Characters
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if p, err := FindPrompt(write("my prompt.txt", "Größe?")); err != nil || p.Name != "my prompt.txt" || p.About().Characters != 6 {
		t.Errorf("%+v, %v", p, err)
	}
	for _, c := range []struct{ path, says string }{
		{filepath.Join(dir, "none.txt"), "no such file"},
		{"", "no such file"},
		{dir, "no file"},
		{write("empty.txt", " \n"), "empty"},
		{write("image.txt", "\xff\xd8\xff"), "UTF-8"},
		{write("huge.txt", strings.Repeat("x", maxPrompt+1)), "8 MiB"},
	} {
		if _, err := FindPrompt(c.path); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.path, err, c.says)
		}
	}
}

func TestBody(t *testing.T) {
	s := Spec{Prompt: Prompt{text: `say "hi"`}}
	for _, c := range []struct {
		name  string
		spec  Spec
		plan  Plan
		paths map[string]string // "" for absent
	}{
		{"streamed", s, Plan{MaxTokens: 7, Stream: true}, map[string]string{"model": "m", "stream": "true", "stream_options.include_usage": "true", "max_tokens": "7", "temperature": "0",
			"ignore_eos": "", "max_completion_tokens": "", "messages.0.content": "1-x.\n\nsay \"hi\""}},
		{"in one piece", s, Plan{MaxTokens: 7}, map[string]string{"stream": "false", "stream_options": ""}},
		{"local", Spec{IgnoreEOS: true}, Plan{MaxTokens: 7}, map[string]string{"ignore_eos": "true", "max_tokens": "7"}},
		{"OpenAI's own", Spec{Strict: true}, Plan{MaxTokens: 7}, map[string]string{"max_completion_tokens": "7", "max_tokens": "", "temperature": "", "ignore_eos": ""}},
	} {
		body := c.spec.body(c.plan, "m", "1-x.")
		for path, want := range c.paths {
			if got := gjson.Get(body, path).String(); got != want {
				t.Errorf("%s: %s is %q, want %q", c.name, path, got, want)
			}
		}
	}
	if got := gjson.Get(s.body(Plan{}, "m", ""), "messages.0.content").String(); got != `say "hi"` {
		t.Errorf("without a mark: %q", got)
	}
}

func TestModelHash(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "models"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "models", "Small.GGUF"), []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The test vector of FIPS 180-2.
	if got := ModelHash(t.Context(), dir, "small"); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("%q", got)
	}
	for _, c := range []struct{ dir, model string }{{dir, "none"}, {"", "small"}, {filepath.Join(dir, "none"), "small"}} {
		if got := ModelHash(t.Context(), c.dir, c.model); got != "" {
			t.Errorf("%v: %q", c, got)
		}
	}
}
