package admin_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"mlxbar/backend/admin"
	"mlxbar/backend/gateway/problem"
)

type operation struct {
	ID        string                  `json:"operationId"`
	Summary   string                  `json:"summary"`
	Security  *[]map[string][]string  `json:"security"`
	Responses map[string]mediaContent `json:"responses"`
}

type mediaContent struct {
	Description string                    `json:"description"`
	Content     map[string]map[string]any `json:"content"`
}

type document struct {
	OpenAPI    string                          `json:"openapi"`
	Info       map[string]any                  `json:"info"`
	Security   []map[string][]string           `json:"security"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas         map[string]any `json:"schemas"`
		SecuritySchemes map[string]any `json:"securitySchemes"`
	} `json:"components"`
	raw []byte
}

// openAPI is the description as the command line prints it, without a server.
func openAPI(t *testing.T) document {
	t.Helper()
	raw, err := admin.Register(problem.NewMux(), admin.Config{Version: "1.2.3"}).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	d := document{raw: raw}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheDescriptionIsWhole(t *testing.T) {
	d := openAPI(t)
	if !strings.HasPrefix(d.OpenAPI, "3.1.") || d.Info["version"] != "1.2.3" || d.Info["title"] == "" {
		t.Errorf("OpenAPI %q, info %v", d.OpenAPI, d.Info)
	}
	if len(d.Security) == 0 {
		t.Error("nothing says that a token is needed")
	}
	for _, alternative := range d.Security {
		for name := range alternative {
			if d.Components.SecuritySchemes[name] == nil {
				t.Errorf("the scheme %s is not described", name)
			}
		}
	}
	ids := map[string]string{}
	for path, operations := range d.Paths {
		for method, op := range operations {
			name := method + " " + path
			if op.Summary == "" {
				t.Errorf("%s has no summary", name)
			}
			if other, twice := ids[op.ID]; twice || op.ID == "" {
				t.Errorf("%s and %s are both called %q", name, other, op.ID)
			}
			ids[op.ID] = name
			if open := op.Security != nil && len(*op.Security) == 0; open != (name == "post /api/session") {
				t.Errorf("%s needs no token: %t", name, open)
			}
			fault := op.Responses["default"]
			if fault.Content[problem.ContentType]["schema"] == nil {
				t.Errorf("%s does not describe its problems: %+v", name, fault)
			}
			good := false
			for status, answer := range op.Responses {
				if answer.Description == "" {
					t.Errorf("%s: the answer %s has no description", name, status)
				}
				good = good || strings.HasPrefix(status, "2") && (len(answer.Content) > 0 || status == "202" || status == "204")
			}
			if !good {
				t.Errorf("%s does not describe what it answers: %+v", name, op.Responses)
			}
		}
	}
}

func TestTheDescriptionsReferencesLeadSomewhere(t *testing.T) {
	d := openAPI(t)
	refs := regexp.MustCompile(`"\$ref":\s*"#/([^"]+)"`).FindAllSubmatch(d.raw, -1)
	if len(refs) < 10 {
		t.Errorf("only %d references", len(refs))
	}
	for _, ref := range refs {
		path := strings.NewReplacer("/", ".", ".", `\.`, "$", `\$`).Replace(string(ref[1]))
		if !gjson.GetBytes(d.raw, path).Exists() {
			t.Errorf("#/%s leads nowhere", ref[1])
		}
	}
	// The problem document of the description is the one that is sent.
	shape := gjson.GetBytes(d.raw, `paths./api/status.get.responses.default.content.application/problem\+json.schema.\$ref`).String()
	properties := gjson.GetBytes(d.raw, "components.schemas."+shape[strings.LastIndex(shape, "/")+1:]+".properties")
	for _, member := range []string{"type", "title", "status", "detail", "instance", "request_id", "errors"} {
		if !properties.Get(member).Exists() {
			t.Errorf("the problem document %s has no %s", shape, member)
		}
	}
}

func TestTheServedDescriptionIsThePrintedOne(t *testing.T) {
	h := newHouse(t)
	served := h.text(h.request("GET", "/api/openapi.json", ""), 200)
	printed, err := h.api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := errors.Join(json.Unmarshal([]byte(served), &a), json.Unmarshal(printed, &b)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Error(diff)
	}
}
