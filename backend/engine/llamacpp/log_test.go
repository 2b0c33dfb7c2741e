package llamacpp

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// Lines that llama.cpp wrote while it served.
var harmless = []string{
	"0.00.349.667 I slot get_availabl: id  1 | task -1 | selected slot by LRU, t_last = -1",
	"0.00.484.402 I slot get_availabl: id  1 | task -1 | selected slot by LCP similarity, f_sim_best = 1.000 (> 0.100 thold), f_keep = 0.897",
	"0.00.349.762 I slot launch_slot_: id  1 | task 0 | processing task, is_child = 0",
	"0.00.484.485 W slot   operator(): id  1 | task 6 | need to evaluate at least 1 token for each active slot (n_past = 35, task.n_tokens() = 35)",
	"0.00.484.485 W slot   operator(): id  1 | task 6 | n_past was set to 34",
	"0.00.482.130 I slot print_timing: id  1 | task 0 | prompt eval time =     101.84 ms /    35 tokens (    2.91 ms per token,   343.69 tokens per second)",
	"0.00.482.136 I slot print_timing: id  1 | task 0 |       total time =     132.32 ms /    40 tokens",
	"0.00.482.138 I slot print_timing: id  1 | task 0 |    graphs reused =          3",
	"0.00.484.390 I slot      release: id  1 | task 0 | stop processing: n_tokens = 39, truncated = 0",
	"0.00.589.360 E srv  process_sing: failed to launch slot with task, id_task = 20",
	"0.00.589.370 W srv          stop: cancel task, id_task = 20",
	"0.00.602.315 E srv    send_error: task id = 22, error: request (8030 tokens) exceeds the available context size (512 tokens), try increasing it",
	"ggml_metal_synchronize: error: command buffer 0 failed with status 5",
	"error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)",
	"CUDA error: out of memory",
}

// Lines that llama.cpp wrote, or may write, with a prompt's words in them.
var telling = []string{
	`0.00.586.279 W srv    operator(): got exception: {"error":{"code":400,"message":"[json.exception.parse_error.101] parse error at line 2, column 0: syntax error while parsing value - invalid string: last read: '\"canary<U+000A>'","type":"invalid_request_error"}}`,
	`0.00.590.070 W srv    operator(): got exception: {"error":{"code":400,"message":"response_format type must be one of \"text\" or \"json_object\", but got: canary","type":"invalid_request_error"}}`,
	"parse: error parsing grammar: expecting ')' at ",
	"",
	"root ::= canary (",
	"0.00.589.349 E srv    send_error: task id = 20, error: Failed to initialize samplers: canary",
	"0.00.349.762 I slot launch_slot_: id  1 | task 0 | canary",
	"0.00.349.762 D slot update_slots: id  1 | task 0 | prompt = 'stop'",
	"canary: GGML_ASSERT is what I asked about",
	"terminate called after throwing an instance of 'canary'",
	"ggml_metal_init: canary",
	"CUDA error: canary",
	"error: canary",
	"0.00.603.479 W srv    operator(): unauthorized: Invalid API Key sk-canary",
	"0.00.603.479 W srv    operator(): unauthorized: Invalid API Key", // a probe's
	"0.00.349.667 I slot get_availabl: id  1 | task -1 | \xe2\x80\xa6",
}

// Of a crash, where and by what.
var crashes = map[string]string{
	"/src/llama.cpp/ggml/src/ggml.c:3172: GGML_ASSERT(ggml_can_mul_mat(a,b)) failed":                      "ggml.c:3172: GGML_ASSERT",
	`C:\src\llama-context.cpp:1008: GGML_ASSERT(my canary <= cparams.n_batch) failed`:                     "llama-context.cpp:1008: GGML_ASSERT",
	"/canary/ggml-cuda.cu:98: GGML_ABORT(\"canary\")":                                                     "ggml-cuda.cu:98: GGML_ABORT",
	"terminate called after throwing an instance of 'std::runtime_error'":                                 "terminate called after throwing an instance of 'std::runtime_error",
	"libc++abi: terminating due to uncaught exception of type std::runtime_error: canary":                 "libc++abi: terminating due to uncaught exception of type std::runtime_error",
	"libc++abi: terminating due to uncaught exception of type canary::error: the message of another type": "",
}

func TestOnceItServesOnlyWhatCannotHoldAPromptIsLogged(t *testing.T) {
	for _, line := range harmless {
		if got := loggable([]byte(line), true); string(got) != line {
			t.Errorf("%q is left of: %s", got, line)
		}
	}
	for _, line := range telling {
		if got := loggable([]byte(line), true); got != nil {
			t.Errorf("%q is logged of: %s", got, line)
		}
		if got := loggable([]byte(line), false); string(got) != line {
			t.Errorf("%q is left, while loading, of: %s", got, line)
		}
	}
	for line, want := range crashes {
		if got := loggable([]byte(line), true); string(got) != want {
			t.Errorf("%q is left, want %q, of: %s", got, want, line)
		}
	}
}

// Whatever somebody's words are and wherever they land in a line, none of them is
// logged that is not llama.cpp's own.
func FuzzNoFreeTextIsLogged(f *testing.F) {
	into := slices.Concat(harmless, slices.Sorted(maps.Keys(crashes)))
	for _, text := range []string{"canary", "my secret plan", "the slot is canary", "é", "x\ny", `"quoted"`, "GGML_ASSERT(canary) failed", "stop", "a b"} {
		for line := range into {
			f.Add(text, line, 7*line)
		}
	}
	f.Fuzz(func(t *testing.T, text string, line, at int) {
		whole := into[abs(line)%len(into)]
		at = abs(at) % (len(whole) + 1)
		for _, told := range []string{text, whole[:at] + " " + text + " " + whole[at:]} {
			for _, w := range strings.FieldsFunc(string(loggable([]byte(told), true)), func(r rune) bool { return !unicode.IsLetter(r) && r != '_' }) {
				if !words[w] && !strings.Contains(whole, w) && !formWord.MatchString(w) {
					t.Errorf("%q is logged of: %q", w, told)
				}
			}
		}
	})
}

// formWord is what stands in the forms beside the list: who reports, and of what kind.
var formWord = regexp.MustCompile(`^([IWE]|slot|srv|(get_availabl|update_slots|print_timing|send_error|operator|process_sing|launch_slot_)|CUDA|GGML_(ASSERT|ABORT)|ggml_(metal|cuda|vulkan|backend)[a-z_]*)$`)

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}
