package clients

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	oairesponses "github.com/openai/openai-go/v3/responses"

	"mlxbar/backend/gateway/sse"
)

// The official SDKs read what is written for their clients and servers: every
// member has a place in their types, nothing that they require is missing.

func cases(t *testing.T) (dirs []string) {
	t.Helper()
	dirs, err := filepath.Glob("../testdata/*-*/*")
	if err != nil || len(dirs) < 20 {
		t.Fatalf("%d cases, %v", len(dirs), err)
	}
	return dirs
}

func output(dir, name string) ([]byte, bool) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	return b, err == nil
}

// beyond are members that no document of OpenAI's has; other servers write them.
var beyond = map[string]bool{"reasoning_content": true, "top_k": true, "chat_template_kwargs": true}

func TestRequestsAreThoseOfTheSDKs(t *testing.T) {
	seen := 0
	for _, dir := range cases(t) {
		raw, ok := output(dir, "request.out.json")
		if !ok {
			continue
		}
		seen++
		var params any = new(openai.ChatCompletionNewParams)
		if strings.HasSuffix(filepath.Dir(dir), "-messages") {
			params = new(anthropic.MessageNewParams)
		}
		if err := json.Unmarshal(raw, params); err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		again, err := json.Marshal(params)
		if err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		want, got := spelledOut(values(t, raw)).(map[string]any), spelledOut(values(t, again)).(map[string]any)
		got["stream"] = want["stream"] // which is no parameter of the SDKs but a method
		if want["stream"] == nil {
			delete(got, "stream")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the SDK makes something else of it (- ours, + the SDK's):\n%s", dir, diff)
		}
	}
	if seen < 15 {
		t.Errorf("only %d requests", seen)
	}
}

// spelledOut writes what is short for a block of text as that, as an SDK does, and
// leaves out what no SDK knows.
func spelledOut(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = spelledOut(v[i])
		}
	case map[string]any:
		for key, member := range v {
			if text, short := member.(string); short && (key == "content" || key == "system") {
				member = []any{map[string]any{"type": "text", "text": text}}
			}
			v[key] = spelledOut(member)
			if beyond[key] {
				delete(v, key)
			}
		}
	}
	return v
}

func values(t *testing.T, raw []byte) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return m
}

func TestAnswersAreThoseOfTheSDKs(t *testing.T) {
	seen := 0
	for _, dir := range cases(t) {
		raw, ok := output(dir, "answer.out.json")
		if !ok {
			continue
		}
		seen++
		var answer any = new(openai.ChatCompletion)
		switch {
		case strings.Contains(dir, "responses-"):
			answer = new(oairesponses.Response)
		case strings.Contains(dir, "messages-chat"):
			answer = new(anthropic.Message)
		}
		decode(t, dir, raw, answer)
	}
	if seen < 10 {
		t.Errorf("only %d answers", seen)
	}
}

// decode reads raw and complains of members that the type has no place for.
func decode(t *testing.T, dir string, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Errorf("%s: %v", dir, err)
		return
	}
	extras(t, dir, reflect.ValueOf(into).Elem(), 0)
}

func extras(t *testing.T, dir string, v reflect.Value, depth int) {
	t.Helper()
	switch {
	case depth > 12:
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			extras(t, dir, v.Index(i), depth+1)
		}
	case v.Kind() == reflect.Struct:
		if meta := v.FieldByName("JSON"); meta.IsValid() && meta.Kind() == reflect.Struct {
			if extra := meta.FieldByName("ExtraFields"); extra.IsValid() {
				for _, key := range extra.MapKeys() {
					if !beyond[key.String()] {
						t.Errorf("%s: %s has no member %s", dir, v.Type(), key)
					}
				}
			}
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "JSON" {
				extras(t, dir, v.Field(i), depth+1)
			}
		}
	}
}

func TestStreamsAreThoseOfTheSDKs(t *testing.T) {
	seen := 0
	for _, dir := range cases(t) {
		stream, ok := output(dir, "stream.out.sse")
		if !ok || bytes.Contains(stream, []byte("error\"")) && !bytes.Contains(stream, []byte("completed")) {
			continue
		}
		seen++
		switch {
		case strings.Contains(dir, "responses-"):
			readResponses(t, dir, stream)
		case strings.Contains(dir, "messages-chat"):
			readMessages(t, dir, stream)
		default:
			readChunks(t, dir, stream)
		}
	}
	if seen < 15 {
		t.Errorf("only %d streams", seen)
	}
}

func eachEvent(t *testing.T, stream []byte, f func(data []byte)) {
	t.Helper()
	reader := sse.NewReader(bytes.NewReader(stream), 1<<20)
	for {
		event, err := reader.Next()
		if err != nil {
			return
		}
		f(sse.Data(event))
	}
}

func readChunks(t *testing.T, dir string, stream []byte) {
	acc := openai.ChatCompletionAccumulator{}
	ended := false
	eachEvent(t, stream, func(data []byte) {
		if string(data) == "[DONE]" {
			ended = true
			return
		}
		var chunk openai.ChatCompletionChunk
		if !strings.Contains(dir, "custom-tool") { // which the SDK's chunks have no type for
			decode(t, dir, data, &chunk)
		} else if err := json.Unmarshal(data, &chunk); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		if !acc.AddChunk(chunk) {
			t.Errorf("%s: the SDK does not take %s", dir, data)
		}
	})
	if !ended || len(acc.Choices) != 1 || acc.Choices[0].FinishReason == "" {
		t.Errorf("%s: ended %v, %+v", dir, ended, acc.Choices)
	}
}

func readMessages(t *testing.T, dir string, stream []byte) {
	message := anthropic.Message{}
	ended := false
	eachEvent(t, stream, func(data []byte) {
		var event anthropic.MessageStreamEventUnion
		decode(t, dir, data, &event)
		if err := message.Accumulate(event); err != nil {
			t.Errorf("%s: %v at %s", dir, err, data)
		}
		ended = event.Type == "message_stop"
	})
	if !ended || message.StopReason == "" || message.Usage.OutputTokens == 0 || message.Usage.InputTokens == 0 {
		t.Errorf("%s: ended %v, %+v", dir, ended, message)
	}
}

func readResponses(t *testing.T, dir string, stream []byte) {
	n := int64(0)
	var items []string
	var last oairesponses.ResponseStreamEventUnion
	eachEvent(t, stream, func(data []byte) {
		last = oairesponses.ResponseStreamEventUnion{}
		decode(t, dir, data, &last)
		if last.SequenceNumber != n {
			t.Errorf("%s: event %d has number %d", dir, n, last.SequenceNumber)
		}
		n++
		if last.Type == "response.output_item.done" {
			items = append(items, last.Item.RawJSON())
		}
	})
	if last.Type != "response.completed" && last.Type != "response.incomplete" {
		t.Errorf("%s ends with %s", dir, last.Type)
	}
	var output []string
	for _, item := range last.Response.Output {
		output = append(output, item.RawJSON())
	}
	if diff := cmp.Diff(items, output); diff != "" {
		t.Errorf("%s: the items that were done are not those of the response:\n%s", dir, diff)
	}
}
