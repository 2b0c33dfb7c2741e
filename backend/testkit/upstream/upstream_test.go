package upstream_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seen is what a client sees of one answer.
type seen struct {
	status int
	header http.Header
	body   string
	err    error // of the connection: before or in mid-body
}

func ask(t *testing.T, ctx context.Context, url, body string) seen {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer sk-test")
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return seen{err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return seen{res.StatusCode, res.Header, string(b), err}
}

func chatBody(model string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"stream":%v,"messages":[{"role":"user","content":"my secret"}]}`, model, stream)
}

const done = "data: [DONE]\n\n"

// scriptCases says, for every script, what a client sees when it asks for JSON
// and when it asks for a stream.
var scriptCases = []struct {
	model      string
	stream     bool
	status     int
	mediaType  string
	has, hasNo []string
	cut        bool // the connection breaks
}{
	{"ok", false, 200, "application/json", []string{upstream.Text(8), `"object":"chat.completion"`, `"finish_reason":"stop"`, `"cached_tokens":4`, `"total_tokens":19`}, nil, false},
	{"ok-3", true, 200, "text/event-stream", []string{`"role":"assistant"`, upstream.Marker, `"object":"chat.completion.chunk"`, `"finish_reason":"stop"`, done}, []string{"sweet", "usage"}, false},
	{"ok-2=1ms", true, 200, "text/event-stream", []string{done}, nil, false},
	{"usage", true, 200, "text/event-stream", []string{`"choices":[],`, `"completion_tokens":8`, done}, nil, false},
	{"timings", true, 200, "text/event-stream", []string{`"prompt_ms":12.5`, done}, nil, false},
	{"timings", false, 200, "application/json", []string{`"predicted_ms":250.25`}, nil, false},
	{"clock-2=1ms", true, 200, "text/event-stream", []string{`"role":"assistant"`, `"` + upstream.ClockMark, `"finish_reason":"stop"`, done}, []string{upstream.Marker}, false},
	{"clock", false, 200, "application/json", []string{upstream.ClockMark}, nil, false},
	{"echo=1ms", true, 200, "text/event-stream", []string{`"content":"my secre"`, `"content":"t"`, done}, []string{upstream.Marker}, false},
	{"echo", false, 200, "application/json", []string{`"content":"my secret"`}, nil, false},
	{"tools", true, 200, "text/event-stream", []string{`"tool_calls"`, `"finish_reason":"tool_calls"`, done}, nil, false},
	{"tools", false, 200, "application/json", []string{`"tool_calls"`, `"content":null`}, nil, false},
	{"agent", true, 200, "text/event-stream", []string{upstream.Marker, `"finish_reason":"stop"`, done}, []string{"tool_calls"}, false},
	{"crlf", true, 200, "text/event-stream", []string{"\r\n\r\n", "data: [DONE]\r\n\r\n"}, nil, false},
	{"split", true, 200, "text/event-stream", []string{done}, nil, false},
	{"split", false, 200, "application/json", []string{upstream.Text(3)}, nil, false},
	{"comments", true, 200, "text/event-stream", []string{": ping\n", done}, nil, false},
	{"fields", true, 200, "text/event-stream", []string{"retry: 1000\n", done}, nil, false},
	{"pings-3=1ms", true, 200, "text/event-stream", []string{upstream.Marker, ": ping\n\n: ping\n\n: ping\n\n"}, []string{"stop", done}, false},
	{"steps-2=1ms", true, 200, "text/event-stream", []string{`"delta":{}`, upstream.Text(1), done}, nil, false},
	{"steps", false, 200, "application/json", []string{upstream.Text(8)}, nil, false},
	{"headless", true, 200, "text/event-stream", []string{upstream.Marker, done}, nil, false},
	{"linger=1ms", true, 200, "text/event-stream", []string{done}, nil, false},
	{"headers", false, 200, "application/json", []string{upstream.Marker}, nil, false},
	{"slow-headers=1ms", false, 200, "application/json", []string{upstream.Marker}, nil, false},
	{"slow-first=1ms", true, 200, "text/event-stream", []string{upstream.Marker, done}, nil, false},
	{"slow-first=1ms", false, 200, "application/json", []string{upstream.Text(8)}, nil, false},
	{"slow-content=1ms", true, 200, "text/event-stream", []string{upstream.Marker, done}, nil, false},
	{"slow-idle=1ms", true, 200, "text/event-stream", []string{upstream.Marker, done}, nil, false},
	{"slow-idle=1ms", false, 200, "application/json", []string{upstream.Text(8)}, nil, false},
	{"hang=1ms", false, 0, "", nil, nil, true},
	{"cut", true, 200, "text/event-stream", []string{upstream.Marker, `" is"`}, []string{`" a"`, "stop", done}, true},
	{"cut-3", true, 200, "text/event-stream", []string{`" a"`}, []string{"stop", done}, true},
	{"cut", false, 200, "application/json", []string{`{"choices"`}, []string{"total_tokens"}, true},
	{"cut-headers", true, 0, "", nil, nil, true},
	{"cut-clean", true, 200, "text/event-stream", []string{upstream.Marker}, []string{"stop", done}, false},
	{"cut-clean", false, 200, "application/json", []string{`{"choices"`}, []string{"total_tokens"}, false},
	{"no-done", true, 200, "text/event-stream", []string{`"finish_reason":"stop"`}, []string{"[DONE]"}, false},
	{"malformed-json", false, 200, "application/json", []string{",,"}, nil, false},
	{"malformed-json", true, 200, "text/event-stream", []string{",,", done}, nil, false},
	{"malformed-sse", true, 200, "text/event-stream", []string{"\x00"}, []string{"data:"}, false},
	{"html", false, 200, "text/html", []string{"<!doctype html>", "my secret"}, nil, false},
	{"html", true, 200, "text/html", []string{"<!doctype html>"}, nil, false},
	{"empty", true, 200, "text/event-stream", nil, []string{"data"}, false},
	{"empty", false, 200, "application/json", nil, []string{"{"}, false},
	{"error-event", true, 200, "text/event-stream", []string{upstream.Marker, `data: {"error":`, "my secret"}, []string{done}, false},
	{"error-event", false, 200, "application/json", []string{`{"error":`}, nil, false},
	{"huge-event-2", true, 200, "text/event-stream", []string{strings.Repeat("x", 2048), done}, nil, false},
	{"huge-event", false, 200, "application/json", []string{strings.Repeat("x", 1<<20)}, nil, false},
	{"redirect", false, 307, "", nil, nil, false},
	{"status-400", false, 400, "application/json", []string{"my secret", "context_length_exceeded"}, nil, false},
	{"status-401", true, 401, "application/json", []string{"sk-test", "invalid_api_key"}, nil, false},
	{"status-404", true, 404, "application/json", []string{"model_not_found"}, nil, false},
	{"status-429=3s", true, 429, "application/json", []string{"rate_limit_exceeded"}, nil, false},
	{"status-500", false, 500, "application/json", []string{"my secret"}, nil, false},
	{"status-503", false, 503, "application/json", []string{"my secret"}, nil, false},
	{"status-529", false, 529, "application/json", []string{"my secret"}, nil, false},
	{"parallel", true, 200, "text/event-stream", []string{`"id":"call_upstream1"`, `"id":"call_upstream2"`, `"index":1`, done}, nil, false},
	{"parallel", false, 200, "application/json", []string{`"id":"call_upstream2"`, "first"}, nil, false},
	{"thinking", true, 200, "text/event-stream", []string{`"reasoning_content":" is what"`, `"content":" it is"`, done}, nil, false},
	{"json", false, 200, "application/json", []string{`"content":"{\"city\":\"marzipan\"}"`}, nil, false},
	{"unicode", true, 200, "text/event-stream", []string{"än \\u2028 杏", done}, nil, false},
	{"unicode", false, 200, "application/json", []string{"杏仁 🍬"}, nil, false},
	{"twins", false, 200, "application/json", []string{`"name":"time"`}, []string{"upstream2"}, false},
	{"no-json", true, 200, "text/event-stream", []string{`"arguments":"{\"city\":"`, done}, nil, false},
	{"packets-7", true, 200, "text/event-stream", []string{upstream.Marker, done}, nil, false},
	{"packets", false, 200, "application/json", []string{upstream.Text(8)}, nil, false},
	{"anybody/ok", false, 200, "application/json", []string{upstream.Text(8)}, nil, false},
	{"no-such-model", false, 404, "application/json", []string{"model_not_found"}, nil, false},
}

