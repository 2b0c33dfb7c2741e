package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Parse reads settings strictly: a field that is unknown, of a wrong type or
// there twice is a fault, and so is whatever Validate finds. All faults come
// back in one *Invalid. A field that is missing takes its default.
func Parse(raw []byte) (Settings, error) {
	doc, err := readDocument(raw)
	if err != nil {
		return Settings{}, err
	}
	if err := upgrade(doc, upgrades); err != nil {
		return Settings{}, err
	}
	s := Defaults()
	s.Schema = "" // as it stands in the file, if it does
	var c checker
	c.decodeObject("", doc, reflect.ValueOf(&s).Elem())
	decoded := len(c.faults)
	var invalid *Invalid
	if errors.As(s.Validate(), &invalid) {
		for _, f := range invalid.Fields { // what could not be read has no value to judge
			if !covered(c.faults[:decoded], f.Location) {
				c.faults = append(c.faults, f)
			}
		}
	}
	if err := c.err(); err != nil {
		return Settings{}, err
	}
	return s, nil
}

func covered(faults []FieldError, location string) bool {
	return slices.ContainsFunc(faults, func(f FieldError) bool {
		rest, ok := strings.CutPrefix(location, f.Location)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// maxDocument is far more than settings need and little enough to read at once.
const maxDocument = 1 << 20

// readDocument reads a JSON object whose keys differ and after which nothing comes.
func readDocument(raw []byte) (map[string]any, error) {
	if len(raw) > maxDocument {
		return nil, &Invalid{[]FieldError{{Detail: fmt.Sprintf("the file is larger than %d bytes", maxDocument)}}}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := readValue(dec, "", 0)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			err = &Invalid{[]FieldError{{Detail: "something follows after the closing brace at " + position(raw, dec.InputOffset())}}}
		}
	}
	var invalid *Invalid
	if errors.As(err, &invalid) {
		return nil, err
	}
	if err != nil {
		return nil, &Invalid{[]FieldError{{Detail: "is not JSON: " + reason(err) + " at " + position(raw, offset(err, dec))}}}
	}
	doc, ok := v.(map[string]any)
	if !ok {
		return nil, &Invalid{[]FieldError{{Detail: "must be a JSON object"}}}
	}
	return doc, nil
}

func reason(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends too early"
	}
	return err.Error()
}

func offset(err error, dec *json.Decoder) int64 {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Offset
	}
	return dec.InputOffset()
}

func position(raw []byte, at int64) string {
	before := raw[:min(at, int64(len(raw)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n') - 1
	return fmt.Sprintf("line %d, column %d", line, max(column, 1))
}

// maxDepth is deeper than any setting and shallow enough for the stack.
const maxDepth = 32

func readValue(dec *json.Decoder, at string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, &Invalid{[]FieldError{{Detail: "is nested too deeply", Location: at}}}
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		return readObject(dec, at, depth)
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := readValue(dec, fmt.Sprintf("%s[%d]", at, len(list)), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.Token()
		return list, err
	}
	return t, nil
}

func readObject(dec *json.Decoder, at string, depth int) (any, error) {
	object := map[string]any{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key := t.(string) // the decoder lets nothing else stand here
		here := join(at, key)
		if _, twice := object[key]; twice {
			return nil, &Invalid{[]FieldError{{Detail: "stands there twice", Location: here}}}
		}
		if object[key], err = readValue(dec, here, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token()
	return object, err
}

// decodeObject sets the fields of v from an object.
func (c *checker) decodeObject(at string, object map[string]any, v reflect.Value) {
	fields, optional := map[string]reflect.Value{}, map[string]reflect.StructField{}
	for i := range v.NumField() {
		name, may := jsonName(v.Type().Field(i))
		fields[name] = v.Field(i)
		if may {
			optional[name] = v.Type().Field(i)
		}
	}
	for _, key := range sortedKeys(object) {
		field, ok := fields[key]
		if !ok {
			// Its value is not repeated: it may be a key that somebody put here.
			c.fault(join(at, key), nil, "%s", unknownField(join(at, key), key, sortedKeys(fields)))
			continue
		}
		faults := len(c.faults)
		c.decode(join(at, key), object[key], field)
		if _, may := optional[key]; may && field.Kind() == reflect.Slice && field.Len() == 0 {
			field.SetZero() // as if it were left out
		}
		if f, may := optional[key]; may && field.IsZero() && len(c.faults) == faults { // Validate takes it for left out
			c.field(join(at, key), f, field)
		}
	}
}

func (c *checker) decode(at string, value any, v reflect.Value) {
	switch {
	case v.Type() == durationType:
		text, ok := value.(string)
		raw, _ := json.Marshal(text) // a string always has a JSON form
		if !ok {
			c.fault(at, value, `must be a duration such as "15m", not %s`, typeName(value))
		} else if err := v.Addr().Interface().(*Duration).UnmarshalJSON(raw); err != nil {
			c.fault(at, value, `must be a duration such as "15m" or "90s"`)
		}
	case v.Kind() == reflect.Struct:
		object, ok := value.(map[string]any)
		if !ok {
			c.fault(at, nil, "must be an object, not %s", typeName(value))
			return
		}
		c.decodeObject(at, object, v)
	case v.Kind() == reflect.Slice:
		list, ok := value.([]any)
		if !ok {
			c.fault(at, nil, "must be a list, not %s", typeName(value))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i, item := range list {
			c.decode(fmt.Sprintf("%s[%d]", at, i), item, v.Index(i))
		}
	case v.Kind() == reflect.String:
		text, ok := value.(string)
		if !ok {
			c.fault(at, scalar(value), "must be a string, not %s", typeName(value))
			return
		}
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		b, ok := value.(bool)
		if !ok {
			c.fault(at, scalar(value), "must be true or false, not %s", typeName(value))
			return
		}
		v.SetBool(b)
	default:
		number, _ := value.(json.Number)
		n, ok := wholeNumber(number)
		if !ok {
			c.fault(at, scalar(value), "must be a whole number, not %s", typeName(value))
			return
		}
		v.SetInt(n)
	}
}

// wholeNumber reads a JSON number without a fraction, however it is written.
func wholeNumber(n json.Number) (int64, bool) {
	if v, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return v, true
	}
	const exact = 1 << 53
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > exact {
		return 0, false
	}
	return int64(f), true
}

func scalar(v any) any {
	switch v.(type) {
	case map[string]any, []any:
		return nil
	}
	return v
}

func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "null (leave the field out for its default)"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number:
		if _, ok := wholeNumber(v); ok {
			return "a number"
		}
		return "a fraction or a number out of range"
	case []any:
		return "a list"
	}
	return "an object"
}
