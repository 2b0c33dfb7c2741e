package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/canary"
	fakehub "mlxbar/backend/testkit/hub"
)

// gatedRepo is shown to those only who have the Hub's token.
const gatedRepo = "maker/tiny-GGUF"

// hubWithToken is a Hub whose gated repository wants the token.
func hubWithToken(t *testing.T, token string) *fakehub.Server {
	hub := fakehub.New(t)
	hub.Add(gatedRepo, "tiny-Q4_K_M.gguf", []byte(strings.Repeat("weights ", 1024)))
	hub.Gate(gatedRepo, token)
	t.Setenv("HF_ENDPOINT", hub.URL)
	t.Setenv("HF_TOKEN", token)
	return hub
}

// askMLX asks a model of the engine mlx as well: in one piece and streamed at the first endpoint, for on a processor it is slow.
func (c *watch) askMLX() {
	c.t.Helper()
	model := testkit.AddMLX(c.t, c.paths.Models)
	c.eventually("the model of MLX is there", func() bool {
		_, answer := c.do(c.t.Context(), canary.Ask{Method: "GET", Path: "/v1/models"}, false)
		return strings.Contains(answer, model)
	})
	for _, a := range c.words.Asks(model)[:2] {
		if status, answer := c.do(c.t.Context(), a, false); status != http.StatusOK {
			c.t.Errorf("%s of %s: %d %s", a, model, status, answer)
		}
	}
	c.processes("while both engines run")
}

// hear collects what /api/live tells until its stop is called, which searches it.
func (c *watch) hear() (stop func()) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", c.url+"/api/live", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	heard := make(chan string)
	go func() {
		var said strings.Builder
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			fmt.Fprintln(&said, s.Text())
		}
		resp.Body.Close()
		heard <- said.String()
	}()
	return func() {
		cancel()
		said := <-heard
		if events := strings.Count(said, "\ndata:"); events < 50 {
			c.t.Errorf("/api/live told only %d events", events)
		}
		c.search("as it happens", canary.Text("/api/live", said))
	}
}

// operations are those of the admin API, as its own document lists them: a new one is in here by itself.
func (c *watch) operations(each func(method, path string, op gjson.Result)) {
	c.t.Helper()
	status, document := c.do(c.t.Context(), canary.Ask{Method: "GET", Path: "/api/openapi.json"}, true)
	if status != http.StatusOK {
		c.t.Fatalf("/api/openapi.json: %d", status)
	}
	gjson.Get(document, "paths").ForEach(func(path, ops gjson.Result) bool {
		ops.ForEach(func(method, op gjson.Result) bool {
			each(strings.ToUpper(method.Str), path.Str, op)
			return true
		})
		return true
	})
}

var placeholder = regexp.MustCompile(`\{\w+\}`)

// refuseEverything gives every operation that takes a body words that it cannot take, in its address too.
func (c *watch) refuseEverything() {
	c.t.Helper()
	refused := 0
	c.operations(func(method, path string, op gjson.Result) {
		if !op.Get("requestBody").Exists() {
			return
		}
		path = placeholder.ReplaceAllString(path, c.words.Word("path"))
		word := c.words.Word("body")
		for _, body := range []string{`{"` + word + `": ["` + word + `"]}`, `["` + word + `"]`, `{"` + word, `"` + word + `"`} {
			a := canary.Ask{Method: method, Path: path, Body: body, Header: map[string]string{"Content-Type": "application/json"}}
			status, answer := c.do(c.t.Context(), a, true)
			if status < 400 {
				c.t.Errorf("%s takes %s: %d %s", a, body, status, answer)
			}
			refused++
		}
	})
	if refused < 30 {
		c.t.Errorf("only %d requests were refused", refused)
	}
}

// required are the parameters without which an operation tells nothing.
var required = map[string]string{"format": "jsonl", "repo": gatedRepo, "model": local}

