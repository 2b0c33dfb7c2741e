package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTypeChecksForMac reads every package and its tests as a Mac's compiler
// would, cgo's files included: names of C are taken as given, so neither a C
// compiler nor Apple's headers are needed, and the Go around them is checked.
func TestTypeChecksForMac(t *testing.T) {
	wrong, err := typeCheckForMac(repo(t), "./...")
	if err != nil {
		t.Fatal(err)
	}
	report(t, wrong)
}

// A source is a package as go list -deps gives it, after those that it needs.
type source struct {
	ImportPath, Dir   string
	GoFiles, CgoFiles []string
	ImportMap         map[string]string
	DepOnly           bool
	ForTest           string
}

func typeCheckForMac(dir string, patterns ...string) (wrong []string, err error) {
	env := []string{"GOOS=darwin", "GOARCH=arm64", "CGO_ENABLED=1", "GOFLAGS=-buildvcs=false"}
	out, err := command(dir, env, "go", append([]string{"list", "-e", "-deps", "-test",
		"-json=ImportPath,Dir,GoFiles,CgoFiles,ImportMap,DepOnly,ForTest"}, patterns...)...)
	if err != nil {
		return nil, err
	}
	check := macCheck{dir: dir, set: token.NewFileSet(), done: map[string]*types.Package{"unsafe": types.Unsafe}}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var s source
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			return check.wrong, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if s.ImportPath != "unsafe" && !strings.HasSuffix(s.ImportPath, ".test") {
			check.add(s)
		}
	}
}

type macCheck struct {
	dir   string
	set   *token.FileSet
	done  map[string]*types.Package
	wrong []string
}

func (c *macCheck) add(s source) {
	ours := !s.DepOnly || s.ForTest != ""
	complain := func(err error) {
		text := strings.TrimPrefix(err.Error(), c.dir+string(filepath.Separator))
		if ours && !slices.Contains(c.wrong, text) { // a test's variant repeats its package
			c.wrong = append(c.wrong, text)
		}
	}
	var files []*ast.File
	for _, name := range slices.Concat(s.GoFiles, s.CgoFiles) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(s.Dir, name)
		}
		file, err := parser.ParseFile(c.set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			complain(err)
		}
		if file != nil {
			files = append(files, file)
		}
	}
	config := types.Config{
		FakeImportC: true, IgnoreFuncBodies: !ours, Error: complain,
		Sizes: types.SizesFor("gc", "arm64"),
		Importer: importer(func(path string) (*types.Package, error) {
			if mapped, ok := s.ImportMap[path]; ok {
				path = mapped
			}
			if p := c.done[path]; p != nil {
				return p, nil
			}
			return nil, fmt.Errorf("no package %s", path)
		}),
	}
	path, _, _ := strings.Cut(s.ImportPath, " ")
	c.done[s.ImportPath], _ = config.Check(path, c.set, files, nil) // its errors went to complain
}

type importer func(string) (*types.Package, error)

func (f importer) Import(path string) (*types.Package, error) { return f(path) }

func TestMacCheckCanFail(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":      "module example\n\ngo 1.26\n",
		"a_linux.go":  "// Package example is right on Linux.\npackage example\n\nfunc name() string { return \"linux\" }\n",
		"a_darwin.go": "package example\n\n// #include <Cocoa/Cocoa.h>\nimport \"C\"\n\nfunc name() string { C.NSBeep(); return 7 }\n",
		"a_test.go":   "package example\n\nimport \"testing\"\n\nfunc TestName(t *testing.T) { var n int = name() }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wrong, err := typeCheckForMac(dir, ".")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "wrong type on the Mac's side", wrong, "a_darwin.go:6:41: cannot use 7")
	expect(t, "wrong type in a test", wrong, "a_test.go:5:43: cannot use name()")
	if len(wrong) != 3 { // the third: n is declared and not used
		t.Errorf("%q", wrong)
	}
}
