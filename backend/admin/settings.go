package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/settings"
)

type settingsOutput struct{ Body settings.Settings }

// rawInput is a body that the settings read themselves: they know unknown fields,
// durations and limits, and name each fault.
type rawInput struct{ RawBody []byte }

func (a *API) registerSettings() {
	huma.Register(a.huma, get("/api/settings", "The settings"), func(context.Context, *struct{}) (*settingsOutput, error) {
		return &settingsOutput{a.Settings.Current()}, nil
	})
	huma.Register(a.huma, get("/api/settings/schema", "JSON Schema of settings.json"), func(context.Context, *struct{}) (*struct{ Body json.RawMessage }, error) {
		return &struct{ Body json.RawMessage }{a.Settings.Schema()}, nil
	})
	replace := huma.Operation{OperationID: "putApiSettings", Method: http.MethodPut, Path: "/api/settings", Summary: "Replace the settings"}
	huma.Register(a.huma, replace, func(_ context.Context, in *rawInput) (*settingsOutput, error) {
		return a.changed(a.Settings.Replace(in.RawBody))
	})
	patch := huma.Operation{OperationID: "patchApiSettings", Method: http.MethodPatch, Path: "/api/settings", Summary: "Change some settings (JSON Merge Patch, RFC 7396)"}
	huma.Register(a.huma, patch, func(_ context.Context, in *rawInput) (*settingsOutput, error) {
		return a.changed(a.Settings.Patch(in.RawBody))
	})
}

func (a *API) changed(err error) (*settingsOutput, error) {
	if err != nil {
		return nil, err
	}
	return &settingsOutput{a.Settings.Current()}, nil
}
