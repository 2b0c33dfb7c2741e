package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/gateway/openai/chat"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/sse"
	"mlxbar/backend/gateway/turn"
)

var update = flag.Bool("update", false, "write what comes out over the golden files; look at the difference before you keep it")

// A directory below testdata is a case, in one that names its two protocols. It
// holds what goes in and, beside it, what comes out:
//
//	request.in.json   request.out.json and request.notes.txt, or request.problem.txt
//	answer.in.json    answer.out.json, or answer.problem.txt
//	stream.in.sse     stream.out.sse
//
// A case without a request of its own answers that of its directory's "plain".
var directions = map[string][2]Protocol{
	"chat-messages":      {Chat, Messages},
	"messages-chat":      {Messages, Chat},
	"responses-chat":     {Responses, Chat},
	"responses-messages": {Responses, Messages},
}

func options(direction string) Options {
	return Options{
		Upstream: "Provider far", ID: "req1", Created: 1700000000,
		Chat: chat.Options{Extended: strings.HasSuffix(direction, "-chat")},
	}
}

func cases(t *testing.T) (dirs []string) {
	t.Helper()
	dirs, err := filepath.Glob("testdata/*-*/*") // what rapid and fuzzing leave there has no dash
	if err != nil || len(dirs) < 20 {
		t.Fatalf("%d cases, %v", len(dirs), err)
	}
	return dirs
}

func TestGoldenFiles(t *testing.T) {
	for _, dir := range cases(t) {
		t.Run(strings.TrimPrefix(filepath.ToSlash(dir), "testdata/"), func(t *testing.T) { goldenCase(t, dir) })
	}
}

func goldenCase(t *testing.T, dir string) {
	direction := filepath.Base(filepath.Dir(dir))
	d, ok := directions[direction]
	if !ok {
		t.Fatalf("%s is no direction", direction)
	}
	request, own := input(t, dir, "request.in.json")
	if !own {
		request, _ = input(t, filepath.Join(filepath.Dir(dir), "plain"), "request.in.json")
	}
	c, fault := New(d[0], d[1], request, options(direction))
	if own {
		expect(t, dir, "request.problem.txt", problemText(fault))
		if fault != nil {
			return
		}
		expect(t, dir, "request.out.json", pretty(t, c.Body))
		var notes strings.Builder
		for _, n := range c.Notes {
			fmt.Fprintf(&notes, "%s %s\n", n.Field, n.Why)
		}
		expect(t, dir, "request.notes.txt", notes.String())
	} else if fault != nil {
		t.Fatal(fault)
	}
	if body, ok := input(t, dir, "answer.in.json"); ok {
		out, fault := c.Answer(body)
		expect(t, dir, "answer.problem.txt", problemText(fault))
		if fault == nil {
			expect(t, dir, "answer.out.json", pretty(t, out))
		}
	}
	if stream, ok := input(t, dir, "stream.in.sse"); ok {
		expect(t, dir, "stream.out.sse", string(convertStream(t, c.NewStream(), stream)))
	}
}

// convertStream does what a relay does.
func convertStream(t *testing.T, c *turn.Converter, stream []byte) (out []byte) {
	t.Helper()
	reader := sse.NewReader(bytes.NewReader(stream), 1<<20)
	var fault *problem.Error
	for fault == nil {
		event, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if data := sse.Data(event); data != nil {
			out, fault = feedOnce(c, out, data)
		}
	}
	if fault == nil {
		out, fault = c.Close(out)
	}
	if fault != nil {
		out = c.Fail(out, fault, "req1")
	}
	if (fault == nil) != c.Done() {
		t.Errorf("problem %v, done %v", fault, c.Done())
	}
	return out
}

func input(t *testing.T, dir, name string) ([]byte, bool) {
	t.Helper()
	return read(filepath.Join(dir, name))
}

func read(path string) ([]byte, bool) {
	b, err := os.ReadFile(path)
	return b, err == nil
}

// expect compares with a golden file; nothing at all has none.
func expect(t *testing.T, dir, name, got string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if *update {
		os.Remove(path)
		if got != "" {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	want, _ := input(t, dir, name)
	if got != string(want) {
		t.Errorf("%s differs.\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

func problemText(p *problem.Error) string {
	if p == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", p.Kind, p.Detail)
	for _, f := range p.Fields {
		fmt.Fprintf(&b, "%s %s\n", f.Location, f.Detail)
	}
	return b.String()
}

func pretty(t *testing.T, raw []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		t.Fatalf("no JSON: %v\n%s", err, raw)
	}
	return b.String() + "\n"
}
