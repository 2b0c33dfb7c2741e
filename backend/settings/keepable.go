package settings

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Keepable is what is left of a change that nobody has saved yet, a merge patch, when it is to lie on the disk: all but what may be a secret in
// the wrong place. That is a text which its field's rule refuses without repeating it, what is no setting, and what is no
// argument that an engine may be given. The other fields of an entry stay. whole says that nothing was left out.
func Keepable(patch []byte) (kept []byte, whole bool, err error) {
	doc, err := readDocument(patch)
	if err != nil {
		return nil, false, fmt.Errorf("keep what is unsaved: %w", err)
	}
	var s sieve
	kept, err = json.Marshal(s.object(doc, reflect.TypeFor[Settings]()))
	if err != nil {
		return nil, false, fmt.Errorf("keep what is unsaved: %w", err)
	}
	return kept, !s.held, nil
}

// A sieve lets through what may be kept.
type sieve struct{ held bool } // something did not go through

func (s *sieve) object(object map[string]any, t reflect.Type) map[string]any {
	kept := map[string]any{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _ := jsonName(f)
		value, there := object[name]
		if !there {
			continue
		}
		if value == nil { // it goes back to its default
			kept[name] = nil
		} else if value, ok := s.value(value, f, f.Type); ok {
			kept[name] = value
		}
	}
	s.held = s.held || len(kept) < len(object)
	return kept
}

// value is what is left of a value of that type in a field; ok is false when it can be no value there.
func (s *sieve) value(value any, f reflect.StructField, t reflect.Type) (kept any, ok bool) {
	switch {
	case t == durationType:
		text, _ := value.(string)
		raw, _ := json.Marshal(text) // a string always has a JSON form
		return value, new(Duration).UnmarshalJSON(raw) == nil
	case t.Kind() == reflect.Struct:
		object, ok := value.(map[string]any)
		return s.object(object, t), ok
	case t.Kind() == reflect.Slice:
		list, ok := value.([]any)
		return s.list(list, f, t.Elem()), ok
	case t.Kind() == reflect.String:
		text, ok := value.(string)
		if rule := f.Tag.Get("rule"); rules[rule].secret {
			if _, _, bad := broken(rule, text); bad {
				s.held = s.held || text != ""
				return "", true
			}
		}
		return text, ok
	case t.Kind() == reflect.Bool:
		_, ok := value.(bool)
		return value, ok
	default:
		_, ok := value.(json.Number)
		return value, ok
	}
}

func (s *sieve) list(list []any, f reflect.StructField, t reflect.Type) []any {
	kept := []any{}
	if f.Tag.Get("rule") == "argument" {
		kept = append(kept, engineArguments(list)...)
	} else {
		for _, item := range list {
			if item, ok := s.value(item, f, t); ok {
				kept = append(kept, item)
			}
		}
	}
	s.held = s.held || len(kept) < len(list)
	return kept
}

// engineArguments are those of a list that an engine may be given, each with what can be its value: others that llama-server has
// take a key.
func engineArguments(list []any) (kept []any) {
	before := ""
	for _, item := range list {
		word, _ := item.(string)
		_, known := arguments[word]
		if a := arguments[before]; known || a.takesValue() && a.takes(word) {
			kept = append(kept, word)
		}
		before = word
	}
	return kept
}
