package llamacpp

import (
	"image/color"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"mlxbar/backend/engine"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

// starterWidth is how many numbers stand for a token in the starter model.
const starterWidth = 576

// A projector beside a model gives it eyes, and takes nothing else from it.
func TestTheRealEngineIsGivenTheProjectorBesideItsModel(t *testing.T) {
	r := newRig(t)
	testkit.AddProjector(t, filepath.Join(r.dir, "models"), "mmproj-"+models.StarterName+"-F32.gguf", starterWidth)
	lease := r.acquire()
	ask := func(parts string) gjson.Result {
		res := send(t, lease, "/v1/chat/completions", `{"max_tokens":1,"temperature":0,"logprobs":true,"messages":[{"role":"user","content":[`+parts+`]}]}`)
		answer := text(t, res)
		if res.StatusCode != 200 {
			t.Fatalf("%s: %s", parts, answer)
		}
		return gjson.Parse(answer)
	}
	picture := func(c color.Color) string {
		return `,{"type":"image_url","image_url":{"url":"data:image/png;base64,` + testkit.Picture(t, c) + `"}}`
	}
	const words = `{"type":"text","text":"What is this?"}`
	blind, black, white := ask(words), ask(words+picture(color.Black)), ask(words+picture(color.White))
	const read = "usage.prompt_tokens"
	if got, want := black.Get(read).Int(), blind.Get(read).Int()+testkit.PictureTokens; got < want || white.Get(read).Int() != got {
		t.Errorf("with a picture %d tokens were read, want at least %d", got, want)
	}
	const sure = "choices.0.logprobs.content.0"
	if a, b := black.Get(sure).Raw, white.Get(sure).Raw; a == "" || a == b {
		t.Errorf("both pictures are answered alike: %s", a)
	}
	for path, body := range map[string]string{"/v1/completions": completion, "/v1/embeddings": `{"input":"a"}`} {
		if res := send(t, lease, path, body); res.StatusCode != 200 {
			t.Errorf("%s: %s", path, text(t, res))
		}
	}
}

// One that makes something else than the model reads is named as what is wrong.
func TestAProjectorOfAnotherModelIsExplained(t *testing.T) {
	r := newRig(t)
	testkit.AddProjector(t, filepath.Join(r.dir, "models"), "mmproj-"+models.StarterName+".gguf", 2*starterWidth)
	_, err := r.Acquire(t.Context(), models.StarterName)
	failed, ok := err.(*engine.LoadError)
	if !ok || !strings.Contains(failed.Reason, "projector") {
		t.Errorf("it is loaded with %v", err)
	}
}
