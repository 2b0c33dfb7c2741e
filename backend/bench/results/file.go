package results

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/google/renameio/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Schema describes a results file.
//
//go:embed schema.json
var Schema []byte

const schemaName = "mlx-benchmark-results.json"

var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(schemaName, doc); err != nil {
		return nil, err
	}
	return c.Compile(schemaName)
})

// Validate holds raw to the schema. What does not fit is a *Fault.
func Validate(raw []byte) error {
	schema, err := compiled()
	if err != nil {
		return fmt.Errorf("results: the schema: %w", err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return &Fault{Detail: "it is no JSON, or cut off"}
	}
	var invalid *jsonschema.ValidationError
	if err := schema.Validate(doc); errors.As(err, &invalid) {
		for len(invalid.Causes) > 0 {
			invalid = invalid.Causes[0]
		}
		return &Fault{Location: "/" + strings.Join(invalid.InstanceLocation, "/"),
			Detail: invalid.ErrorKind.LocalizedString(message.NewPrinter(language.English))}
	} else if err != nil {
		return err
	}
	return nil
}

// Read reads a results file. Its errors are sentences that name the file.
func Read(path string) (*File, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the results file cannot be read: %w", err)
	}
	f, err := Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return f, nil
}

// Fault is what is wrong with a results file. Its text goes on after the file's name.
type Fault struct {
	Location string // a JSON pointer; empty for the file as a whole
	Detail   string
	foreign  bool // it is none of ours, or of another version; otherwise it is broken
}

func (f *Fault) Error() string {
	switch {
	case f.foreign:
		return f.Detail
	case f.Location == "":
		return "is broken: " + f.Detail
	}
	return fmt.Sprintf("is broken: at %s: %s", f.Location, f.Detail)
}

// Parse reads a results file out of raw. What is wrong with it is a *Fault.
func Parse(raw []byte) (*File, error) {
	var head struct {
		Format  any
		Version any
	}
	switch err := json.Unmarshal(raw, &head); {
	case err != nil:
		return nil, &Fault{Detail: "it is no JSON, or cut off"}
	case head.Format != Format:
		return nil, &Fault{"/format", fmt.Sprintf("is no results file of mlx-benchmark: its \"format\" is not %q", Format), true}
	case head.Version != float64(Version):
		return nil, &Fault{"/version", fmt.Sprintf("is of %s, and this mlx-benchmark reads version %d: measure again with this one, or compare with the one that wrote it",
			versionText(head.Version), Version), true}
	}
	if err := Validate(raw); err != nil {
		return nil, err
	}
	f := &File{}
	if err := json.Unmarshal(raw, f); err != nil {
		return nil, &Fault{Detail: err.Error()}
	}
	return f, nil
}

// versionText is a version for a sentence; text is not repeated, for it could be anything.
func versionText(version any) string {
	if n, ok := version.(float64); ok {
		return fmt.Sprint("version ", n)
	}
	return "an unknown version"
}

// HasSamples says whether anything was measured.
func (f *File) HasSamples() bool {
	return slices.ContainsFunc(f.Cases, func(c Case) bool { return len(c.Samples) > 0 })
}

// JSON is f as its file has it.
func (f *File) JSON() ([]byte, error) {
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	return append(raw, '\n'), nil
}

// Write replaces the file at path as a whole.
func Write(path string, raw []byte) error {
	if err := renameio.WriteFile(path, raw, 0o644); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}
