package llamacpp

import (
	"regexp"
	"strings"
)

// llama.cpp quotes requests in some of its messages: a body that is no JSON, a
// grammar that does not parse, an unknown value. So once it serves, only lines of
// these forms stand in the log: counts and times of slots, and its own last words.
var loggable = regexp.MustCompile(`^(` +
	`[\d.]+ [IWED] slot +(print_timing|release|get_availabl|launch_slot_|update_slots): id +-?\d+ \| task -?\d+ \| [a-z0-9 ,.:=()_|/%<>-]*` +
	`|[\d.]+ [IWED] srv +(update_slots|stop|log_server_r): [a-z0-9 ,.:=()_|/%-]*` +
	`|[\d.]+ W srv +operator\(\): unauthorized: Invalid API Key` +
	`|.*(GGML_ASSERT|GGML_ABORT|ggml_abort).*` +
	`|libc\+\+abi: terminating.*|terminate called.*` +
	`|ggml_metal_.*|ggml_cuda.*|CUDA error.*` +
	`)$`)

// mayBeLogged keeps what was said while loading, which has seen nobody's words,
// and afterwards only what cannot hold any.
func mayBeLogged(line []byte, ready bool) bool {
	return !ready || loggable.Match(line)
}

// explanations turn the words of a failed load into a sentence of our own.
var explanations = []struct{ sign, sentence string }{
	{"unknown model architecture", "This version of llama.cpp does not know the model's architecture."},
	{"is not within the file bounds", "The model's file is damaged: a part of it is missing."},
	{"corrupted or incomplete", "The model's file is damaged: a part of it is missing."},
	{"invalid magic characters", "The model's file is not a GGUF file."},
	{"failed to allocate", "There is not enough memory for the model with its context; set engines.llamacpp.context_size lower."},
	{"out of memory", "There is not enough memory for the model with its context; set engines.llamacpp.context_size lower."},
	{"Cannot allocate memory", "There is not enough memory for the model with its context; set engines.llamacpp.context_size lower."},
	{"missing tensor", "The model's file is damaged or of a kind that llama.cpp cannot run."},
	{"failed to load model", "llama.cpp cannot load the model; the engine's log says why."},
	{"cannot load the model", "llama.cpp cannot load the model; the engine's log says why."},
}

func explain(lines []string) string {
	text := strings.Join(lines, "\n")
	for _, e := range explanations {
		if strings.Contains(text, e.sign) {
			return e.sentence
		}
	}
	return ""
}
