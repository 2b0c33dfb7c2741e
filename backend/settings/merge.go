package settings

import (
	"encoding/json"
	"fmt"
)

// mergePatch applies a JSON merge patch (RFC 7396) to settings and reads the
// result. A null takes a field away, which is to say back to its default.
func mergePatch(s Settings, patch []byte) (Settings, error) {
	change, err := readDocument(patch)
	if err != nil {
		return Settings{}, err
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return Settings{}, fmt.Errorf("patch settings: %w", err)
	}
	doc, err := readDocument(raw)
	if err != nil {
		return Settings{}, fmt.Errorf("patch settings: %w", err)
	}
	if raw, err = json.Marshal(merge(doc, change)); err != nil {
		return Settings{}, fmt.Errorf("patch settings: %w", err)
	}
	return Parse(raw)
}

func merge(target any, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for key, value := range changes {
		if value == nil {
			delete(object, key)
			continue
		}
		object[key] = merge(object[key], value)
	}
	return object
}
