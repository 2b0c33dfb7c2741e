package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/problem"
)

// A Note names a field that a conversion left out or changed because the
// protocols' documents allow it, and says why.
type Note struct{ Field, Why string }

// maxFaults are enough to mend a request by.
const maxFaults = 16

// A Reader collects what is wrong with a body, and what has no place in the other
// protocol. Places are written without "body.", as in messages[2].content[0].type.
type Reader struct {
	Faults []problem.Field
	Notes  []Note
}

// Root checks body and gives the object that it is.
func Root(body []byte) (gjson.Result, *problem.Error) {
	if len(body) == 0 {
		return gjson.Result{}, problem.New(problem.InvalidJSON, "The request has no body; send a JSON object.")
	}
	if !utf8.Valid(body) {
		return gjson.Result{}, problem.New(problem.InvalidJSON, "The body is no valid JSON: it holds bytes that are no UTF-8.")
	}
	if fault := CheckDepth(body); fault != nil {
		return gjson.Result{}, fault
	}
	if !gjson.ValidBytes(body) {
		return gjson.Result{}, invalid(body)
	}
	root := gjson.ParseBytes(body)
	if !root.IsObject() {
		return gjson.Result{}, problem.Newf(problem.InvalidJSON, "The body is %s; send an object.", Article(root))
	}
	return root, nil
}

// deepest is far more than any protocol nests. gjson follows nesting by recursion,
// and a stack that runs over ends the whole process.
const deepest = 512

// short data cannot nest dangerously. Most events of a stream are.
const short = 4 << 10

// CheckDepth refuses a body that nests too deep to be looked at.
func CheckDepth(body []byte) *problem.Error {
	if !tooDeep(body) {
		return nil
	}
	return problem.Newf(problem.InvalidJSON, "The body nests arrays and objects more than %d deep.", deepest)
}

// Valid says whether data are JSON, whatever they are and however deep.
func Valid(data []byte) bool { return !tooDeep(data) && gjson.ValidBytes(data) }

// ValidString is Valid for a string.
func ValidString(s string) bool { return Valid(unsafe.Slice(unsafe.StringData(s), len(s))) }

func tooDeep(data []byte) bool {
	if len(data) <= short {
		return false
	}
	s, depth := View(data), 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			i = stringEnd(s, i) - 1
		case '{', '[':
			if depth++; depth > deepest {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// Object gives what an upstream sent if it is an object of JSON, without copying it:
// the result is valid for as long as data is not changed.
func Object(data []byte) (gjson.Result, bool) {
	if !utf8.Valid(data) || !Valid(data) {
		return gjson.Result{}, false
	}
	root := gjson.Parse(View(data))
	return root, root.IsObject()
}

// invalid says where the body stops being JSON, and nothing of what it says.
func invalid(body []byte) *problem.Error {
	var syntax *json.SyntaxError
	if err := json.Unmarshal(body, new(any)); errors.As(err, &syntax) {
		return problem.Newf(problem.InvalidJSON, "The body is no valid JSON: an error at byte %d of %d.", syntax.Offset, len(body))
	}
	return problem.New(problem.InvalidJSON, "The body is no valid JSON.")
}

// View gives data as a string without copying it. It is valid for as long as data
// is not changed, so what is kept of it must be copied.
func View(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	return unsafe.String(&data[0], len(data))
}

// Unescape gives the text of a string's body (what stands between its quotes).
func Unescape(body []byte) string {
	return gjson.Parse(`"` + string(body) + `"`).Str
}

// OneLine gives a copy of JSON in which nothing breaks the line.
func OneLine(raw string) string {
	if strings.ContainsAny(raw, "\r\n") { // between its parts: in a text they are escaped
		return Compact(raw)
	}
	return strings.Clone(raw)
}

// Compact gives JSON without the blanks between its parts.
func Compact(raw string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(raw)) != nil {
		return raw
	}
	return b.String()
}

// Body gives what stands between the quotes of a string, escapes and all.
func Body(v gjson.Result) string {
	if v.Type != gjson.String || len(v.Raw) < 2 {
		return ""
	}
	return v.Raw[1 : len(v.Raw)-1]
}

// Err is the problem that the faults make, nil if there are none.
func (r *Reader) Err() *problem.Error {
	if len(r.Faults) == 0 {
		return nil
	}
	return problem.Invalid(r.Faults...)
}

// Refuse notes that what is at a place is wrong, or cannot be expressed.
func (r *Reader) Refuse(at, detail string) {
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, problem.Field{Detail: detail, Location: "body." + at})
	}
}

