package gateway_test

import (
	"strings"
	"testing"

	"mlxbar/backend/engine"
	"mlxbar/backend/gateway/problem"
)

// llama.cpp would fetch a picture from any address, this machine's own included, and nobody would see it.
func TestAnEngineIsNotSentToAnAddress(t *testing.T) {
	h := newHouse(t, nil)
	h.engines.scope = engine.Scope{Fetches: true}
	const (
		far  = "http://127.0.0.1:9/secret.png"
		data = "data:image/png;base64,aHR0cDovL3g="
	)
	chat := func(part string) string {
		return `{"model": "ok-4", "messages": [{"role": "system", "content": "http://text"}, {"role": "user", "content": [{"type": "text", "text": "` + far + ` image"}, ` + part + `]}]}`
	}
	for _, c := range []struct{ path, body, field string }{
		{chatPath, chat(`{"type": "image_url", "image_url": {"url": "` + far + `"}}`), "messages[1].content[1].image_url.url"},
		{chatPath, chat(`{"type": "image_url", "image_url": {"url": "` + data + `"}}`), ""},
		{chatPath, chat(`{"type": "im\u0061ge_url", "image_url": {"url": "\u0068ttps://a.example/b"}}`), "messages[1].content[1].image_url.url"},
		{chatPath, chat(`{"type": "text", "type": "image_url", "image_url": {"url": "` + data + `", "url": "` + far + `"}}`), "messages[1].content[1].image_url.url"},
		{chatPath, chat(`{"type": "input_audio", "input_audio": {"data": "` + far + `", "format": "mp3"}}`), "messages[1].content[1].input_audio.data"},
		{chatPath, chat(`{"type": "video_url", "video_url": {"url": "` + far + `"}}`), "messages[1].content[1].video_url.url"},
		{chatPath, chat(`{"type": "text", "text": "an image_url is no image"}`), ""},
		{"/v1/responses", `{"model": "ok-4", "input": [{"role": "user", "content": [{"type": "input_image", "image_url": "` + far + `"}]}]}`, "input[0].content[0].image_url"},
		{"/v1/responses", `{"model": "ok-4", "input": [{"role": "user", "content": [{"type": "input_image", "image_url": "` + data + `"}]}]}`, ""},
		{"/v1/messages", `{"model": "ok-4", "max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "` + far + `"}}]}]}`, "messages[0].content[0].source.url"},
		{"/v1/messages", `{"model": "ok-4", "max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image", "source": {"type": "url", "url": "` + far + `"}}]}]}]}`, "messages[0].content[0].content[0].source.url"},
		{"/v1/messages", `{"model": "ok-4", "max_tokens": 9, "messages": [{"role": "user", "content": "image?"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "get", "input": {"url": "` + far + `"}}]}, {"role": "user", "content": "and?"}]}`, ""},
		{"/v1/messages/count_tokens", `{"model": "ok-4", "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "` + far + `"}}]}]}`, "messages[0].content[0].source.url"},
	} {
		before := len(h.upstream.Requests())
		resp := h.request("POST", c.path, c.body)
		if c.field == "" {
			if text := readBody(t, resp); resp.StatusCode != 200 {
				t.Errorf("%s is refused: %s", c.body, text)
			}
			continue
		}
		d := readProblem(t, resp)
		if d.Type != "/problems/"+string(problem.NotOffered) || len(d.Errors) != 1 || d.Errors[0].Location != "body."+c.field || strings.Contains(d.Detail+d.Errors[0].Detail, "secret.png") {
			t.Errorf("%s: %+v", c.body, d)
		}
		if len(h.upstream.Requests()) != before {
			t.Errorf("the engine was asked: %s", c.body)
		}
	}
}
