package settings

import (
	"encoding/json"
	"reflect"
	"strings"
)

// durationPattern is the grammar of time.ParseDuration, without a minus.
const durationPattern = `^\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`

// Schema is the JSON Schema of settings.json, for editors and pages. It comes
// from the same struct and tags as Validate and refuses all that a schema can
// refuse: not a duration out of range, nor a name that another field must know.
func Schema() []byte {
	root := schemaOf(reflect.ValueOf(Defaults()), false)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "mlxbar settings"
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // maps, strings and numbers have a JSON form
	}
	return append(b, '\n')
}

type object = map[string]any

// schemaOf describes a struct whose fields hold their defaults. In an entry of a
// list nothing has a default, so that its fields must be there.
func schemaOf(v reflect.Value, entry bool) object {
	properties, required := object{}, []string{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, optional := jsonName(f)
		property := schemaOfField(f, v.Field(i))
		property["description"] = f.Tag.Get("doc")
		if entry && !optional {
			required = append(required, name)
		}
		if !entry && f.Type.Kind() != reflect.Struct && !optional {
			property["default"] = v.Field(i).Interface()
		}
		properties[name] = property
	}
	s := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func schemaOfField(f reflect.StructField, v reflect.Value) object {
	lowest, highest, limited := limits(f)
	switch {
	case f.Type == durationType:
		s := object{"type": "string", "pattern": durationPattern}
		return s
	case f.Type.Kind() == reflect.Struct:
		return schemaOf(v, false)
	case f.Type.Kind() == reflect.Slice:
		s := object{"type": "array"}
		if limited {
			s["minItems"], s["maxItems"] = lowest, highest
		}
		if item := f.Type.Elem(); item.Kind() == reflect.Struct {
			s["items"] = schemaOf(reflect.Zero(item), true)
		} else {
			s["items"] = schemaOfText(f)
		}
		return s
	case f.Type.Kind() == reflect.String:
		return schemaOfText(f)
	case f.Type.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case f.Name == "Version":
		return object{"type": "integer", "const": Version}
	}
	s := object{"type": "integer"}
	if limited {
		s["minimum"], s["maximum"] = lowest, highest
	}
	return s
}

func schemaOfText(f reflect.StructField) object {
	s := object{"type": "string"}
	if enum := f.Tag.Get("enum"); enum != "" {
		s["enum"] = strings.Split(enum, ",")
	}
	if name := f.Tag.Get("rule"); name != "" {
		s["pattern"] = rules[name].pattern
		if reserved := rules[name].reserved; reserved != nil {
			s["not"] = object{"enum": reserved}
		}
	}
	return s
}
