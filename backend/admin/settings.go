package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/tidwall/sjson"

	"mlxbar/backend/settings"
)

// settingsSchema is the component that OpenAPI adds out of settings.Schema: the
// settings describe themselves, in one place.
const settingsSchema = "Settings"

type settingsOutput struct{ Body json.RawMessage }

// rawInput is a body that the settings read themselves: they know unknown fields,
// durations and limits, and name each fault.
type rawInput struct{ RawBody []byte }

func (a *API) registerSettings() {
	huma.Register(a.huma, answersSettings(get("/api/settings", "The settings")), func(context.Context, *struct{}) (*settingsOutput, error) {
		return settingsAnswer(a.Settings.Current(), nil)
	})
	huma.Register(a.huma, get("/api/settings/schema", "JSON Schema of settings.json"), func(context.Context, *struct{}) (*settingsOutput, error) {
		return &settingsOutput{settings.Schema()}, nil
	})
	replace := huma.Operation{OperationID: "putApiSettings", Method: http.MethodPut, Path: "/api/settings", Summary: "Replace the settings"}
	huma.Register(a.huma, takesSettings(replace), func(_ context.Context, in *rawInput) (*settingsOutput, error) {
		return settingsAnswer(a.Settings.Replace(in.RawBody))
	})
	patch := huma.Operation{OperationID: "patchApiSettings", Method: http.MethodPatch, Path: "/api/settings", Summary: "Change some settings (JSON Merge Patch, RFC 7396)"}
	huma.Register(a.huma, takesSettings(patch), func(_ context.Context, in *rawInput) (*settingsOutput, error) {
		return settingsAnswer(a.Settings.Patch(in.RawBody))
	})
}

func settingsAnswer(now settings.Settings, err error) (*settingsOutput, error) {
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(now)
	return &settingsOutput{raw}, err
}

func answersSettings(op huma.Operation) huma.Operation {
	op.Responses = map[string]*huma.Response{"200": {Description: "The settings in force.", Content: settingsContent()}}
	return op
}

func takesSettings(op huma.Operation) huma.Operation {
	op.SkipValidateBody = true // settings.Manager does it, and knows better
	// huma has limits of its own only for bodies that it decodes.
	op.MaxBodyBytes, op.BodyReadTimeout = 1<<20, 5*time.Second
	op.RequestBody = &huma.RequestBody{Required: true, Content: settingsContent()}
	return answersSettings(op)
}

func settingsContent() map[string]*huma.MediaType {
	return map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Ref: "#/components/schemas/" + settingsSchema}}}
}

// addSchema puts a schema that stands on its own among the components of an OpenAPI document.
func addSchema(openapi []byte, name string, schema []byte) ([]byte, error) {
	schema = bytes.ReplaceAll(schema, []byte("#/$defs/"), []byte("#/components/schemas/"+name+"/$defs/"))
	for _, member := range []string{"$schema", "$id"} {
		var err error
		if schema, err = sjson.DeleteBytes(schema, member); err != nil {
			return nil, err
		}
	}
	return sjson.SetRawBytes(openapi, "components.schemas."+name, schema)
}
