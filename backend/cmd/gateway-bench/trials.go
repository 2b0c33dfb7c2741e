package main

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mlxbar/backend/models"
	"mlxbar/backend/settings"
)

// trial is one setting, or one kind of model, and what mlx-benchmark is to ask.
type trial struct {
	topic, name, model string
	set                func(*settings.LlamaCPP)
	args               []string
	neighbour          bool // somebody else uses one processor meanwhile
}

// chosen are the trials whose topic holds one of the words, which commas part, in any case.
func chosen(all []trial, words string) (out []trial) {
	for _, t := range all {
		if slices.ContainsFunc(strings.Split(words, ","), func(w string) bool { return strings.Contains(strings.ToLower(t.topic), strings.ToLower(w)) }) {
			out = append(out, t)
		}
	}
	return out
}

// trials are all of them; what is compared with one another has one topic.
func trials(quick bool, cpus int) []trial {
	// A quick run asks for little, for an engine on a busy machine is slow out of proportion.
	part, few := 1, "5"
	if quick {
		part, few = 4, "2"
	}
	ask := func(runs string, tokens int, prompt string, more ...string) []string {
		return append([]string{"--runs", runs, "--max-tokens", strconv.Itoa(tokens / part), "--prompt", prompt}, more...)
	}
	var all []trial
	add := func(topic, name, model string, set func(*settings.LlamaCPP), args []string) {
		all = append(all, trial{topic: topic, name: name, model: model, set: set, args: args})
	}
	starter := models.StarterName
	for _, n := range []int{1, 2, 4, 8} {
		add("Slots (parallel), 8 clients", strconv.Itoa(n), starter, func(s *settings.LlamaCPP) { s.Parallel, s.ContextSize = n, 2048 },
			ask(strconv.Itoa(8+8/part), 48, "short", "--concurrency", "8"))
	}
	for _, n := range []int{1024, 4096, 8192} {
		add("Context (context_size), 4 slots", thousands(n)+" tokens", starter, func(s *settings.LlamaCPP) { s.ContextSize = n }, ask(few, 64, "short"))
	}
	for _, prompt := range []string{"short", "medium", "long"} {
		add("Length of the prompt", prompt, starter, nil, ask(few, 48, prompt))
	}
	add("Prefix cache, long prompt", "a new prompt each time", starter, nil, ask(few, 16, "long"))
	add("Prefix cache, long prompt", "the same prompt again", starter, nil, ask(few, 16, "long", "--same-prompt"))
	for _, kind := range []string{"Q4_0", "Q4_1", "Q8_0", "F16"} {
		model := starter + "-" + strings.ToLower(kind)
		if kind == "Q4_1" {
			model = starter // as it is delivered
		}
		add("Weights stored as", kind, model, nil, ask(few, 64, "medium"))
	}
	if cpus > 1 {
		for _, busy := range []bool{false, true} {
			for _, n := range []int{cpus, cpus - 1} {
				name := strconv.Itoa(n) + " of " + strconv.Itoa(cpus)
				if busy {
					name += ", one CPU busy"
				}
				add("Threads (threads)", name, starter, func(s *settings.LlamaCPP) { s.Threads = n }, ask(few, 64, "short"))
				all[len(all)-1].neighbour = busy
			}
		}
	}
	add("Engine, the same weights", "llama.cpp", starter, nil, ask(few, 32, "short"))
	add("Engine, the same weights", "MLX, on the CPU", mlxModel, nil, ask(few, 32, "short"))
	return all
}

// modelName is what the gateway calls the model of a file.
func modelName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".gguf") }

func lines(text []byte) []string { return strings.Split(strings.TrimSpace(string(text)), "\n") }
