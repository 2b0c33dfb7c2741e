package e2e

import (
	"image/color"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"mlxbar/backend/admin"
	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/testkit"
)

// inPicture is a question with a picture, as each protocol writes it; %s is the picture's address or data.
var inPicture = []struct{ path, before, after, address string }{
	{"/v1/chat/completions", `"max_tokens": 2, "messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}`,
		`, {"type": "image_url", "image_url": {"url": "data:image/png;base64,%s"}}]}]`, "messages[0].content[1].image_url.url"},
	{"/v1/responses", `"max_output_tokens": 2, "input": [{"role": "user", "content": [{"type": "input_text", "text": "What is this?"}`,
		`, {"type": "input_image", "image_url": "data:image/png;base64,%s"}]}]`, "input[0].content[1].image_url"},
	{"/v1/messages", `"max_tokens": 2, "messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}`,
		`, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "%s"}}]}]`, "messages[0].content[1].source.url"},
}

// eyes is a house whose second model, the starter's copy, has a projector beside it.
func eyes(t *testing.T) (h *house, model string) {
	t.Helper()
	h = newHouse(t)
	weights, err := filepath.EvalSymlinks(filepath.Join(h.paths.Models, local+".gguf"))
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(h.paths.Models, "maker", "seeing")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(weights, filepath.Join(folder, "Seeing-Q4_1.gguf")); err != nil {
		t.Fatal(err)
	}
	testkit.AddProjector(t, folder, "mmproj-F32.gguf", 576)
	return h, "seeing-q4_1"
}

// last asks and gives what was recorded of that.
func (h *house) last(path, body string) (status int, answer []byte, r audit.Record) {
	h.t.Helper()
	before := len(h.records())
	status, answer = h.ask("POST", path, body)
	h.eventually("it is recorded", func() bool {
		all := h.records()
		r = all[0]
		return len(all) == before+1 && r.Status != audit.Running
	})
	return status, answer, r
}

func TestAModelWithAProjectorReadsPicturesInEveryProtocol(t *testing.T) {
	h, model := eyes(t)
	var list admin.ModelList
	h.eventually("the model appears", func() bool {
		h.api("GET", "/api/models", "", &list)
		return len(list.Models) == 2
	})
	seeing, starter := list.Models[0], list.Models[1]
	if seeing.Name != model || seeing.Projector != "mmproj-F32.gguf" || starter.Projector != "" || len(list.Broken) != 0 {
		t.Fatalf("the library shows %+v", list)
	}
	info, err := os.Stat(filepath.Join(h.paths.Models, "maker", "seeing", seeing.Projector))
	if err != nil || seeing.MemoryBytes != starter.MemoryBytes+info.Size()+5_000_000 {
		t.Errorf("%d bytes are expected with a projector of %d and 5 MB to read a picture, and %d without: %v", seeing.MemoryBytes, info.Size(), starter.MemoryBytes, err)
	}
	picture := testkit.Picture(t, color.RGBA{R: 200, A: 255})
	for _, c := range inPicture {
		t.Run(c.path, func(t *testing.T) {
			named := `{"model": "` + model + `", ` + c.before
			with := named + strings.Replace(c.after, "%s", picture, 1)
			status, answer, blind := h.last(c.path, named+"]}]}")
			if status != 200 {
				t.Fatalf("without a picture: %s", answer)
			}
			for _, body := range []string{with + "}", with + `, "stream": true}`} {
				status, answer, r := h.last(c.path, body)
				if status != 200 || r.Status != audit.Success || r.PromptTokens == nil || *r.PromptTokens < *blind.PromptTokens+testkit.PictureTokens || figure(r.CompletionTokens) == any(nil) {
					t.Errorf("status %d, %v tokens read, %v without a picture: %.300s", status, figure(r.PromptTokens), figure(blind.PromptTokens), answer)
				}
			}
			field := "body." + strings.Split(c.address, "[")[0]
			status, answer, r := h.last(c.path, named+strings.Replace(c.after, "%s", "AAAA", 1)+"}")
			if status != 400 || !strings.Contains(gjson.GetBytes(answer, "detail").Str, "cannot be read") || gjson.GetBytes(answer, "errors.0.location").Str != field || r.ErrorType != string(problem.UpstreamRefused) {
				t.Errorf("a picture that is none: status %d, %s: %s", status, r.ErrorType, answer)
			}
			// A model without eyes says so, and where.
			status, answer, r = h.last(c.path, strings.Replace(with, model, local, 1)+"}")
			if status != 400 || !strings.Contains(gjson.GetBytes(answer, "detail").Str, "takes no image") || gjson.GetBytes(answer, "errors.0.location").Str != field || r.ErrorType != string(problem.UpstreamRefused) {
				t.Errorf("a model without eyes: status %d, %s: %s", status, r.ErrorType, answer)
			}
		})
	}
}

// llama.cpp would get a picture from wherever a request says. It is not asked to.
func TestNoEngineFetchesAPicture(t *testing.T) {
	h, model := eyes(t)
	fetched := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fetched++; w.WriteHeader(http.StatusNotFound) }))
	defer elsewhere.Close()
	for _, c := range inPicture {
		after := strings.Replace(c.after, "data:image/png;base64,%s", elsewhere.URL, 1)
		after = strings.Replace(after, `"type": "base64", "media_type": "image/png", "data": "%s"`, `"type": "url", "url": "`+elsewhere.URL+`"`, 1)
		status, answer, r := h.last(c.path, `{"model": "`+model+`", `+c.before+after+"}")
		if status != 400 || gjson.GetBytes(answer, "errors.0.location").Str != "body."+c.address || r.ErrorType != string(problem.NotOffered) {
			t.Errorf("%s: status %d: %s", c.path, status, answer)
		}
	}
	if fetched != 0 {
		t.Errorf("the address was asked %d times", fetched)
	}
}