func TestEveryScript(t *testing.T) {
	up := testkit.NewUpstream(t)
	for _, c := range scriptCases {
		t.Run(fmt.Sprintf("%s stream=%v", c.model, c.stream), func(t *testing.T) {
			got := ask(t, t.Context(), up.URL+"/chat/completions", chatBody(c.model, c.stream))
			if got.status != c.status {
				t.Errorf("status %d, want %d", got.status, c.status)
			}
			if mt, _, _ := strings.Cut(got.header.Get("Content-Type"), ";"); mt != c.mediaType {
				t.Errorf("content type %q, want %q", mt, c.mediaType)
			}
			for _, s := range c.has {
				if !strings.Contains(got.body, s) {
					t.Errorf("no %q in\n%.2000s", s, got.body)
				}
			}
			for _, s := range c.hasNo {
				if strings.Contains(got.body, s) {
					t.Errorf("there is %q in\n%.2000s", s, got.body)
				}
			}
			broken := errors.Is(got.err, io.ErrUnexpectedEOF) || errors.Is(got.err, io.EOF)
			if broken != c.cut || (got.err != nil && !broken) {
				t.Errorf("connection ended with %v, want cut %v", got.err, c.cut)
			}
		})
	}
}

func TestEveryScriptHasACase(t *testing.T) {
	for _, d := range upstream.Scripts() {
		tested := false
		for _, c := range scriptCases {
			tested = tested || strings.HasPrefix(c.model, d.Model)
		}
		tested = tested || slices.Contains(waiting, d.Model)
		if !tested || d.About == "" {
			t.Errorf("script %q is not in the table, or tells nothing about itself", d.Model)
		}
	}
}

