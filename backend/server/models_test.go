package server_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

// A data folder that nobody has set up answers all the same: the first request brings
// the starter. Who looks for a model to ask must find it before.
func TestTheStarterIsFoundBeforeItIsThere(t *testing.T) {
	h := newHouse(t, "")
	h.writeSettings(`{"version": 2}`)
	h.start()
	if got := gjson.Get(h.text(h.request("GET", "/v1/models", ""), 200), "data.#.id").String(); got != `["`+models.StarterName+`"]` {
		t.Errorf("/v1/models lists %s", got)
	}
	h.text(h.request("GET", "/v1/models/"+models.StarterName, ""), 200)
	if d := h.problem(h.chat("other", false), problem.ModelNotFound); !strings.Contains(d.Detail, models.StarterName) {
		t.Errorf("who asks for another model reads %q", d.Detail)
	}
	starter := gjson.Get(h.text(h.request("GET", "/api/models", ""), 200), "models.0")
	if starter.Get("name").Str != models.StarterName || starter.Get("engine").Str != "llamacpp" || starter.Get("state").Str != "idle" || starter.Get("size_bytes").Int() == 0 {
		t.Errorf("/api/models lists %s", starter)
	}
}

// A file that is dropped into the models folder appears by itself as soon as it is whole, and a listener hears of it.
func TestAModelDroppedInAppears(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(testkit.Prepared(t), "models", models.StarterName+".gguf"))
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, "")
	added := filepath.Join(t.TempDir(), "hub")
	h.writeSettings(fmt.Sprintf(`{"version": 2, "models": {"folders": [%q]}}`, added))
	h.start()
	live := h.listen("")
	listed := func() string { return gjson.Get(h.text(h.request("GET", "/v1/models", ""), 200), "data.#.id").String() }
	path := filepath.Join(h.paths.Models, "Dropped.gguf")
	h.write(path, string(whole[:len(whole)/2]))
	live.until("models", func(data string) bool { return gjson.Get(data, "broken.0.arriving").Bool() })
	if got := listed(); strings.Contains(got, "dropped") {
		t.Errorf("half a file is offered: %s", got)
	}
	if d := h.problem(h.chat("dropped", false), problem.EngineUnavailable); !strings.Contains(d.Detail, "still being written") {
		t.Errorf("who asks for half a file reads %q", d.Detail)
	}
	h.write(path, string(whole))
	data := live.until("models", func(data string) bool { return gjson.Get(data, "models.0.name").Str == "dropped" }).data
	if got := listed(); !strings.Contains(got, `"dropped"`) {
		t.Errorf("/v1/models lists %s", got)
	}
	m := gjson.Get(data, "models.0")
	for field, want := range map[string]string{
		"architecture": "llama", "parameters": "134515008", "quantization": "Q4_1", "context_length": "8192", "license": "apache-2.0", "engine": "llamacpp", "available": "true",
		"memory_tokens": "32768", "memory_bytes": "1013214016", "read_only": "false",
	} {
		if got := m.Get(field).String(); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
	if share := m.Get("memory_share").Float(); share <= 0 || share > 1 || m.Get("fits").Bool() != (share <= 0.75) {
		t.Errorf("of the machine it takes %v, fits: %v", share, m.Get("fits"))
	}
	if got := gjson.Get(data, "folders.1.problem").Str; got != "it is not there" {
		t.Errorf("a folder that is missing: %q", got)
	}
}

// What is set for a model that its engine cannot do is refused with the field, and not passed over; set before the model came, it is told by the load.
func TestWhatMLXCannotDoIsRefused(t *testing.T) {
	h := newHouse(t, "")
	h.writeSettings(`{"version": 2, "engines": {"mlx": {"enabled": "on"}}, "models": {"each": [{"name": "early", "draft": "other"}]}}`)
	for _, name := range []string{"tiny", "early"} {
		h.mlxFolder(name)
	}
	h.start()
	each := func(fields string) string {
		return `{"models": {"each": [{"name": "early", "draft": "other"}, {"name": "TINY", ` + fields + `}]}}`
	}
	for fields, location := range map[string]string{`"draft": "other"`: "models.each[1].draft", `"arguments": ["--flash-attn", "on"]`: "models.each[1].arguments"} {
		d := h.problem(h.request("PATCH", "/api/settings", each(fields)), problem.InvalidRequest)
		if len(d.Errors) != 1 || d.Errors[0].Location != location || !strings.Contains(d.Errors[0].Detail, "engine mlx") {
			t.Errorf("%s: %+v", fields, d.Errors)
		}
	}
	h.text(h.request("PATCH", "/api/settings", each(`"parallel": 3, "context_size": 512`)), 200) // and what was there already is in nobody's way
	h.text(h.request("PATCH", "/api/settings", `{"models": {"each": [{"name": "not-there", "draft": "other"}]}}`), 200)
}

// What no engine of this server runs is shown, with the engine that would, and is not offered.
func TestAnMLXFolderIsShownAndNotOffered(t *testing.T) {
	h := newHouse(t, "")
	h.writeSettings(`{"version": 2, "engines": {"mlx": {"enabled": "off"}}}`)
	h.mlxFolder("Tiny-4bit")
	h.start()
	m := gjson.Get(h.text(h.request("GET", "/api/models", ""), 200), `models.#(name=="tiny-4bit")`)
	if m.Get("format").Str != "mlx" || m.Get("engine").Str != "mlx" || m.Get("available").Bool() {
		t.Errorf("/api/models lists it as %s", m)
	}
	if got := h.text(h.request("GET", "/v1/models", ""), 200); strings.Contains(got, "tiny") {
		t.Errorf("/v1/models lists %s", got)
	}
	if d := h.problem(h.chat("tiny-4bit", false), problem.EngineUnavailable); !strings.Contains(d.Detail, "format mlx") {
		t.Errorf("who asks for it reads %q", d.Detail)
	}
}

// mlxFolder puts the smallest folder that is a model of the format mlx into the models folder.
func (h *house) mlxFolder(name string) {
	h.t.Helper()
	folder := filepath.Join(h.paths.Models, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		h.t.Fatal(err)
	}
	head := `{"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}`
	h.write(filepath.Join(folder, "config.json"), `{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}`)
	h.write(filepath.Join(folder, "model.safetensors"), string(binary.LittleEndian.AppendUint64(nil, uint64(len(head))))+head+"0000")
}
