package settings

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// files are settings as people write them. want maps the location of each fault
// to a part of what is said about it; "" is the whole file. schema is set where
// only Validate can know.
var files = []struct {
	name, text string
	want       map[string]string
	onlyWe     bool // the schema lets it through
}{
	{name: "empty", text: `{}`},
	{name: "a schema", text: `{"$schema": "./settings.schema.json", "version": 2}`},
	{name: "a few fields", text: `{"server": {"addr": "localhost:0"}, "timeouts": {"chat": "1h30m"}}`},
	{name: "ends of ranges", text: `{"server": {"max_body_mb": 1024}, "timeouts": {"chat": "120m", "embeddings": "60s", "connect": "1s"},
		"engines": {"llamacpp": {"parallel": 64, "threads": 512, "context_size": 1048576}}, "audit": {"retention_days": 1, "max_size_mb": 16, "durability": "strict"}}`},
	{name: "whole numbers in other clothes", text: `{"server": {"max_body_mb": 6.4e1}, "audit": {"retention_days": 30.0}}`},
	{name: "a provider with routes", text: `{"providers": [{"name": "open-ai", "kind": "openai", "base_url": "https://api.openai.com/v1", "api_key_env": "OPENAI_API_KEY"},
		{"name": "ollama", "kind": "openai", "base_url": "http://127.0.0.1:11434/v1/"}],
		"routes": [{"model": "gpt-*", "targets": [{"provider": "open-ai"}]}, {"model": "*", "targets": [{"provider": "ollama", "model": "llama"}]}]}`},
	{name: "keys over http to this machine, and no key to another", text: `{"providers": [{"name": "a", "kind": "openai", "base_url": "http://localhost:1/v1", "api_key_env": "KEY"},
		{"name": "b", "kind": "openai", "base_url": "http://127.0.0.2:1", "api_key_env": "KEY"}, {"name": "c", "kind": "openai", "base_url": "http://[::1]", "api_key_env": "KEY"},
		{"name": "d", "kind": "openai", "base_url": "http://LocalHost", "api_key_env": "KEY"}, {"name": "e", "kind": "openai", "base_url": "http://192.0.2.1:8000/v1"}]}`},
	{name: "a key in the keychain", text: `{"providers": [{"name": "work", "kind": "openai", "base_url": "https://api.openai.com/v1", "api_key_keychain": "open-ai"},
		{"name": "near", "kind": "openai", "base_url": "http://127.0.0.1:1/v1", "api_key_keychain": "open-ai"}]}`},
	{name: "origins", text: `{"server": {"allowed_origins": ["http://localhost:3000", "https://a.example", "app://obsidian.md", "chrome-extension://abc"]}}`},
	{name: "IPv6", text: `{"server": {"addr": "[::1]:65535"}}`},
	{name: "models to load", text: `{"models": {"each": [{"name": "smollm2-135m-instruct", "preload": true}]}}`},

	{name: "no object", text: `[]`, want: map[string]string{"": "must be a JSON object"}},
	{name: "nothing", text: ``, want: map[string]string{"": "ends too early"}},
	{name: "cut off", text: `{"server": {`, want: map[string]string{"": "ends too early"}},
	{name: "a comma too many", text: "{\n  \"version\": 1,\n}", want: map[string]string{"": "line 3"}},
	{name: "more behind it", text: `{} {}`, want: map[string]string{"": "after the closing brace"}},
	{name: "garbage behind it", text: `{} x`, want: map[string]string{"": "not JSON"}},
	{name: "a field twice", text: `{"server": {"addr": "localhost:1", "addr": "localhost:2"}}`, want: map[string]string{"server.addr": "twice"}, onlyWe: true},
	{name: "a slip", text: `{"server": {"adr": "localhost:1"}}`, want: map[string]string{"server.adr": "did you mean addr?"}},
	{name: "a capital", text: `{"Server": {}}`, want: map[string]string{"Server": "did you mean server?"}},
	{name: "something else", text: `{"colour": "red"}`, want: map[string]string{"colour": "there is $schema, audit"}},
	{name: "unknown deep down", text: `{"routes": [{"model": "a", "targets": [{"provider": "p", "wieght": 1}]}], "providers": [{"name": "p", "kind": "openai", "base_url": "http://h"}]}`,
		want: map[string]string{"routes[0].targets[0].wieght": "is unknown"}},
	{name: "types", text: `{"version": "1", "server": [], "timeouts": {"chat": 15}, "models": {"folders": "a"}, "engines": {"llamacpp": {"parallel": 1.5, "threads": true}}, "providers": {}, "audit": {"durability": null}}`,
		want: map[string]string{
			"version": "whole number, not a string", "server": "an object, not a list", "timeouts.chat": `such as "15m"`, "models.folders": "a list, not a string",
			"engines.llamacpp.parallel": "not a fraction", "engines.llamacpp.threads": "not a boolean", "providers": "a list, not an object", "audit.durability": "null (leave the field out",
		}},
	{name: "a type in a list", text: `{"server": {"allowed_origins": ["http://a", 5]}}`, want: map[string]string{"server.allowed_origins[1]": "a string, not a number"}},
	{name: "no duration", text: `{"timeouts": {"idle": "soon"}}`, want: map[string]string{"timeouts.idle": "must be a duration"}},
	{name: "version nought", text: `{"version": 0}`, want: map[string]string{"version": "must be 2"}},
	{name: "a name for an address", text: `{"server": {"addr": "my-mac.local:10242"}}`, want: map[string]string{"server.addr": "an IP address or localhost"}},
	{name: "no host", text: `{"server": {"addr": ":10242"}}`, want: map[string]string{"server.addr": "0.0.0.0:10242 for every address"}},
	{name: "no IPv4", text: `{"server": {"addr": "192.168.1.256:80"}}`, want: map[string]string{"server.addr": "an IP address"}, onlyWe: true},
	{name: "a port too high", text: `{"server": {"addr": "127.0.0.1:65536"}}`, want: map[string]string{"server.addr": "65535"}, onlyWe: true},
	{name: "no port", text: `{"server": {"addr": "127.0.0.1"}}`, want: map[string]string{"server.addr": "port"}},
	{name: "no IPv6", text: `{"server": {"addr": "[2001:db8::1::]:80"}}`, want: map[string]string{"server.addr": "an IP address"}, onlyWe: true},
	{name: "IPv6 of one cable", text: `{"server": {"addr": "[fe80::1%en0]:80"}}`, want: map[string]string{"server.addr": "an IP address"}},
	{name: "out of range", text: `{"server": {"max_body_mb": 0}, "engines": {"llamacpp": {"parallel": 65, "threads": -1, "context_size": 1048577}}, "audit": {"retention_days": 3651, "max_size_mb": 15, "durability": "none"}}`,
		want: map[string]string{
			"server.max_body_mb": "from 1 to 1024", "engines.llamacpp.parallel": "from 1 to 64", "engines.llamacpp.threads": "from 0 to 512",
			"engines.llamacpp.context_size": "from 0 to 1048576", "audit.retention_days": "from 1 to 3650", "audit.max_size_mb": "from 16 to 65536", "audit.durability": "batched or strict",
		}},
	{name: "durations out of range", text: `{"timeouts": {"chat": "59s", "completions": "121m", "embeddings": "0", "connect": "3m", "first_token": "999ms", "idle": "-1m"}}`,
		want: map[string]string{
			"timeouts.chat": "from 1m to 120m", "timeouts.completions": "from 1m to 120m", "timeouts.embeddings": "from 1m to 120m",
			"timeouts.connect": "from 1s to 2m", "timeouts.first_token": "from 1s to 120m", "timeouts.idle": "from 1s to 120m",
		}},
	{name: "a duration out of range alone", text: `{"timeouts": {"chat": "3h"}}`, want: map[string]string{"timeouts.chat": "from 1m to 120m"}, onlyWe: true},
	{name: "no origins", text: `{"server": {"allowed_origins": ["*", "http://a/", "http://*.a", "a.example", "http://a:99999", "HTTP://a", "http://A", "null", "file://a", "http://u@a", "http://a?b"]}}`,
		want: map[string]string{
			"server.allowed_origins[0]": "origin", "server.allowed_origins[1]": "without a path", "server.allowed_origins[2]": "origin", "server.allowed_origins[3]": "origin",
			"server.allowed_origins[4]": "origin", "server.allowed_origins[5]": "origin", "server.allowed_origins[6]": "origin", "server.allowed_origins[7]": "origin",
			"server.allowed_origins[8]": "origin", "server.allowed_origins[9]": "origin", "server.allowed_origins[10]": "origin",
		}},
	{name: "no folders", text: `{"models": {"folders": ["models", "", "~", "~/.cache/huggingface/hub", "/m"]}}`, want: map[string]string{
		"models.folders[0]": "whole path", "models.folders[1]": "whole path", "models.folders[2]": "such as ~/",
	}},
	{name: "settings of single models", text: `{"engines": {"memory_percent": 95, "idle_unload_minutes": 1440, "queue": 1, "llamacpp": {"command": "~/llama.cpp/build/bin/llama-server"}},
		"models": {"each": [{"name": "Large", "pin": true, "preload": true, "context_size": 128, "parallel": 64, "draft": "small",
			"arguments": ["--flash-attn", "on", "--swa-full", "--cache-type-k", "q8_0", "--gpu-layers", "0"]}, {"name": "small", "arguments": []}]}}`},
	{name: "single models out of range", text: `{"engines": {"memory_percent": 9, "idle_unload_minutes": -1, "queue": 0, "llamacpp": {"command": "llama-server"}},
		"models": {"each": [{"pin": true}, {"name": "a", "context_size": 127, "parallel": 65, "draft": "", "arguments": ["--flash attn"]}, {"name": "b", "context_size": 0}]}}`,
		want: map[string]string{
			"engines.memory_percent": "from 10 to 95", "engines.idle_unload_minutes": "from 0 to 1440", "engines.queue": "from 1 to 4096", "engines.llamacpp.command": "whole path",
			"models.each[0].name": "empty", "models.each[1].context_size": "from 128 to 1048576", "models.each[1].parallel": "from 1 to 64", "models.each[1].draft": "empty",
			"models.each[1].arguments[0]": "such as --flash-attn", "models.each[2].context_size": "from 128",
		}},
	{name: "a model that is set twice", text: `{"models": {"each": [{"name": "a"}, {"name": "b", "draft": "B"}, {"name": "A"}]}}`,
		want: map[string]string{"models.each[1].draft": "another model", "models.each[2].name": "models.each[0]"}, onlyWe: true},
	{name: "arguments", text: `{"models": {"each": [{"name": "a", "arguments": ["--host", "0.0.0.0"]}, {"name": "b", "arguments": ["--flash-attn"]}, {"name": "c", "arguments": ["--flash-attn", "yes"]},
		{"name": "d", "arguments": ["--gpu-layers", "many"]}, {"name": "e", "arguments": ["--swa-full", "on"]}, {"name": "f", "arguments": ["--swa-full", "--swa-full"]}, {"name": "g", "arguments": ["--spec-draft-n-max", "4"]}]}}`,
		want: map[string]string{
			"models.each[0].arguments[0]": "must be one of --cache-reuse, ", "models.each[1].arguments[0]": "must be followed by on, off or auto", "models.each[2].arguments[1]": "must be on, off or auto",
			"models.each[3].arguments[1]": "whole number from 0 to 1000", "models.each[4].arguments[1]": "must be one of", "models.each[5].arguments[1]": "stands there twice",
			"models.each[6].arguments[0]": "needs draft",
		}, onlyWe: true},
	{name: "a model without a name", text: `{"models": {"each": [{"name": " ", "preload": true}]}}`, want: map[string]string{"models.each[0].name": "empty"}},
	{name: "a field that has moved", text: `{"engines": {"preload": ["a"]}}`, want: map[string]string{"engines.preload": "preload in models.each"}},
	{name: "providers", text: `{"providers": [{"name": "A b", "kind": "claude", "base_url": "ftp://x", "api_key_env": "MY-KEY"}, {"name": "llamacpp", "kind": "openai", "base_url": "https://u:p@h"}, {}]}`,
		want: map[string]string{
			"providers[0].name": "a-z, 0-9 and -", "providers[0].kind": "must be openai or anthropic", "providers[0].base_url": "http or https", "providers[0].api_key_env": "not the key itself",
			"providers[1].name": "not be local", "providers[1].base_url": "without user",
			"providers[2].name": "a-z", "providers[2].kind": "openai or anthropic", "providers[2].base_url": "http",
		}},
	{name: "a base URL with a query", text: `{"providers": [{"name": "a", "kind": "openai", "base_url": "https://h/v1?key=1"}]}`, want: map[string]string{"providers[0].base_url": "query"}},
	{name: "keys over http to another machine", text: `{"providers": [{"name": "a", "kind": "openai", "base_url": "http://192.0.2.1:8000/v1", "api_key_env": "KEY"},
		{"name": "b", "kind": "openai", "base_url": "http://localhost.example", "api_key_env": "KEY"}, {"name": "c", "kind": "openai", "base_url": "http://[2001:db8::1]/v1", "api_key_env": "KEY"},
		{"name": "d", "kind": "openai", "base_url": "http://0.0.0.0:1", "api_key_env": "KEY"}]}`,
		want: map[string]string{
			"providers[0].base_url": "must begin with https, because api_key_env", "providers[1].base_url": "https", "providers[2].base_url": "https", "providers[3].base_url": "https",
		}, onlyWe: true},
	{name: "keys of the keychain", text: `{"providers": [{"name": "a", "kind": "openai", "base_url": "http://192.0.2.1/v1", "api_key_keychain": "a"},
		{"name": "b", "kind": "openai", "base_url": "https://h", "api_key_keychain": "b", "api_key_env": "KEY"}]}`,
		want: map[string]string{"providers[0].base_url": "must begin with https, because api_key_keychain", "providers[1].api_key_keychain": "where api_key_env is given"}, onlyWe: true},
	{name: "a key where its name belongs", text: `{"providers": [{"name": "a", "kind": "openai", "base_url": "https://h", "api_key_keychain": "sk-Secret_1"}]}`,
		want: map[string]string{"providers[0].api_key_keychain": "not the key itself"}},
	{name: "a key to what is no address", text: `{"providers": [{"name": "a", "kind": "openai", "base_url": "http://u:p@h", "api_key_env": "KEY"}]}`,
		want: map[string]string{"providers[0].base_url": "without user"}},
	{name: "a provider that passes for this machine", text: `{"providers": [{"name": "mlxbar", "kind": "openai", "base_url": "http://h"}]}`, want: map[string]string{"providers[0].name": "mlxbar"}},
	{name: "twins", text: `{"providers": [{"name": "a", "kind": "openai", "base_url": "http://h"}, {"name": "a", "kind": "openai", "base_url": "http://i"}]}`,
		want: map[string]string{"providers[1].name": "taken by providers[0]"}, onlyWe: true},
	{name: "a route to nowhere", text: `{"providers": [{"name": "a", "kind": "openai", "base_url": "http://h"}], "routes": [{"model": "x", "targets": [{"provider": "b"}]}]}`,
		want: map[string]string{"routes[0].targets[0].provider": "there is a"}, onlyWe: true},
	{name: "spread over targets", text: `{"local_only": true, "providers": [{"name": "a", "kind": "openai", "base_url": "http://h"}],
		"routes": [{"model": "x", "spread": "weight", "targets": [{"provider": "local", "weight": 3}, {"provider": "a"}, {"provider": "a", "model": "y", "weight": 1000}]}]}`},
	{name: "no spread", text: `{"local_only": "yes", "providers": [{"name": "a", "kind": "openai", "base_url": "http://h"}],
		"routes": [{"model": "x", "spread": "even", "targets": [{"provider": "local", "weight": 0}, {"provider": "a", "weight": 1001}]}, {"model": "y", "spread": "", "targets": [{"provider": "a", "weight": "2"}]}]}`,
		want: map[string]string{
			"local_only": "true or false, not a string", "routes[0].spread": "order or weight or load", "routes[0].targets[0].weight": "from 1 to 1000", "routes[0].targets[1].weight": "from 1 to 1000",
			"routes[1].spread": "order or weight", "routes[1].targets[0].weight": "whole number, not a string",
		}},
	{name: "a target twice", text: `{"routes": [{"model": "x", "targets": [{"provider": "local"}, {"provider": "local", "model": "y"}, {"provider": "local"}]}]}`,
		want: map[string]string{"routes[0].targets[2]": "same as targets[0]"}, onlyWe: true},
	{name: "targets", text: `{"providers": [{"name": "a", "kind": "openai", "base_url": "http://h"}], "routes": [{"model": "", "targets": []}, {"model": "x"}, {"model": "y", "targets": [{"provider": "a"}, {"provider": "local"}]}, {"model": "z", "targets": [{}]}]}`,
		want: map[string]string{
			"routes[0].model": "empty", "routes[0].targets": "1 to 16 entries", "routes[1].targets": "1 to 16 entries", "routes[3].targets[0].provider": "empty",
		}},
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(Schema())))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("settings.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("settings.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParse(t *testing.T) {
	schema := compileSchema(t)
	for _, c := range files {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			var invalid *Invalid
			got := map[string]string{}
			if errors.As(err, &invalid) {
				for _, f := range invalid.Fields {
					if _, twice := got[f.Location]; twice {
						t.Errorf("two faults at %s", f.Location)
					}
					got[f.Location] = f.Detail
				}
			} else if err != nil {
				t.Fatalf("not an *Invalid: %v", err)
			}
			for at, part := range c.want {
				if !strings.Contains(got[at], part) || got[at] == "" {
					t.Errorf("%s: %q does not say %q", at, got[at], part)
				}
				delete(got, at)
			}
			for at, detail := range got {
				t.Errorf("an unexpected fault: %s %s", at, detail)
			}
			doc, err := jsonschema.UnmarshalJSON(strings.NewReader(c.text))
			accepted := err == nil && schema.Validate(doc) == nil
			if want := c.want == nil || c.onlyWe; accepted != want {
				t.Errorf("the schema accepts it: %t, want %t", accepted, want)
			}
		})
	}
}

