package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"mlxbar/backend/bench/results"
)

// Prompt is what is asked.
type Prompt struct {
	Name string // short, medium, long or a file's name
	text string
}

// About describes p without its words.
func (p Prompt) About() results.Prompt {
	return results.Prompt{Name: p.Name, Characters: utf8.RuneCountInString(p.text)}
}

// paragraphs is how often longer prompts tell their story; one is about 55 tokens.
var paragraphs = map[string]int{"short": 0, "medium": 8, "long": 32}

// Names of the prompts that are built in.
var Names = []string{"short", "medium", "long"}

const (
	question = "Write a long story about a lighthouse keeper."
	story    = "Night %d. The keeper climbed the stairs, cleaned the lens and lit the lamp; then he wrote the weather into the book, " +
		"counted the ships that passed from north to south, and waited for the morning while the sea struck the rocks below."
)

// maxPrompt is more than any context holds.
const maxPrompt = 8 << 20

// FindPrompt gives the prompt of that name, or the one in that file.
func FindPrompt(name string) (Prompt, error) {
	if n, ok := paragraphs[name]; ok {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, story+"\n\n", i+1)
		}
		b.WriteString(question)
		return Prompt{Name: name, text: b.String()}, nil
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return Prompt{}, fmt.Errorf("is none of %s, and there is no such file", strings.Join(Names, ", "))
	case err != nil:
		return Prompt{}, err
	case !info.Mode().IsRegular():
		return Prompt{}, errors.New("is no file")
	case info.Size() > maxPrompt:
		return Prompt{}, errors.New("is a file of more than 8 MiB, which no model takes")
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return Prompt{}, err
	}
	if !utf8.Valid(raw) {
		return Prompt{}, errors.New("is a file that holds no UTF-8 text")
	}
	if strings.TrimSpace(string(raw)) == "" {
		return Prompt{}, errors.New("is an empty file")
	}
	return Prompt{Name: filepath.Base(name), text: string(raw)}, nil
}

// body is the request. The mark, if any, begins the prompt and makes it one that no cache knows.
func (s Spec) body(p Plan, model, mark string) string {
	content := s.Prompt.text
	if mark != "" {
		content = mark + "\n\n" + content
	}
	request := map[string]any{
		"model": model, "stream": p.Stream,
		"messages": []any{map[string]any{"role": "user", "content": content}},
	}
	if s.Strict {
		request["max_completion_tokens"] = p.MaxTokens
	} else {
		request["max_tokens"], request["temperature"] = p.MaxTokens, 0
	}
	if p.Stream {
		request["stream_options"] = map[string]any{"include_usage": true}
	}
	if s.IgnoreEOS {
		request["ignore_eos"] = true
	}
	raw, err := json.Marshal(request)
	if err != nil {
		panic(fmt.Sprintf("workload: %v", err)) // strings and numbers only
	}
	return string(raw)
}