// TestStreamIsTheProtocol reads a stream as a client does: it joins the pieces to the text.
func TestStreamIsTheProtocol(t *testing.T) {
	up := testkit.NewUpstream(t)
	for _, script := range []string{"ok-12", "usage-12", "crlf-12", "split-12", "comments-12", "timings-12", "no-done-12"} {
		for path, stream := range map[string]string{"/chat/completions": "chat.completion.chunk", "/completions": "text_completion"} {
			t.Run(script+path, func(t *testing.T) {
				body := fmt.Sprintf(`{"model":%q,"stream":true,"stream_options":{"include_usage":true},"prompt":"x","messages":[]}`, script)
				got := ask(t, t.Context(), up.URL+path, body)
				var text, finish strings.Builder
				usage := 0
				for line := range strings.Lines(got.body) {
					data, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "data: ")
					if !ok || data == "[DONE]" {
						continue
					}
					var e struct {
						Object, Model string
						Choices       []struct {
							Text         string
							Delta        struct{ Content string }
							FinishReason string `json:"finish_reason"`
						}
						Usage *struct {
							Total int `json:"total_tokens"`
						}
					}
					if err := json.Unmarshal([]byte(data), &e); err != nil {
						t.Fatalf("%q: %v", data, err)
					}
					if e.Object != stream || e.Model != script {
						t.Errorf("object %q, model %q", e.Object, e.Model)
					}
					for _, c := range e.Choices {
						text.WriteString(c.Text + c.Delta.Content)
						finish.WriteString(c.FinishReason)
					}
					if e.Usage != nil {
						usage = e.Usage.Total
					}
				}
				if text.String() != upstream.Text(12) || finish.String() != "stop" || usage != upstream.PromptTokens+12 {
					t.Errorf("text %q, finish %q, total tokens %d", &text, &finish, usage)
				}
			})
		}
	}
}

