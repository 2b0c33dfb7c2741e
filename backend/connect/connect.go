// Package connect tells how the tools that people use are pointed at this server, and asks the
// server as each of them does, to say whether that works. One table (Tools) holds both: the page and
// the command line show the same text.
package connect

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"text/template"
)

// KeyVariable is the variable of the environment that snippets take an API key from.
const KeyVariable = "MLXBAR_API_KEY"

// UnknownModel stands in snippets while there is no model to name.
const UnknownModel = "MODEL"

// defaultContext is said to tools that must be told how much a model takes in, where nobody knows.
const defaultContext = 32768

// Target is what snippets are filled in with.
type Target struct {
	URL     string // http://HOST:PORT
	Model   string
	Context int  // tokens that the model takes in, 0 where that is not known
	Key     bool // requests need an API key
}

// Snippet is one thing to do for a tool.
type Snippet struct {
	Title    string `json:"title"`
	Where    string `json:"where" doc:"The file that it belongs into, or where to run it."`
	Language string `json:"language" enum:"shell,json,toml,yaml,python,javascript,go,text"`
	Text     string `json:"text"`
}

//go:embed snippets
var snippetFiles embed.FS

var snippetTemplates = template.Must(template.New("").Funcs(template.FuncMap{"q": quote, "sh": shell}).ParseFS(snippetFiles, "snippets/*"))

// Snippets fills in what there is to do for a tool.
func (t Tool) Snippets(to Target) ([]Snippet, error) {
	if to.Model == "" {
		to.Model = UnknownModel
	}
	if to.Context == 0 {
		to.Context = defaultContext
	}
	out := make([]Snippet, 0, len(t.parts))
	for _, p := range t.parts {
		if p.onlyWithKey && !to.Key {
			continue
		}
		var text bytes.Buffer
		if err := snippetTemplates.ExecuteTemplate(&text, p.file, to); err != nil {
			return nil, fmt.Errorf("connect: snippet %s: %w", p.file, err)
		}
		out = append(out, Snippet{Title: p.title, Where: p.where, Language: p.language, Text: strings.TrimSpace(text.String()) + "\n"})
	}
	return out, nil
}

// Base is where OpenAI's protocol is spoken.
func (t Target) Base() string { return t.URL + "/v1" }

// Output is how much a tool may ask for at once, where it must be told.
func (t Target) Output() int { return max(t.Context/4, 1) }

// quote writes s as a string of JSON, which is one of TOML, YAML, Python, JavaScript and Go too.
func quote(s string) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(s)
	return strings.TrimSpace(b.String()), err
}

var harmless = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// shell writes s as one word of a shell.
func shell(s string) string {
	if harmless.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
