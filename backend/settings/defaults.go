package settings

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Version is the layout of settings.json that this program writes.
const Version = 2

// schemaRef is where an editor finds the schema of a file that mlxbar wrote.
const schemaRef = "./settings.schema.json"

// Defaults are the settings of a fresh install: what the default tags say.
func Defaults() Settings {
	s := Settings{Schema: schemaRef}
	setDefaults(reflect.ValueOf(&s).Elem())
	return s
}

// setDefaults fills v from its default tags; lists become empty, not null.
func setDefaults(v reflect.Value) {
	for i := range v.NumField() {
		field, tag := v.Field(i), v.Type().Field(i).Tag
		switch {
		case field.Kind() == reflect.Struct:
			setDefaults(field)
		case field.Kind() == reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 0, 0))
		case tag.Get("default") != "":
			if err := setText(field, tag.Get("default")); err != nil {
				panic(fmt.Sprintf("default of %s: %v", v.Type().Field(i).Name, err)) // a tag of ours
			}
		}
	}
}

// setText sets a scalar from the text of a tag.
func setText(v reflect.Value, text string) error {
	if v.Type() == durationType {
		d, err := time.ParseDuration(text)
		v.SetInt(int64(d))
		return err
	}
	if v.Kind() == reflect.Bool {
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return err
	}
	if v.Kind() == reflect.Int {
		n, err := strconv.Atoi(text)
		v.SetInt(int64(n))
		return err
	}
	v.SetString(text)
	return nil
}

var durationType = reflect.TypeFor[Duration]()

// limits reads the min and max tags of a number, a duration or a list's length.
func limits(f reflect.StructField) (lowest, highest int64, ok bool) {
	if f.Tag.Get("min") == "" {
		return 0, 0, false
	}
	v := reflect.New(reflect.TypeFor[int]()).Elem()
	if f.Type == durationType {
		v = reflect.New(durationType).Elem()
	}
	var ends [2]int64
	for i, name := range []string{"min", "max"} {
		if err := setText(v, f.Tag.Get(name)); err != nil {
			panic(fmt.Sprintf("%s of %s: %v", name, f.Name, err)) // a tag of ours
		}
		ends[i] = v.Int()
	}
	return ends[0], ends[1], true
}

// jsonName is the name of a field in the file. An optional one is left out when it is zero, which is
// then no value of its own.
func jsonName(f reflect.StructField) (name string, optional bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, options == "omitempty"
}

// encode writes settings as the file has them: indented, so that people can edit it.
func encode(s Settings) ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write settings: %w", err)
	}
	return append(b, '\n'), nil
}
