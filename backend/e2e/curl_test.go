package e2e

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"mlxbar/backend/datadir"
	"mlxbar/backend/settings"
)

// run runs a command line in a shell, with mlxbar by its name.
func (h *house) run(line string) []byte {
	h.t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*", datadir.Env+"="+h.paths.Root, "MLXBAR="+program)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		h.t.Fatalf("%s: %v\n%s%s", line, err, out, said.Bytes())
	}
	return out
}

// The words of the README: curl asks, the command line exports.
func TestCurlIsAnsweredAndItsRequestExported(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("curl is missing: run make setup")
	}
	// The model is small: now and then it goes on until its context is full.
	h := newHouse(t, func(s *settings.Settings) { s.Engines.LlamaCPP.ContextSize = 512 })
	address, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	raw := h.run(`curl -s localhost:` + address.Port() + `/v1/chat/completions -H 'Content-Type: application/json' -d '{"model":"smollm2-135m-instruct","messages":[{"role":"user","content":"Say hello"}]}'`)
	var answer struct {
		ID      string
		Choices []struct {
			Message      struct{ Role, Content string }
			FinishReason string `json:"finish_reason"`
		}
		Usage usage
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	if len(answer.Choices) != 1 || answer.Choices[0].Message.Role != "assistant" || strings.TrimSpace(answer.Choices[0].Message.Content) == "" || answer.Usage.Total == 0 {
		t.Fatalf("answer %s", raw)
	}

	// At once, as a person would.
	table, err := csv.NewReader(bytes.NewReader(h.run(`"$MLXBAR" audit export --format csv`))).ReadAll()
	if err != nil || len(table) != 2 {
		t.Fatalf("%v, %q", err, table)
	}
	var line map[string]any
	numbers := json.NewDecoder(bytes.NewReader(h.run(`"$MLXBAR" audit export --format jsonl`)))
	numbers.UseNumber()
	if err := numbers.Decode(&line); err != nil {
		t.Fatal(err)
	}
	// The list of those whom a request left to is columns of a table; a local one has neither.
	flat := []string{"left_to", "bytes_out", "bytes_in"}
	if len(line) != len(table[0])-len(flat) {
		t.Errorf("JSONL has the members %v, CSV the columns %v", line, table[0])
	}
	cells := map[string]string{}
	for i, name := range table[0] {
		cells[name] = table[1][i]
		value, ok := line[name]
		if !ok && !slices.Contains(flat, name) {
			t.Errorf("JSONL has no %s", name)
		}
		if name != "started_at" && cells[name] != text(t, value) {
			t.Errorf("%s is %q in CSV and %v in JSONL", name, cells[name], value)
		}
	}
	h.checkCells(cells, answer.Usage.Total)
	if strings.Contains(strings.Join(slices.Concat(table...), ","), "Say hello") {
		t.Error("the export holds the prompt")
	}
}

func (h *house) checkCells(cells map[string]string, total int64) {
	h.t.Helper()
	for name, want := range map[string]string{
		"model": local, "served_model": local, "backend": "LOCAL", "provider": "llamacpp", "endpoint": "/v1/chat/completions",
		"stream": "false", "status": "success", "http_status": "200", "error_type": "", "attempts": "1", "ttft_ms": "",
	} {
		if cells[name] != want {
			h.t.Errorf("%s is %q, want %q", name, cells[name], want)
		}
	}
	if cells["total_tokens"] != text(h.t, total) || !strings.HasPrefix(cells["client"], "curl/") || cells["duration_ms"] == "" || cells["request_id"] != h.only().RequestID {
		h.t.Errorf("line %v", cells)
	}
}

// text writes a value of JSON as a cell has it.
func text(t *testing.T, v any) string {
	t.Helper()
	if v == nil {
		return ""
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(string(raw), `"`)
}
