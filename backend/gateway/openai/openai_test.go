package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/turn"
)

func TestARequestIsReadAsFarAsAGatewayMust(t *testing.T) {
	for name, c := range map[string]struct {
		endpoint Endpoint
		body     string
		want     Request
	}{
		"chat":                        {Chat, `{"model":"m","messages":[{"role":"user","content":"x"}]}`, Request{"m", false}},
		"chat, streamed":              {Chat, `{"stream":true,"model":"m","messages":[{"role":"user","content":"x"}]}`, Request{"m", true}},
		"stream null":                 {Chat, `{"stream":null,"model":"m","messages":[{"role":"user"}],"max_tokens":null}`, Request{"m", false}},
		"unknown fields pass":         {Chat, `{"model":"m","messages":[{"role":"tool"}],"made_up":{"a":[1]}}`, Request{"m", false}},
		"a model with a slash":        {Chat, `{"model":"org/model:4bit","messages":[{"role":"user"}]}`, Request{"org/model:4bit", false}},
		"an escaped model":            {Chat, `{"model":"\u006d","messages":[{"role":"user"}]}`, Request{"m", false}},
		"completion of tokens":        {Completions, `{"model":"m","prompt":[1,2],"max_tokens":0}`, Request{"m", false}},
		"embedding of several":        {Embeddings, `{"model":"m","input":["a","b"]}`, Request{"m", false}},
		"embeddings are not streamed": {Embeddings, `{"model":"m","input":"a","stream":true}`, Request{"m", false}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseRequest(c.endpoint, []byte(c.body))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

// A parser that follows nesting by recursion would run over its stack, and take
// the whole process with it.
func TestNestingWithoutEndEndsNothingElse(t *testing.T) {
	deep := []byte(`{"model":"m","messages":` + strings.Repeat("[", 16<<20))
	if _, err := ParseRequest(Chat, deep); err == nil || err.Kind != problem.InvalidJSON || !strings.Contains(err.Detail, "deep") {
		t.Errorf("got %v", err)
	}
	if _, ok := ParseAnswer(deep); ok {
		t.Error("it passed for an answer")
	}
	if got := new(Stream).Observe(deep); got != Malformed {
		t.Errorf("as an event it is %d", got)
	}
}

func TestABrokenBodyIsPlacedAndNotQuoted(t *testing.T) {
	_, err := ParseRequest(Chat, []byte(`{"model":"m","messages":[{"role":"user","content":"canary"}`))
	if err == nil || err.Kind != problem.InvalidJSON || !strings.Contains(err.Detail, "byte") || strings.Contains(err.Detail, "canary") {
		t.Errorf("got %v", err)
	}
}

func TestStringsAreNotEchoed(t *testing.T) {
	_, err := ParseRequest(Chat, []byte(`{"model":["canary"],"messages":"canary","stream":"canary","max_tokens":"canary"}`))
	if raw, _ := json.Marshal(err); strings.Contains(string(raw), "canary") || len(err.Fields) != 4 {
		t.Errorf("got %s", raw)
	}
}

// Whatever object is sent, parsing ends in a request with a model or in faults.
func TestParseRequestDecides(t *testing.T) {
	value := rapid.SampledFrom([]string{`1`, `-1.5`, `null`, `true`, `"x"`, `""`, `[]`, `{}`, `[{}]`, `["x"]`, `[{"role":"user"}]`})
	key := rapid.SampledFrom([]string{"model", "messages", "stream", "max_tokens", "prompt", "input", "stream_options", "other"})
	rapid.Check(t, func(t *rapid.T) {
		var members []string
		for range rapid.IntRange(0, 6).Draw(t, "members") {
			members = append(members, `"`+key.Draw(t, "key")+`":`+value.Draw(t, "value"))
		}
		body := "{" + strings.Join(members, ",") + "}"
		endpoint := rapid.SampledFrom([]Endpoint{Chat, Completions, Embeddings}).Draw(t, "endpoint")
		r, err := ParseRequest(endpoint, []byte(body))
		if err == nil && r.Model == "" {
			t.Fatalf("%s: no model and no fault", body)
		}
		if err != nil && len(err.Fields) == 0 {
			t.Fatalf("%s: %v names no field", body, err)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"max_tokens":5}`))
	f.Add([]byte(`{"model":`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, e := range []Endpoint{Chat, Completions, Embeddings} {
			if _, err := ParseRequest(e, body); err == nil && !json.Valid(body) {
				t.Errorf("%q passed and is no JSON", body)
			}
		}
	})
}

func n(v *int64) int64 {
	if v == nil {
		return -1
	}
	return *v
}

func TestUsage(t *testing.T) {
	for name, c := range map[string]struct {
		body                             string
		prompt, completion, total, cache int64
	}{
		"OpenAI":                        {`{"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":3}}}`, 5, 7, 12, 3},
		"llama.cpp, both":               {`{"usage":{"prompt_tokens":37,"completion_tokens":20,"total_tokens":57,"prompt_tokens_details":{"cached_tokens":30}},"timings":{"cache_n":30,"prompt_n":7,"prompt_ms":10.5,"predicted_n":20,"predicted_ms":200}}`, 37, 20, 57, 30},
		"llama.cpp, a stream's timings": {`{"timings":{"cache_n":31,"prompt_n":1,"prompt_ms":10.5,"predicted_n":3,"predicted_ms":30}}`, 32, 3, 35, 31},
		"embeddings":                    {`{"usage":{"prompt_tokens":2,"total_tokens":2}}`, 2, -1, 2, -1},
		"none":                          {`{"choices":[]}`, -1, -1, -1, -1},
		"more than can be summed":       {`{"usage":{"prompt_tokens":1e30,"completion_tokens":7,"total_tokens":9223372036854775807}}`, -1, 7, -1, -1},
		"nonsense":                      {`{"usage":{"prompt_tokens":"5","total_tokens":-1}}`, -1, -1, -1, -1},
	} {
		t.Run(name, func(t *testing.T) {
			u, ok := ParseAnswer([]byte(c.body))
			if !ok || n(u.Prompt) != c.prompt || n(u.Completion) != c.completion || n(u.Total) != c.total || n(u.Cached) != c.cache {
				t.Errorf("got %d %d %d %d, %v", n(u.Prompt), n(u.Completion), n(u.Total), n(u.Cached), ok)
			}
			if timed := strings.Contains(c.body, "timings"); timed != (u.PromptMS != nil && u.GenerationMS != nil) {
				t.Errorf("times %v %v", u.PromptMS, u.GenerationMS)
			}
		})
	}
	for _, body := range []string{``, `[]`, `"x"`, `{`, `<html>`} {
		if _, ok := ParseAnswer([]byte(body)); ok {
			t.Errorf("%q passed for an answer", body)
		}
	}
}

func TestStreamKnowsItsFirstTokenAndItsEnd(t *testing.T) {
	var s Stream
	for i, c := range []struct {
		data     string
		want     EventKind
		finished bool
	}{
		{`{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`, Other, false},
		{`{"choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}]}`, Other, false},
		{`{"choices":[{"index":0,"delta":{"content":"A \"finish_reason\":\"stop\""},"finish_reason":null}]}`, Token, false},
		{`{"choices":[{"index":0,"delta":{"content":"B"}, "finish_reason": null}]}`, Token, false},
		{`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, Token, true},
		{`{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`, Token, true},
		{`[DONE]`, Done, true},
	} {
		if got := s.Observe([]byte(c.data)); got != c.want || s.Finished != c.finished {
			t.Errorf("event %d: kind %d, finished %v; want %d, %v", i, got, s.Finished, c.want, c.finished)
		}
	}
	if n(s.Usage.Total) != 3 {
		t.Errorf("usage %+v", s.Usage)
	}
}

func TestWhatAnEventMentions(t *testing.T) {
	for data, want := range map[string]mention{
		`{"error":{},"usage":{},"timings":{},"finish_reason":"stop","tool_calls":[{}]}`: mentionsError | mentionsUsage | mentionsTimings | mentionsFinish | mentionsCalls,
		`{"usage":null,"finish_reason" : null,"tool_calls":[ ],"error":null}`:           0,
		`{"choices":[{"finish_reason":null},{"finish_reason": "stop"}]}`:                mentionsFinish,
		`{"content":"\"usage\":{} \"tool_calls\":[1]","usages":1,"t":"\\"}`:             0,
		`{"a":"","tool_calls":[1]}`: mentionsCalls,
		`{"tool_calls"`:             mentionsCalls, // no JSON, which is found elsewhere
		`{"`:                        0,
		``:                          0,
	} {
		if got := mentioned([]byte(data)); got != want {
			t.Errorf("%s mentions %05b, want %05b", data, got, want)
		}
	}
}

func TestStreamEventsThatAreNoTokens(t *testing.T) {
	for data, want := range map[string]EventKind{
		`{"error":{"message":"x"}}`:                            Failure,
		`{"error":null,"choices":[{"text":"a"}]}`:              Token,
		`{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}`: Token,
		`{"choices":[{"delta":{"reasoning_content":"hm"}}]}`:   Token,
		`nonsense`: Malformed,
		`[1]`:      Malformed,
		``:         Malformed,
	} {
		var s Stream
		if got := s.Observe([]byte(data)); got != want {
			t.Errorf("%q is %d, want %d", data, got, want)
		}
	}
	if got := new(Stream).Observe(nil); got != Ping {
		t.Errorf("a comment is %d", got)
	}
}

func TestAFailureKeepsNamesAndNoSentences(t *testing.T) {
	e := ParseFailure("Provider far", 422, []byte(`{"error":{"message":"canary","type":"invalid_request_error","code":"unsupported_value","param":"messages[0].role"}}`))
	if e.Status() != 422 || e.Code != "unsupported_value" || len(e.Fields) != 1 || e.Fields[0].Location != "body.messages[0].role" {
		t.Errorf("got %+v", e)
	}
	for _, body := range []string{
		`{"error":{"message":"canary","code":"the canary sings","type":"a canary\n","param":"canary bird"}}`,
		`{"error":"canary"}`, `canary`, `{"error":{"code":"` + strings.Repeat("canary", 20) + `"}}`,
	} {
		for _, status := range []int{400, 401, 404, 429, 500} {
			if e := ParseFailure("Provider far", status, []byte(body)); strings.Contains(e.Error()+e.Code, "canary") {
				t.Errorf("%d %s: %v", status, body, e)
			}
		}
	}
}

func TestAContextThatIsTooSmallIsSaidInNumbers(t *testing.T) {
	e := ParseFailure("The engine", 400, []byte(`{"error":{"code":400,"message":"x","type":"exceed_context_size_error","n_prompt_tokens":9031,"n_ctx":8192}}`))
	if e.Kind != problem.ContextExceeded || !strings.Contains(e.Detail, "9031") || !strings.Contains(e.Detail, "8192") {
		t.Errorf("got %v", e)
	}
}

// BenchmarkObserveToken observes a token in mid-stream, as llama.cpp orders its members and as OpenAI does.
func BenchmarkObserveToken(b *testing.B) {
	for name, data := range map[string]string{
		"llama.cpp": `{"choices":[{"finish_reason":null,"index":0,"delta":{"content":" glad"}}],"created":1795495167,"id":"chatcmpl-yn8mqDu6lYUdzM3X0mkpxG2ilIfuxCSt","model":"smollm2-135m-instruct","object":"chat.completion.chunk"}`,
		"OpenAI":    `{"id":"chatcmpl-yn8mqDu6lYUdzM3X0mkpxG2ilIfuxCSt","object":"chat.completion.chunk","created":1795495167,"model":"smollm2-135m-instruct","choices":[{"index":0,"delta":{"content":" glad"},"finish_reason":null}],"usage":null}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			s, event := Stream{started: true, Calls: &turn.Calls{Limit: 1 << 20}}, []byte(data)
			for b.Loop() {
				if s.Observe(event) != Token {
					b.Fatal("no token")
				}
			}
		})
	}
}

func TestAMistakeThatLlamaCPPTellsInASentenceIsTheClients(t *testing.T) {
	for _, c := range []struct {
		status        int
		message       string
		kind          problem.Kind
		says, located string
	}{
		{500, "input (3001 tokens) is too large to process. increase the physical batch size (current batch size: 1024)", problem.ContextExceeded, "3001 tokens, and the model takes 1024", ""},
		{500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj", problem.UpstreamRefused, "takes no image", "body.messages"},
		{500, "Failed to load image or audio file", problem.UpstreamRefused, "cannot be read", "body.messages"},
		{500, "Failed to parse tools: Expected 'tools' to be an array, got 5; tools = canary", problem.UpstreamRefused, "the value of tools", "body.tools"},
		{400, "Field 'temperature': type must be number, but is canary", problem.UpstreamRefused, "the value of temperature", "body.temperature"},
	} {
		body, _ := json.Marshal(map[string]any{"error": map[string]any{"code": c.status, "message": c.message, "type": "server_error"}})
		e := ParseFailure("The engine", c.status, body)
		if e.Kind != c.kind || e.Status() != 400 || !strings.Contains(e.Detail, c.says) || strings.Contains(e.Error(), "canary") {
			t.Errorf("%s: got %+v", c.message, e)
		}
		if c.located != "" && (len(e.Fields) != 1 || e.Fields[0].Location != c.located) {
			t.Errorf("%s: fields %+v, want %s", c.message, e.Fields, c.located)
		}
	}
	e := ParseFailure("The engine", 500, []byte(`{"error":{"code":500,"message":"the user said: image input is not supported"}}`))
	if e.Kind != problem.UpstreamFailed {
		t.Errorf("a quoted sentence made %+v", e)
	}
}

// Ollama calls a model that it does not have by a kind alone; a path that it does not have it answers with text.
func TestAModelThatOllamaDoesNotHaveIsNamedAsThat(t *testing.T) {
	e := ParseFailure("Provider ollama", 404, []byte(`{"error":{"message":"model \"canary\" not found","type":"not_found_error","param":null,"code":null}}`))
	if e.Kind != problem.ModelNotFound || strings.Contains(e.Error(), "canary") {
		t.Errorf("got %+v", e)
	}
	if e := ParseFailure("Provider ollama", 404, []byte("404 page not found")); e.Kind != problem.UpstreamRefused {
		t.Errorf("a path gives %+v", e)
	}
}
