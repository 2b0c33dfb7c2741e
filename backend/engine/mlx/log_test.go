package mlx

import (
	"strings"
	"testing"
)

func TestOnceItServesOnlyWhatCannotHoldAPromptIsLogged(t *testing.T) {
	for line, want := range map[string]string{
		"engine: a request failed: ValueError":                                                 "engine: a request failed: ValueError",
		"engine: the generation ended: RuntimeError":                                           "engine: the generation ended: RuntimeError",
		"engine: a request failed: ValueError: zqcanary":                                       "",
		"engine: zqcanary said 5: ValueError":                                                  "",
		"2026-11-26 22:00:00,000 - ERROR - JSONDecodeError: x - Raw body: zqcanary":            "",
		"2026-11-26 22:00:00,000 - WARNING - Failed to parse tool call (ValueError: zqcanary)": "",
		"ValueError: zqcanary":                                                                 "",
		"zqcanary":                                                                             "",
		"":                                                                                     "",
		"terminate called after throwing an instance of 'std::runtime_error' what(): zqcanary":      "terminate called after throwing an instance of 'std::runtime_error",
		"libc++abi: terminating due to uncaught exception of type std::runtime_error: zqcanary":     "libc++abi: terminating due to uncaught exception of type std::runtime_error",
		"x [METAL] Command buffer execution failed: Insufficient Memory (00000008:kIOGPU) zqcanary": "[METAL] Command buffer execution failed: Insufficient Memory",
	} {
		if got := string(loggable([]byte(line), true)); got != want {
			t.Errorf("of %q the log has %q, want %q", line, got, want)
		}
		if got := string(loggable([]byte(line), false)); got != line {
			t.Errorf("while it loads, of %q the log has %q", line, got)
		}
	}
}

func TestWordsOfAFailedLoadBecomeASentence(t *testing.T) {
	for said, want := range map[string]string{
		"cannot load the model: Model type new not supported. Error: No module named 'x'":                        "This version of mlx-lm does not know the model's architecture.",
		"cannot load the model: The model requires a custom module ('x.py') to build its architecture.":          "The model needs program code that it brings along, and mlxbar runs none of a model's.",
		"cannot load the model: Received 3 parameters not in model: \na,b,c.":                                    "The model's files are damaged or of a kind that mlx-lm cannot run.",
		"cannot load the model: Missing 1 parameters: \na.":                                                      "The model's files are damaged or of a kind that mlx-lm cannot run.",
		"cannot load the model: [load_safetensors] Failed to open file":                                          "The model's files are damaged: one cannot be read.",
		"cannot load the model: Couldn't instantiate the backend tokenizer":                                      "The model's folder has no tokenizer that mlx-lm can read.",
		"cannot load the model: [malloc_or_wait] Unable to allocate 99999999999 bytes":                           noMemory,
		"cannot load the model: [METAL] Command buffer execution failed: Insufficient Memory (0000:kIOGPUError)": noMemory,
		"cannot load the model: something else":                                                                  "mlx-lm cannot load the model; the engine's log says why.",
		"cannot load the engine: No module named 'mlx'":                                                          "mlx-lm does not start on this machine; the engine's log says why.",
		"Segmentation fault": "",
	} {
		lines := append([]string{"Traceback (most recent call last):", `  File "/models/Model type Missing/out of memory", line 1`}, strings.Split(said, "\n")...)
		if want == "" {
			lines = []string{said}
		}
		if got := explain(lines); got != want {
			t.Errorf("%s\n is explained by %q, want %q", said, got, want)
		}
	}
	if got := explain(nil); got != "" {
		t.Errorf("nothing is explained by %q", got)
	}
}
