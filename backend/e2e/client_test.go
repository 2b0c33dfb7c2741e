package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mlxbar/backend/testkit"
)

// local is the starter model.
const local = "smollm2-135m-instruct"

// what the client's calls take as parameters.
type with map[string]any

// call is one use of OpenAI's Python client; testdata/client.py has the other end.
type call struct {
	Do         string  `json:"do"` // such as chat.completions.create
	With       with    `json:"with,omitempty"`
	Retries    int     `json:"retries"`
	Timeout    float64 `json:"timeout,omitempty"` // seconds
	Async      bool    `json:"async,omitempty"`
	Parallel   int     `json:"parallel,omitempty"`
	CloseAfter int     `json:"close_after,omitempty"` // tokens
}

// usage is what an answer says of its tokens.
type usage struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Total      int64 `json:"total_tokens"`
}

// outcome is what came of a call, as a program that uses the client sees it.
type outcome struct {
	Answer       json.RawMessage `json:"answer"`
	RequestID    string          `json:"request_id"` // of the answer's head
	Chunks       int             `json:"chunks"`
	Tokens       int             `json:"tokens"` // chunks with text
	Text         string          `json:"text"`
	FinishReason string          `json:"finish_reason"`
	Usage        *usage          `json:"usage"`
	Dimensions   []int           `json:"dimensions"`
	Error        *exception      `json:"error"`
}

type exception struct {
	Class      string   `json:"class"`
	Kinds      []string `json:"kinds"` // the class and what it inherits from
	Message    string   `json:"message"`
	Status     int      `json:"status"`
	Code       string   `json:"code"`
	Type       string   `json:"type"`
	Param      string   `json:"param"`
	RequestID  string   `json:"request_id"`
	RetryAfter string   `json:"retry_after"`
}

func (o outcome) class() string {
	if o.Error == nil {
		return ""
	}
	return o.Error.Class
}

// id is the request id, wherever the client shows it.
func (o outcome) id() string {
	if o.RequestID == "" && o.Error != nil {
		return o.Error.RequestID
	}
	return o.RequestID
}

// client is one Python process that makes calls one after another.
type client struct {
	t     *testing.T
	in    io.WriteCloser
	lines chan []byte
	said  *testkit.Output
}

func (h *house) client() *client {
	h.t.Helper()
	c := &client{t: h.t, lines: make(chan []byte, 16), said: &testkit.Output{}}
	in, out := h.python("client.py", c.said)
	c.in = in
	go func() {
		defer close(c.lines)
		scanner := bufio.NewScanner(out)
		scanner.Buffer(nil, 64<<20)
		for scanner.Scan() {
			c.lines <- slices.Clone(scanner.Bytes())
		}
	}()
	return c
}

// python runs a script with the official clients at hand, until the test ends.
func (h *house) python(script string, said *testkit.Output) (in io.WriteCloser, out io.Reader) {
	h.t.Helper()
	root := testkit.Root(h.t)
	python := filepath.Join(root, "build", "cache", "client-tests", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		h.t.Fatal("the official Python clients are not prepared: run make setup")
	}
	cmd := exec.Command(python, "-I", filepath.Join(root, "backend", "e2e", "testdata", script), h.url, h.secrets.clientKey)
	cmd.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*")
	reader, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = writer, said
	in, err := cmd.StdinPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait() // how it ended shows in what it said
		writer.Close()
	}()
	h.t.Cleanup(func() {
		in.Close()
		select {
		case <-ended:
		case <-time.After(testkit.Patience):
			h.t.Errorf("the client did not end:\n%s", said)
			cmd.Process.Kill()
			reader.Close() // nobody reads what it still says
			<-ended
		}
	})
	return in, reader
}

// begin starts a call; its outcome is read by end.
func (c *client) begin(what call) {
	c.t.Helper()
	raw, err := json.Marshal(what)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(raw, '\n')); err != nil {
		c.t.Fatalf("the client has ended: %v\n%s", err, c.said)
	}
}

// line is the next thing that the client says.
func (c *client) line() (said struct {
	First    bool      `json:"first"`
	Outcomes []outcome `json:"outcomes"`
}) {
	c.t.Helper()
	select {
	case raw, ok := <-c.lines:
		if !ok {
			c.t.Fatalf("the client has ended:\n%s", c.said)
		}
		if err := json.Unmarshal(raw, &said); err != nil {
			c.t.Fatalf("%v in %s", err, raw)
		}
	case <-time.After(patience):
		c.t.Fatalf("the client says nothing:\n%s", c.said)
	}
	return said
}

// first waits for the first token of a stream that was begun.
func (c *client) first() {
	c.t.Helper()
	if said := c.line(); !said.First {
		c.t.Fatalf("the stream ended without a token: %+v", said.Outcomes)
	}
}

func (c *client) end() []outcome {
	c.t.Helper()
	for {
		if said := c.line(); !said.First {
			return said.Outcomes
		}
	}
}

func (c *client) do(what call) outcome {
	c.t.Helper()
	c.begin(what)
	return c.end()[0]
}