func TestEmbeddings(t *testing.T) {
	up := testkit.NewUpstream(t)
	got := ask(t, t.Context(), up.URL+"/embeddings", `{"model":"ok","input":["a","b"],"encoding_format":"base64"}`)
	var e struct {
		Object string
		Data   []struct{ Embedding string }
		Usage  map[string]int
	}
	if err := json.Unmarshal([]byte(got.body), &e); err != nil {
		t.Fatal(err)
	}
	if len(e.Data) != 2 || e.Object != "list" || e.Usage["prompt_tokens"] != upstream.PromptTokens {
		t.Errorf("%+v", e)
	}
	if raw, err := base64.StdEncoding.DecodeString(e.Data[1].Embedding); err != nil || len(raw) != 16 {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
}

func TestRequestsAreKept(t *testing.T) {
	up := testkit.NewUpstream(t)
	body := chatBody("ok", false)
	ask(t, t.Context(), up.URL+"/chat/completions", body)
	type kept struct{ Method, Path, Model, Body, Auth string }
	var got []kept
	for _, r := range up.Requests() {
		got = append(got, kept{r.Method, r.Path, r.Model, string(r.Body), r.Header.Get("Authorization")})
	}
	want := []kept{{"POST", "/v1/chat/completions", "ok", body, "Bearer sk-test"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	wantCounts := upstream.Counts{Requests: 1, Answered: 1, ByModel: map[string]int64{"ok": 1}}
	if diff := cmp.Diff(wantCounts, up.Counts()); diff != "" {
		t.Error(diff)
	}
}

// Of a body that is no JSON there is no model to tell, though a part of it looks like one.
func TestABrokenBodyIsKeptWithoutAModel(t *testing.T) {
	up := testkit.NewUpstream(t)
	for _, body := range []string{`{"model": "ok"`, `{"model": "ok"} x`, `[{"model": "ok"`, "", "{"} {
		if got := ask(t, t.Context(), up.URL+"/chat/completions", body); got.status != 400 {
			t.Errorf("%q: %d %s", body, got.status, got.body)
		}
	}
	for _, r := range up.Requests() {
		if r.Model != "" {
			t.Errorf("%q names the model %q", r.Body, r.Model)
		}
	}
}

func TestKeyIsRequired(t *testing.T) {
	up := testkit.NewUpstream(t, upstream.Key("right"))
	got := ask(t, t.Context(), up.URL+"/chat/completions", chatBody("ok", false))
	if got.status != 401 || !strings.Contains(got.body, "invalid_api_key") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if len(up.Requests()) != 1 {
		t.Error("a refused request is not in the history")
	}
}

func TestScriptOverridesModel(t *testing.T) {
	up := testkit.NewUpstream(t, upstream.Script("status-503"))
	if got := ask(t, t.Context(), up.URL+"/chat/completions", chatBody("gpt-9", false)); got.status != 503 {
		t.Errorf("status %d", got.status)
	}
	if _, err := upstream.Start(upstream.Script("no such")); err == nil {
		t.Error("an unknown script was taken")
	}
}

// waiting are the scripts that end when their client leaves.
var waiting = []string{"hang", "slow-headers=20s", "slow-first=20s", "slow-content=20s", "slow-idle=20s", "ok=20s", "linger=20s", "endless", "pings"}

func TestClientGone(t *testing.T) {
	for _, model := range waiting {
		t.Run(model, func(t *testing.T) {
			up := testkit.NewUpstream(t)
			ctx, leave := context.WithCancel(t.Context())
			finished := make(chan seen, 1)
			go func() { finished <- ask(t, ctx, up.URL+"/chat/completions", chatBody(model, true)) }()
			for deadline := time.Now().Add(testkit.Patience); up.Counts().Requests == 0; {
				if time.Now().After(deadline) {
					t.Fatal("the request never arrived")
				}
				time.Sleep(time.Millisecond)
			}
			leave()
			if got := testkit.Receive(t, up.Gone()); got.Model != model {
				t.Errorf("%q left", got.Model)
			}
			testkit.Receive(t, finished)
			if c := up.Counts(); c.Gone != 1 || c.Answered != 0 {
				t.Errorf("%+v", c)
			}
		})
	}
}

// TestConnectionsAreCounted holds what tests take for a leak.
func TestConnectionsAreCounted(t *testing.T) {
	up := testkit.NewUpstream(t)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, _ := http.NewRequestWithContext(ctx, "POST", up.URL+"/chat/completions", strings.NewReader(chatBody("pings", true)))
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if open, busy := up.Open(); open != 1 || busy != 1 {
		t.Errorf("%d connections, %d of them busy", open, busy)
	}
	leave()
	res.Body.Close()
	testkit.Receive(t, up.Gone())
	for deadline := time.Now().Add(testkit.Patience); ; time.Sleep(time.Millisecond) {
		open, busy := up.Open()
		if open+busy == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections, %d of them busy", open, busy)
		}
	}
}

// TestEventsArriveOneByOne holds that a stream is flushed and not gathered up.
func TestEventsArriveOneByOne(t *testing.T) {
	up := testkit.NewUpstream(t)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, _ := http.NewRequestWithContext(ctx, "POST", up.URL+"/chat/completions", strings.NewReader(chatBody("slow-idle=20s", true)))
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil || !strings.Contains(line, `"role":"assistant"`) {
		t.Errorf("%q, %v", line, err)
	}
	leave()
	testkit.Receive(t, up.Gone())
}

func TestCloseEndsRunningScripts(t *testing.T) {
	up, err := upstream.Start()
	if err != nil {
		t.Fatal(err)
	}
	finished := make(chan seen, 1)
	go func() { finished <- ask(t, t.Context(), up.URL+"/chat/completions", chatBody("hang", false)) }()
	for up.Counts().Requests == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := up.Close(); err != nil {
		t.Error(err)
	}
	if got := testkit.Receive(t, finished); got.err == nil {
		t.Errorf("the client saw %+v", got)
	}
	if c := up.Counts(); c.Gone != 0 {
		t.Error("Close was taken for the client's leaving")
	}
	if err := up.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestModels(t *testing.T) {
	up := testkit.NewUpstream(t)
	for path, want := range map[string]string{"/models": `"object":"list"`, "/models/ok-5": `"id":"ok-5"`, "/models/none": "model_not_found", "/nothing": "unknown_url"} {
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(mustGet(t, up.URL+path))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if !strings.Contains(string(b), want) {
			t.Errorf("%s: %s", path, b)
		}
	}
}

func mustGet(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}
