package settings

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// FieldError is one fault: what would be right, where, and what stands there. A
// value that may be a secret in the wrong place is left out.
type FieldError struct {
	Detail   string `json:"detail"`
	Location string `json:"location"`
	Value    any    `json:"value,omitempty"`
}

// Invalid is all that is wrong with some settings.
type Invalid struct{ Fields []FieldError }

// Error names every fault.
func (e *Invalid) Error() string {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Detail
		if f.Location != "" {
			parts[i] = f.Location + " " + f.Detail
		}
	}
	return "invalid settings: " + strings.Join(parts, "; ")
}

// ErrNewer tells of settings that a newer version of mlxbar wrote.
var ErrNewer = errors.New("the settings were written by a newer version of mlxbar; update mlxbar or choose another data folder")

// Validate returns an *Invalid with every fault of s, or nil.
func (s Settings) Validate() error {
	var c checker
	if s.Version != Version {
		c.fault("version", s.Version, "must be %d", Version)
	}
	c.structure("", reflect.ValueOf(s))
	c.references(s)
	c.models(s.Models.Each)
	return c.err()
}

// checker gathers faults.
type checker struct{ faults []FieldError }

func (c *checker) fault(location string, value any, format string, args ...any) {
	c.faults = append(c.faults, FieldError{Detail: fmt.Sprintf(format, args...), Location: location, Value: value})
}

func (c *checker) err() error {
	if len(c.faults) == 0 {
		return nil
	}
	return &Invalid{Fields: c.faults}
}

// structure holds every field of v to its tags.
func (c *checker) structure(at string, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, optional := jsonName(f)
		if optional && v.Field(i).IsZero() {
			continue
		}
		c.field(join(at, name), f, v.Field(i))
	}
}

func (c *checker) field(at string, f reflect.StructField, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Struct:
		c.structure(at, v)
	case v.Kind() == reflect.Slice:
		c.list(at, f, v)
	case v.Kind() == reflect.String:
		c.text(at, f, v.String())
	case v.Kind() == reflect.Bool:
	default:
		lowest, highest, ok := limits(f)
		if ok && (v.Int() < lowest || v.Int() > highest) {
			c.fault(at, v.Interface(), "must be from %s to %s", f.Tag.Get("min"), f.Tag.Get("max"))
		}
	}
}

func (c *checker) list(at string, f reflect.StructField, v reflect.Value) {
	if lowest, highest, ok := limits(f); ok && (int64(v.Len()) < lowest || int64(v.Len()) > highest) {
		c.fault(at, nil, "must have %d to %d entries", lowest, highest)
	}
	for i := range v.Len() {
		item := fmt.Sprintf("%s[%d]", at, i)
		if v.Index(i).Kind() == reflect.Struct {
			c.structure(item, v.Index(i))
			continue
		}
		c.text(item, f, v.Index(i).String())
	}
}

func (c *checker) text(at string, f reflect.StructField, text string) {
	if enum := f.Tag.Get("enum"); enum != "" && !slices.Contains(strings.Split(enum, ","), text) {
		c.fault(at, text, "must be %s", strings.ReplaceAll(enum, ",", " or "))
	}
	name := f.Tag.Get("rule")
	if name == "" {
		return
	}
	if want, secret, bad := broken(name, text); bad {
		var value any = text
		if secret {
			value = nil
		}
		c.fault(at, value, "%s", want)
	}
}

// references checks what fields say about each other.
func (c *checker) references(s Settings) {
	names := map[string]int{}
	for i, p := range s.Providers {
		if first, twice := names[p.Name]; twice && p.Name != "" {
			c.fault(fmt.Sprintf("providers[%d].name", i), p.Name, "is taken by providers[%d]; names must differ", first)
			continue
		}
		names[p.Name] = i
	}
	for i, p := range s.Providers {
		if p.APIKeyEnv != "" && p.APIKeyKeychain != "" {
			c.fault(fmt.Sprintf("providers[%d].api_key_keychain", i), nil, "must be left out where api_key_env is given: a key comes from one place")
		}
		if p.SendsKey() && carriesInClear(p.BaseURL) {
			field := "api_key_env"
			if p.APIKeyEnv == "" {
				field = "api_key_keychain"
			}
			c.fault(fmt.Sprintf("providers[%d].base_url", i), nil, "must begin with https, because %s has a key sent there, and http would carry it in clear text; http with a key is for this machine alone (127.0.0.1, [::1] or localhost)", field)
		}
	}
	for i, r := range s.Routes {
		for j, t := range r.Targets {
			at := fmt.Sprintf("routes[%d].targets[%d]", i, j)
			if _, ok := names[t.Provider]; !ok && t.Provider != "" && t.Provider != LocalProvider {
				c.fault(at+".provider", t.Provider, "must be local or name a provider; %s", known(s.Providers))
			}
			if first := slices.IndexFunc(r.Targets, func(o Target) bool { return o.Provider == t.Provider && o.Model == t.Model }); first < j {
				c.fault(at, nil, "is the same as targets[%d]", first)
			}
		}
	}
}

func known(providers []Provider) string {
	if len(providers) == 0 {
		return "there are none"
	}
	names := make([]string, len(providers))
	for i, p := range providers {
		names[i] = p.Name
	}
	return "there is " + strings.Join(names, ", ")
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}
