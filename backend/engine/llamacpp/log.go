package llamacpp

import (
	"regexp"
	"strings"
)

// llama.cpp quotes requests in some of its messages: a body that is no JSON, an
// unknown value, a grammar that does not parse, which it prints as it came, line by
// line. So once it serves, a line stands in the log only if it begins as one of its
// reports does and then says nothing but numbers and words of this list; and of how
// it crashed, where and by what. That somebody came without the key is not among it: each of our own looks begins so,
// and the last lines are what a person is shown of an engine that is given up.
const reporters = `get_availabl|launch_slot_|update_slots|print_timing|release|process_sing|send_error|stop|operator\(\)`

var (
	report = regexp.MustCompile(`^([\d.]+ [IWE] (slot|srv) +(` + reporters + `): |ggml_(metal|cuda|vulkan|backend)[a-z_]*: |CUDA error: |error: )`)
	inWord = regexp.MustCompile(`[A-Za-z_]+`)
	beside = regexp.MustCompile(`^[\d ,.:;=()|/<>%+-]*$`)
	// Of an assertion its place, for its expression may be anything.
	crash = regexp.MustCompile(`\b(ggml|llama|server)[a-z-]*\.(c|cpp|cu|cuh|h|m|metal):\d+: GGML_(ASSERT|ABORT)\b` +
		`|^(terminate called after throwing an instance of '|libc\+\+abi: terminating due to uncaught exception of type )std::[a-z_]+\b`)
)

var words = wordSet(`
	id task slot slots id_task is_child processing process stop cancel release launch launched selected by LRU LCP similarity
	f_sim_best f_keep thold t_last need to evaluate at least token tokens for each active n_past n_tokens n_ctx n_ctx_slot was set
	n_prompt_tokens batch truncated prompt eval total time ms per second graphs reused progress done all are idle failed with
	request exceeds the available context size try increasing it
	error command buffer status Insufficient Memory memory out of an illegal access encountered device allocate allocating MiB
	GPU Timeout Internal Error kIOGPUCommandBufferCallbackErrorOutOfMemory kIOGPUCommandBufferCallbackErrorTimeout`)

func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

// loggable keeps what was said while loading, which has seen nobody's words, and
// afterwards only what cannot hold any.
func loggable(line []byte, ready bool) []byte {
	if !ready || saysOnlyOurWords(string(line)) {
		return line
	}
	return crash.Find(line)
}

func saysOnlyOurWords(line string) bool {
	start := report.FindString(line)
	if start == "" {
		return false
	}
	rest := line[len(start):]
	for _, w := range inWord.FindAllString(rest, -1) {
		if !words[w] {
			return false
		}
	}
	return beside.MatchString(inWord.ReplaceAllString(rest, ""))
}

// explanations turn the words of a failed load into a sentence of our own.
var explanations = []struct{ sign, sentence string }{
	{"mismatch between text model", "The projector beside the model (mmproj) is another model's: it makes what this one cannot read."},
	{"unknown projector type", "This version of llama.cpp does not know the projector beside the model (mmproj)."},
	{"failed to load multimodal model", "The projector beside the model (mmproj) cannot be used; the engine's log says why."},
	{"unknown model architecture", "This version of llama.cpp does not know the model's architecture."},
	{"is not within the file bounds", "The model's file is damaged: a part of it is missing."},
	{"corrupted or incomplete", "The model's file is damaged: a part of it is missing."},
	{"invalid magic characters", "The model's file is not a GGUF file."},
	{"failed to allocate", noMemory},
	{"out of memory", noMemory},
	{"Cannot allocate memory", noMemory},
	{"missing tensor", "The model's file is damaged or of a kind that llama.cpp cannot run."},
	{"failed to load model", "llama.cpp cannot load the model; the engine's log says why."},
	{"cannot load the model", "llama.cpp cannot load the model; the engine's log says why."},
}

const noMemory = "There is not enough memory for the model with its context; set engines.llamacpp.context_size lower."

func explain(lines []string) string {
	text := strings.Join(lines, "\n")
	for _, e := range explanations {
		if strings.Contains(text, e.sign) {
			return e.sentence
		}
	}
	return ""
}