// Drop notes that a field has no place in the other protocol, once for each field.
func (r *Reader) Drop(field, why string) {
	n := Note{field, why}
	if !slices.Contains(r.Notes, n) {
		r.Notes = append(r.Notes, n)
	}
}

// Str reads a string.
func (r *Reader) Str(at string, v gjson.Result) string {
	if v.Type != gjson.String {
		r.Refuse(at, "must be a string; it is "+Article(v))
	}
	return v.Str
}

// Optional reads a string that may be null or missing.
func (r *Reader) Optional(at string, v gjson.Result) string {
	if v.Type == gjson.Null {
		return ""
	}
	return r.Str(at, v)
}

// Required reads a string that must not be empty.
func (r *Reader) Required(at string, v gjson.Result) string {
	switch {
	case !v.Exists():
		r.Refuse(at, "is required: a string")
	case v.Type == gjson.String && v.Str == "":
		r.Refuse(at, "must not be empty")
	default:
		return r.Str(at, v)
	}
	return ""
}

// Bool reads true or false; null is nil.
func (r *Reader) Bool(at string, v gjson.Result) *bool {
	switch v.Type {
	case gjson.Null:
		return nil
	case gjson.True, gjson.False:
		b := v.Type == gjson.True
		return &b
	}
	r.Refuse(at, "must be true or false; it is "+Article(v))
	return nil
}

// Int reads an integer of at least least; null is nil.
func (r *Reader) Int(at string, v gjson.Result, least int64) *int64 {
	if v.Type == gjson.Null {
		return nil
	}
	if v.Type != gjson.Number || v.Num != math.Trunc(v.Num) || v.Num < float64(least) || v.Num > 1<<53 {
		r.Refuse(at, fmt.Sprintf("must be an integer of at least %d", least))
		return nil
	}
	n := int64(v.Num)
	return &n
}

// Float reads a number between two; null is nil.
func (r *Reader) Float(at string, v gjson.Result, low, high float64) *float64 {
	if v.Type == gjson.Null {
		return nil
	}
	if v.Type != gjson.Number || !(v.Num >= low && v.Num <= high) {
		r.Refuse(at, fmt.Sprintf("must be a number from %g to %g", low, high))
		return nil
	}
	f := v.Num
	return &f
}

// Object says whether v is an object, and notes if it is something else than that
// or null.
func (r *Reader) Object(at string, v gjson.Result) bool {
	if v.IsObject() {
		return true
	}
	if v.Type != gjson.Null {
		r.Refuse(at, "must be an object; it is "+Article(v))
	}
	return false
}

// Each calls f with the elements of an array and their places.
func (r *Reader) Each(at string, v gjson.Result, f func(at string, v gjson.Result)) {
	if !v.IsArray() {
		if v.Type != gjson.Null {
			r.Refuse(at, "must be an array; it is "+Article(v))
		}
		return
	}
	n := 0
	elements(v, func(raw string) bool {
		f(At(at, n), value(raw))
		n++
		return len(r.Faults) < maxFaults
	})
}

// Strings reads an array of strings.
func (r *Reader) Strings(at string, v gjson.Result) (list []string) {
	r.Each(at, v, func(at string, v gjson.Result) { list = append(list, r.Str(at, v)) })
	return list
}

// Members calls f with the members of an object. A name that stands twice is
// refused: which of the two counts is anyone's guess.
func (r *Reader) Members(at string, v gjson.Result, f func(name string, v gjson.Result)) {
	seen := map[string]bool{}
	Members(v, func(key, raw string) bool {
		if seen[key] {
			r.Refuse(Member(at, Name(key)), "stands twice; send it once")
			return true
		}
		seen[key] = true
		f(key, value(raw))
		return true
	})
}

// Others drops the members of v that are not known, unless they are null.
func (r *Reader) Others(at string, v gjson.Result, known ...string) {
	Members(v, func(key, raw string) bool {
		if raw != "null" && !slices.Contains(known, key) {
			r.Drop(Member(at, Name(key)), "has no place in the other protocol")
		}
		return true
	})
}

// At names an element.
func At(at string, n int) string { return at + "[" + strconv.Itoa(n) + "]" }

// Member names a member.
func Member(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// Name gives name if it can only be one: a client's member could hold anything,
// and what is noted goes into a header.
func Name(name string) string {
	if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return "(unnamed)"
	}
	return name
}

// Article names the type of v with its article.
func Article(v gjson.Result) string {
	switch {
	case v.IsArray():
		return "an array"
	case v.IsObject():
		return "an object"
	case v.IsBool():
		return "a boolean"
	case v.Type == gjson.Number:
		return "a number"
	case v.Type == gjson.String:
		return "a string"
	}
	return "null"
}
