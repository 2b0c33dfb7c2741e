package settings

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// upgrades[i] turns a document of version i+1 into one of version i+2.
var upgrades = []func(doc map[string]any) error{preloadOfEach}

// moved says of fields that older layouts had what stands in their place.
var moved = map[string]string{
	"engines.preload": "has moved: each model that is loaded at the start has preload in models.each, such as {\"name\": \"a-model\", \"preload\": true}",
}

// upgrade brings doc to the newest version by steps, of which there is one per
// older version.
func upgrade(doc map[string]any, steps []func(map[string]any) error) error {
	newest := len(steps) + 1
	v, there := doc["version"]
	if !there {
		return nil // the default is the newest
	}
	number, ok := v.(json.Number)
	if !ok {
		return nil // a fault that decoding finds
	}
	version, ok := wholeNumber(number)
	switch {
	case !ok || version < 1:
		return nil // likewise
	case version > int64(newest):
		return fmt.Errorf("%w (version %d; this one knows %d)", ErrNewer, version, newest)
	}
	for _, step := range steps[version-1:] {
		if err := step(doc); err != nil {
			return fmt.Errorf("upgrade the settings from version %d: %w", version, err)
		}
	}
	doc["version"] = json.Number(strconv.Itoa(newest))
	return nil
}

// preloadOfEach moves engines.preload, a list of names, to the entries of these models in models.each. What is not as it should be
// stays where it is, for decoding to find fault with.
func preloadOfEach(doc map[string]any) error {
	engines, _ := doc["engines"].(map[string]any)
	names, ok := engines["preload"].([]any)
	if !ok {
		return nil
	}
	if doc["models"] == nil {
		doc["models"] = map[string]any{}
	}
	models, ok := doc["models"].(map[string]any)
	if !ok {
		return nil
	}
	if models["each"] == nil {
		models["each"] = []any{}
	}
	each, ok := models["each"].([]any)
	if !ok {
		return nil
	}
	for _, name := range names {
		name, ok := name.(string)
		if !ok || strings.TrimSpace(name) == "" {
			return nil
		}
		entry := entryOf(each, name)
		if entry == nil {
			entry = map[string]any{"name": name}
			each = append(each, entry)
		}
		entry["preload"] = true
	}
	models["each"] = each
	delete(engines, "preload")
	return nil
}

func entryOf(each []any, name string) map[string]any {
	for _, e := range each {
		entry, _ := e.(map[string]any)
		if its, ok := entry["name"].(string); ok && strings.EqualFold(its, name) {
			return entry
		}
	}
	return nil
}
