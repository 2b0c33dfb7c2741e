package wire

import (
	"strings"

	"github.com/tidwall/gjson"
)

// gjson finds a member by reading every one before it, and undoes the escapes of each text that it
// comes by. Requests of coding agents are long texts, most of which nobody asks for: what follows
// steps over them. All of it is for JSON that was checked, and stays within anything else.

// Get is the member of v, an object, with that name, or that member's member with the next name, and so on. Of two with the
// same name it is the first.
func Get(v gjson.Result, names ...string) gjson.Result {
	for _, name := range names {
		found := ""
		Members(v, func(key, raw string) bool {
			if key == name {
				found = raw
			}
			return found == ""
		})
		if found == "" {
			return gjson.Result{}
		}
		v = value(found)
	}
	return v
}

// Members calls f with the names and the values, as they stand there, of an object's members, until f says no.
func Members(v gjson.Result, f func(key, raw string) bool) {
	if !v.IsObject() {
		return
	}
	s := v.Raw
	for i := next(s, 1); i < len(s) && s[i] == '"'; {
		keyEnd := stringEnd(s, i)
		from := next(s, keyEnd)
		if from >= len(s) || s[from] != ':' || keyEnd-i < 2 {
			return
		}
		from = next(s, from+1)
		to := valueEnd(s, from)
		if to <= from || !f(unescaped(s[i+1:keyEnd-1]), s[from:to]) {
			return
		}
		if i = next(s, to); i < len(s) && s[i] == ',' {
			i = next(s, i+1)
		}
	}
}

// elements calls f with the values of an array's elements.
func elements(v gjson.Result, f func(raw string) bool) {
	if !v.IsArray() {
		return
	}
	s := v.Raw
	for i := next(s, 1); i < len(s) && s[i] != ']'; {
		to := valueEnd(s, i)
		if to <= i || !f(s[i:to]) {
			return
		}
		if i = next(s, to); i < len(s) && s[i] == ',' {
			i = next(s, i+1)
		}
	}
}

// value is what raw says. A text without escapes is a part of it.
func value(raw string) gjson.Result {
	switch raw[0] {
	case '{', '[':
		return gjson.Result{Type: gjson.JSON, Raw: raw}
	case '"':
		if len(raw) > 1 && strings.IndexByte(raw, '\\') < 0 {
			return gjson.Result{Type: gjson.String, Raw: raw, Str: raw[1 : len(raw)-1]}
		}
	}
	return gjson.Parse(raw)
}

// unescaped is the name that stands in an object with its escapes.
func unescaped(key string) string {
	if strings.IndexByte(key, '\\') < 0 {
		return key
	}
	return gjson.Parse(`"` + key + `"`).Str
}

// next is where, at i or behind it, something other than a blank stands.
func next(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

// valueEnd is where the value ends that begins at i.
func valueEnd(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch s[i] {
		case '"':
			i = stringEnd(s, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			if depth == 0 { // of what the value stands in
				return i
			}
			depth--
			i++
		case ',', ':', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return i
			}
			i++
			continue
		default:
			i++
			if depth == 0 {
				continue // a number, or a word
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// stringEnd is where the string ends that begins at i, its quotes included.
func stringEnd(s string, i int) int {
	for at := i + 1; ; {
		n := strings.IndexByte(s[at:], '"')
		if n < 0 {
			return len(s)
		}
		at += n + 1
		escapes := 0
		for at-2-escapes > i && s[at-2-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
	}
}
