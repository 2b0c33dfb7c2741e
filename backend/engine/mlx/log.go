package mlx

import (
	"regexp"
	"strings"
)

// Once it serves, a line may hold what somebody asked. So it stands in the log only if it is the
// script's own, which names the kind of an error and no more, or says how the process crashed.
var (
	own   = regexp.MustCompile(`^engine: [a-z ]+: [A-Za-z_]+$`)
	crash = regexp.MustCompile(`^(terminate called after throwing an instance of '|libc\+\+abi: terminating due to uncaught exception of type )std::[a-z_]+\b` +
		`|\[METAL\] Command buffer execution failed: (Insufficient Memory|Caused GPU Timeout Error|Internal Error)\b`)
)

// loggable keeps what was said while loading, which has seen nobody's words, and
// afterwards only what cannot hold any.
func loggable(line []byte, ready bool) []byte {
	if !ready || own.Match(line) {
		return line
	}
	return crash.Find(line)
}

// explanations turn the words of a failed load into a sentence of our own; the first that fits counts.
var explanations = []struct{ sign, sentence string }{
	{"custom module", "The model needs program code that it brings along, and mlxbar runs none of a model's."},
	{"trust_remote_code", "The model needs program code that it brings along, and mlxbar runs none of a model's."},
	{"Model type", "This version of mlx-lm does not know the model's architecture."},
	{"[METAL] Command buffer execution failed: Insufficient Memory", noMemory},
	{"out of memory", noMemory},
	{"Unable to allocate", noMemory},
	{"Attempting to allocate", noMemory},
	{"parameters not in model", "The model's files are damaged or of a kind that mlx-lm cannot run."},
	{"Missing ", "The model's files are damaged or of a kind that mlx-lm cannot run."},
	{"[load_safetensors]", "The model's files are damaged: one cannot be read."},
	{"okenizer", "The model's folder has no tokenizer that mlx-lm can read."},
	{"cannot load the engine", "mlx-lm does not start on this machine; the engine's log says why."},
	{"cannot load the model", "mlx-lm cannot load the model; the engine's log says why."},
}

const noMemory = "There is not enough memory for the model."

// explain looks at the last words alone: a trace before them names files of any name.
func explain(lines []string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.HasPrefix(lines[i], "cannot load ") {
			lines = lines[i:]
			break
		}
	}
	text := strings.Join(lines, "\n")
	for _, e := range explanations {
		if strings.Contains(text, e.sign) {
			return e.sentence
		}
	}
	return ""
}