// apart are operations that tell more than once, or nothing while nothing runs.
var apart = []string{"/api/live", "/api/benchmarks/job"}

// told are the addresses below /api that tell what is there.
func (c *watch) told() (paths []string) {
	c.t.Helper()
	c.operations(func(method, path string, op gjson.Result) {
		if method != "GET" || placeholder.MatchString(path) || slices.Contains(apart, path) {
			return
		}
		for i, p := range op.Get(`parameters.#(required==true)#.name`).Array() {
			path += map[bool]string{true: "?", false: "&"}[i == 0] + p.Str + "=" + required[p.Str]
		}
		paths = append(paths, path)
	})
	if len(paths) < 20 {
		c.t.Errorf("only %q", paths)
	}
	return paths
}

// fetchModels searches the Hub and downloads from it with a token that then is taken no more.
func (c *watch) fetchModels(hub *fakehub.Server, token string) {
	c.t.Helper()
	for path, want := range map[string]string{"/api/hub/search?q=tiny": gatedRepo, "/api/hub/files?repo=" + gatedRepo: "Q4_K_M", "/api/hub/search?q=" + c.words.Word("search"): `"models"`} {
		if status, answer := c.do(c.t.Context(), canary.Ask{Method: "GET", Path: path}, true); status != http.StatusOK || !strings.Contains(answer, want) {
			c.t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	hub.Fail("tiny-Q4_K_M.gguf", fakehub.Fault{CutAfter: 2000}, fakehub.Fault{CDNStatus: http.StatusForbidden})
	download := canary.Ask{Method: "POST", Path: "/api/downloads", Body: `{"repo": "` + gatedRepo + `"}`, Header: map[string]string{"Content-Type": "application/json"}}
	if status, answer := c.do(c.t.Context(), download, true); status != http.StatusAccepted {
		c.t.Errorf("the download: %d %s", status, answer)
	}
	c.eventually("the download has ended", func() bool {
		_, answer := c.do(c.t.Context(), canary.Ask{Method: "GET", Path: "/api/downloads"}, true)
		return slices.Contains([]string{"done", "failed"}, gjson.Get(answer, "downloads.0.status").Str)
	})
	hub.Gate(gatedRepo, "another")
	if status, answer := c.do(c.t.Context(), download, true); status < 400 {
		c.t.Errorf("a download with a token that is not taken: %d %s", status, answer)
	}
	hub.Gate(gatedRepo, token)
}

// giveKey makes an API key, asks with it, takes it back and asks again.
func (c *watch) giveKey() {
	c.t.Helper()
	json := map[string]string{"Content-Type": "application/json"}
	status, answer := c.do(c.t.Context(), canary.Ask{Method: "POST", Path: "/api/keys", Body: `{"name": "a tool"}`, Header: json}, true)
	secret, id := gjson.Get(answer, "secret").Str, gjson.Get(answer, "key.id").Str
	if status != http.StatusCreated || len(secret) < 40 || id == "" {
		c.t.Fatalf("making a key: %d", status)
	}
	c.words.Also(secret[len("sk-mlxbar-"):][:stemOfKey])
	ask := func(want ...int) {
		c.t.Helper()
		for _, a := range c.words.Asks("ok=1ms")[:2] {
			a.Header["Authorization"] = "Bearer " + secret
			delete(a.Header, "X-Api-Key")
			if status, _ := c.do(c.t.Context(), a, false); !slices.Contains(want, status) {
				c.t.Errorf("%s with a key that was given out: %d, want %v", a, status, want)
			}
		}
	}
	ask(http.StatusOK)
	if status, answer := c.do(c.t.Context(), canary.Ask{Method: "DELETE", Path: "/api/keys/" + id}, true); status != http.StatusNoContent {
		c.t.Errorf("taking it back: %d %s", status, answer)
	}
	ask(http.StatusOK, http.StatusUnauthorized) // this server wants no key
}
