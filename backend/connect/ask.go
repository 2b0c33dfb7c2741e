package connect

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/tidwall/sjson"
)

// protocol is one that clients of this server speak.
type protocol int

const (
	chat protocol = iota
	messages
	responses
)

// ask is how a tool asks: what it sends, apart from what a person wrote.
type ask struct {
	protocol protocol
	path     string // with its query
	body     string // a file of asks, streamed and short
	headers  map[string]string
	agent    bool // it offers tools, and is of little use with a model that calls none
}

// The bodies are the tools' own, as they were seen to send them, with other words.
//
//go:embed asks
var askFiles embed.FS

// request makes the tool's request for model, for the server at url. Of a key there is only secret.
func (t Tool) request(ctx context.Context, url, model, secret, version string) (*http.Request, error) {
	body, err := askFiles.ReadFile(path.Join("asks", t.ask.body))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if body, err = sjson.SetBytes(body, "model", model); err != nil {
		return nil, fmt.Errorf("connect: %s: %w", t.ask.body, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+t.ask.path, strings.NewReader(string(body)))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	for name, value := range t.ask.headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", fmt.Sprintf("mlxbar-check/%s (%s)", version, t.ID))
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	return r, nil
}
