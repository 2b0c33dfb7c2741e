package llamacpp

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlxbar/backend/models"
)

func TestArguments(t *testing.T) {
	chat := models.Model{Name: "chat", Path: "/models of mine/Chat.gguf"}
	embedder := func(context int) models.Model {
		return models.Model{Name: "e", Path: "/e.gguf", Facts: models.Facts{HasPooling: true, ContextLength: context}}
	}
	for name, c := range map[string]struct {
		model   models.Model
		options Options
		want    string // after the model and its name
	}{
		"all left to llama.cpp":              {chat, Options{}, "--context-size 0 --parallel 1 --threads 0 --pooling mean --batch 1024"},
		"all said":                           {chat, Options{ContextSize: 4096, Parallel: 4, Threads: 2}, "--context-size 4096 --parallel 4 --threads 2 --pooling mean --batch 1024"},
		"a batch that slots divide":          {chat, Options{Parallel: 3}, "--context-size 0 --parallel 3 --threads 0 --pooling mean --batch 1026"},
		"with a draft and more":              {chat, Options{Draft: "/d.gguf", Arguments: []string{"--flash-attn", "on"}}, "--context-size 0 --parallel 1 --threads 0 --draft /d.gguf --pooling mean --batch 1024 --flash-attn on"},
		"an embedder's batch is its context": {embedder(2048), Options{Parallel: 1}, "--context-size 0 --parallel 1 --threads 0 --pooling model --batch 2048"},
		"but not beyond what is set":         {embedder(2048), Options{ContextSize: 1024}, "--context-size 1024 --parallel 1 --threads 0 --pooling model --batch 1024"},
		"nor too large":                      {embedder(1 << 20), Options{}, "--context-size 0 --parallel 1 --threads 0 --pooling model --batch 8192"},
		"nor too small":                      {embedder(0), Options{}, "--context-size 0 --parallel 1 --threads 0 --pooling model --batch 512"},
		"a reranker":                         {models.Model{Name: "e", Path: "/e.gguf", Facts: models.Facts{HasPooling: true, Ranks: true, ContextLength: 512}}, Options{}, "--context-size 0 --parallel 1 --threads 0 --pooling rank --batch 512"},
	} {
		t.Run(name, func(t *testing.T) {
			want := append([]string{"--model", c.model.Path, "--alias", c.model.Name}, strings.Fields(c.want)...)
			if diff := cmp.Diff(want, arguments(c.model, c.options)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestArgumentsOfALlamaServerOfOnesOwn(t *testing.T) {
	embedder := models.Model{Name: "e", Path: "/e.gguf", Facts: models.Facts{HasPooling: true, ContextLength: 2048}}
	options := Options{ContextSize: 1024, Parallel: 2, Threads: 3, Draft: "/d.gguf", Arguments: []string{"--swa-full"}}
	want := strings.Fields("--model /e.gguf --alias e --host 127.0.0.1 --port 0 --ctx-size 2048 --parallel 2 --batch-size 1024 --ubatch-size 1024" +
		" --threads-http 126 --threads 3 --model-draft /d.gguf --swa-full")
	if diff := cmp.Diff(want, ownArguments(embedder, options)); diff != "" {
		t.Error(diff)
	}
}

func TestTheEnvironmentOfALlamaServerOfOnesOwn(t *testing.T) {
	embedder := models.Model{Facts: models.Facts{HasPooling: true}}
	for name, c := range map[string]struct {
		model      models.Model
		options    Options
		has, lacks string
	}{
		"chat":                        {models.Model{}, Options{}, "LLAMA_ARG_POOLING=mean", "LLAMA_ARG_SPEC_TYPE"},
		"an embedder pools by itself": {embedder, Options{}, "LLAMA_ARG_EMBEDDINGS=1", "LLAMA_ARG_POOLING"},
		"a reranker is told to rank":  {models.Model{Facts: models.Facts{HasPooling: true, Ranks: true}}, Options{}, "LLAMA_ARG_POOLING=rank", "LLAMA_ARG_POOLING=mean"},
		"a draft":                     {models.Model{}, Options{Draft: "/d.gguf"}, "LLAMA_ARG_SPEC_TYPE=draft-simple", "/d.gguf"},
		"its name":                    {models.Model{}, Options{}, "LLAMA_MEDIA_MARKER=<__media_word__>", "LLAMA_API_KEY"},
	} {
		if got := strings.Join(ownEnviron(c.model, c.options, "word"), "\n") + "\n"; !strings.Contains(got, c.has+"\n") || strings.Contains(got, c.lacks) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestWhereALlamaServerOfOnesOwnListens(t *testing.T) {
	for line, want := range map[string]string{
		"main: server is listening on http://127.0.0.1:40123 - starting the main loop": "http://127.0.0.1:40123",
		"0.01.2 I srv  server is listening on http://127.0.0.1:1":                      "http://127.0.0.1:1",
		"main: server is listening on http://0.0.0.0:8080":                             "",
		"main: server is listening on http://127.0.0.1:0":                              "",
		"listening on http://127.0.0.1.example:80":                                     "",
		"": "",
	} {
		if got, ok := parseListening([]byte(line)); got != want || ok != (want != "") {
			t.Errorf("parseListening(%s) gives %q, %v", line, got, ok)
		}
	}
}

func TestWordsOfAFailedLoadBecomeASentence(t *testing.T) {
	for said, want := range map[string]string{
		"llama_model_load: error loading model: error loading model architecture: unknown model architecture: 'new'": "This version of llama.cpp does not know the model's architecture.",
		"llama_model_load: error loading model: tensor 'x' data is not within the file bounds, model is corrupted":   "The model's file is damaged: a part of it is missing.",
		"gguf_init_from_file_ptr: invalid magic characters: 'abcd', expected 'GGUF'":                                 "The model's file is not a GGUF file.",
		"ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 137438953472":                  noMemory,
		"mismatch between text model (n_embd = 576) and mmproj (n_embd = 1152)":                                      "The projector beside the model (mmproj) is another model's: it makes what this one cannot read.",
		"load_hparams: unknown projector type: new":                                                                  "This version of llama.cpp does not know the projector beside the model (mmproj).",
		"failed to load multimodal model, '/m/mmproj.gguf'":                                                          "The projector beside the model (mmproj) cannot be used; the engine's log says why.",
		"llama_model_load: error loading model: missing tensor 'token_embd.weight'":                                  "The model's file is damaged or of a kind that llama.cpp cannot run.",
		"cannot load the model: something else":                                                                      "llama.cpp cannot load the model; the engine's log says why.",
		"Segmentation fault":                                                                                         "",
	} {
		// The last word of llama.cpp is often the least exact one.
		lines := []string{"0.00.000.258 I srv          init: initializing ...", said}
		if want != "" {
			lines = append(lines, "cannot load the model: failed to load model")
		}
		if got := explain(lines); got != want {
			t.Errorf("%s\n is explained by %q, want %q", said, got, want)
		}
	}
	if got := explain(nil); got != "" {
		t.Errorf("nothing is explained by %q", got)
	}
}

// Threads that wait do not keep another engine from its turn, and what one has read does not stay with it, unless a person would have it otherwise.
func TestTheLibrariesAreToldUnlessAPersonHas(t *testing.T) {
	for _, c := range []struct{ env, want []string }{
		{nil, []string{"GOMP_SPINCOUNT=1000", "MALLOC_ARENA_MAX=1"}},
		{[]string{"PATH=/bin"}, []string{"PATH=/bin", "GOMP_SPINCOUNT=1000", "MALLOC_ARENA_MAX=1"}},
		{[]string{"GOMP_SPINCOUNT=7"}, []string{"GOMP_SPINCOUNT=7", "MALLOC_ARENA_MAX=1"}},
		{[]string{"OMP_WAIT_POLICY=active"}, []string{"OMP_WAIT_POLICY=active", "MALLOC_ARENA_MAX=1"}},
		{[]string{"MALLOC_ARENA_MAX=4"}, []string{"MALLOC_ARENA_MAX=4", "GOMP_SPINCOUNT=1000"}},
	} {
		if got := tuned(c.env); !slices.Equal(got, c.want) {
			t.Errorf("%q becomes %q", c.env, got)
		}
	}
}
