package turn

import "github.com/tidwall/gjson"

// Strict says whether a schema is one that OpenAI's strict mode takes: every object
// requires all of its members and allows no others.
func Strict(schema string) bool { return strict(gjson.Parse(schema)) }

func strict(s gjson.Result) bool {
	ok := true
	if s.IsArray() {
		s.ForEach(func(_, v gjson.Result) bool { ok = strict(v); return ok })
		return ok
	}
	if !s.IsObject() {
		return true
	}
	properties := s.Get("properties")
	if properties.IsObject() || s.Get("type").Str == "object" {
		required := map[string]bool{}
		s.Get("required").ForEach(func(_, v gjson.Result) bool { required[v.Str] = true; return true })
		properties.ForEach(func(name, _ gjson.Result) bool { ok = required[name.Str]; return ok })
		ok = ok && s.Get("additionalProperties").Type == gjson.False
	}
	if !ok {
		return false
	}
	s.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "enum", "const", "default", "examples", "required":
		case "properties", "$defs", "definitions":
			v.ForEach(func(_, v gjson.Result) bool { ok = strict(v); return ok })
		default:
			ok = strict(v)
		}
		return ok
	})
	return ok
}