func TestMissingFieldsTakeTheirDefaults(t *testing.T) {
	got, err := Parse([]byte(`{"timeouts": {"chat": "20m"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.Schema = ""
	want.Timeouts.Chat = Duration(20 * 60e9)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDefaultsValidate(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	raw, err := encode(Defaults())
	if err != nil || strings.Contains(string(raw), "null") {
		t.Errorf("%s %v", raw, err)
	}
}

func TestFaultsDoNotRepeatSecrets(t *testing.T) {
	_, err := Parse([]byte(`{"api_key": "sk-secret", "providers": [{"name": "a", "kind": "openai", "base_url": "https://sk-secret@h", "api_key_env": "sk-secret", "api_key_keychain": "sk-secret!", "key": "sk-secret"}]}`))
	raw, jsonErr := json.Marshal(err)
	if err == nil || jsonErr != nil || strings.Contains(err.Error()+string(raw), "sk-secret") {
		t.Errorf("%v %s", err, raw)
	}
}

func TestANewerFileIsNotRead(t *testing.T) {
	if _, err := Parse([]byte(`{"version": 3, "unheard_of": true}`)); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v", err)
	}
}

func TestOlderFilesAreUpgradedStepByStep(t *testing.T) {
	if len(upgrades) != Version-1 {
		t.Errorf("%d upgrades lead to version %d", len(upgrades), Version)
	}
	steps := []func(map[string]any) error{
		func(doc map[string]any) error { doc["two"] = doc["one"]; delete(doc, "one"); return nil },
		func(doc map[string]any) error { doc["three"] = doc["two"]; delete(doc, "two"); return nil },
	}
	for from, field := range map[string]string{"1": "one", "2": "two", "3": "three"} {
		doc := map[string]any{"version": json.Number(from), field: "x"}
		if err := upgrade(doc, steps); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]any{"version": json.Number("3"), "three": "x"}, doc); diff != "" {
			t.Errorf("from %s: %s", from, diff)
		}
	}
	broken := errors.New("broken")
	err := upgrade(map[string]any{"version": json.Number("1")}, []func(map[string]any) error{func(map[string]any) error { return broken }})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// A file of version 1 names the models to load at the start in engines.preload. What it says stays said, and what cannot be read is a fault.
func TestModelsToLoadMoveToTheirEntries(t *testing.T) {
	s, err := Parse([]byte(`{"version": 1, "engines": {"preload": ["a", "B", "a"], "queue": 7}, "models": {"folders": ["/m"], "each": [{"name": "b", "pin": true}, {"name": "c", "preload": true}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []ModelSettings{{Name: "b", Pin: true, Preload: true}, {Name: "c", Preload: true}, {Name: "a", Preload: true}}
	if diff := cmp.Diff(want, s.Models.Each); diff != "" || s.Engines.Queue != 7 || len(s.Models.Folders) != 1 || s.Version != Version {
		t.Errorf("%s\n%+v", diff, s)
	}
	if s, err := Parse([]byte(`{"version": 1, "engines": {"preload": ["a"]}}`)); err != nil || len(s.Models.Each) != 1 {
		t.Errorf("%+v, %v", s.Models, err)
	}
	if s, err := Parse([]byte(`{"version": 1, "engines": {"preload": []}}`)); err != nil || len(s.Models.Each) != 0 {
		t.Errorf("%+v, %v", s.Models, err)
	}
	for _, text := range []string{`{"preload": "a"}`, `{"preload": ["a", 5]}`, `{"preload": [" "]}`} {
		var invalid *Invalid
		if _, err := Parse([]byte(`{"version": 1, "engines": ` + text + `}`)); !errors.As(err, &invalid) || invalid.Fields[0].Location != "engines.preload" || !strings.Contains(invalid.Fields[0].Detail, "preload in models.each") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Parse([]byte(`{"version": 1, "engines": {"preload": ["a"]}, "models": {"each": {}}}`)); err == nil {
		t.Error("entries that are no list are none to move to")
	}
}

// anySettings draws valid settings.
func anySettings(t *rapid.T) Settings {
	s := Defaults()
	s.Schema = rapid.SampledFrom([]string{"", schemaRef}).Draw(t, "schema")
	s.Server.MaxBodyMB = rapid.IntRange(1, 1024).Draw(t, "body")
	s.Timeouts.Chat = Duration(rapid.Int64Range(60e9, 7200e9).Draw(t, "chat"))
	s.Timeouts.Connect = Duration(rapid.Int64Range(1e9, 120e9).Draw(t, "connect"))
	s.Engines.LlamaCPP.Command = rapid.SampledFrom([]string{"", "/bin/llama-server"}).Draw(t, "command")
	for i, name := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9/.-]{1,8}`), 0, 4, rapid.ID).Draw(t, "each") {
		s.Models.Each = append(s.Models.Each, ModelSettings{Name: name, Pin: i%2 == 0, Preload: i%3 == 0, ContextSize: rapid.SampledFrom([]int{0, 128, 1 << 20}).Draw(t, "context"),
			Arguments: rapid.SampledFrom([][]string{nil, {"--flash-attn", "off", "--swa-full"}}).Draw(t, "arguments")})
	}
	s.Models.Folders = rapid.SliceOf(rapid.StringMatching(`(/|~/)[ -~äß]*`)).Draw(t, "folders")
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`p-[a-z0-9-]{0,8}`), 0, 4, rapid.ID).Draw(t, "providers")
	for i, name := range names {
		s.Providers = append(s.Providers, Provider{Name: name, Kind: KindOpenAI, BaseURL: "https://host:8080/v1", APIKeyEnv: rapid.SampledFrom([]string{"", "KEY"}).Draw(t, "env")})
		if p := &s.Providers[i]; p.APIKeyEnv == "" {
			p.APIKeyKeychain = rapid.SampledFrom([]string{"", "a-key"}).Draw(t, "keychain")
		}
		s.Routes = append(s.Routes, Route{Model: strings.Repeat("*", i+1), Targets: []Target{{Provider: name, Model: rapid.SampledFrom([]string{"", "m"}).Draw(t, "model")}}})
	}
	return s
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	schema := compileSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		s := anySettings(t)
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		raw, err := encode(s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(raw)
		if err != nil {
			t.Fatalf("%v\n%s", err, raw)
		}
		if diff := cmp.Diff(s, got); diff != "" {
			t.Fatal(diff)
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzParse: what is accepted is valid, agrees with the schema, and is read back
// as it is written.
func FuzzParse(f *testing.F) {
	for _, c := range files {
		f.Add(c.text)
	}
	schema := compileSchema(f)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse([]byte(text))
		if err != nil {
			var invalid *Invalid
			if errors.As(err, &invalid) == errors.Is(err, ErrNewer) {
				t.Errorf("neither or both: %v", err)
			}
			return
		}
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Error(err)
		}
		raw, err := encode(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(raw)
		if diff := cmp.Diff(s, again); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}

func TestTheHostOfAProvider(t *testing.T) {
	for address, want := range map[string]struct {
		host string
		here bool
	}{
		"https://api.openai.com/v1":      {"api.openai.com", false},
		"https://API.OpenAI.com:8443/v1": {"api.openai.com", false},
		"http://127.0.0.1:11434/v1":      {"127.0.0.1", true},
		"http://127.9.9.9":               {"127.9.9.9", true},
		"http://LocalHost:1234/v1":       {"localhost", true},
		"http://[::1]:8080/v1":           {"::1", true},
		"http://[2001:db8::1]:8080/v1":   {"2001:db8::1", false},
		"http://192.168.1.5:8000/a:b/v1": {"192.168.1.5", false},
		"http://127.0.0.1.example.com/":  {"127.0.0.1.example.com", false},
	} {
		p := Provider{BaseURL: address}
		if p.Host() != want.host || p.OnThisMachine() != want.here {
			t.Errorf("%s: host %s, here %v", address, p.Host(), p.OnThisMachine())
		}
	}
}
