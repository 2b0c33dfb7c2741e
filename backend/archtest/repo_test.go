package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "mlxbar"

// A pkg is what go list says about one package, on Linux and on a Mac together.
type pkg struct {
	ImportPath, Dir, Name, Doc         string
	Imports, TestImports, XTestImports []string
	GoFiles, CgoFiles, IgnoredGoFiles  []string
	TestGoFiles, XTestGoFiles          []string
}

func (p pkg) everyImport() []string {
	return slices.Concat(p.Imports, p.TestImports, p.XTestImports)
}

// root is the folder of go.mod.
var root = sync.OnceValues(func() (string, error) {
	out, err := command("", nil, "go", "env", "GOMOD")
	return filepath.Dir(strings.TrimSpace(string(out))), err
})

func repo(t *testing.T) string {
	t.Helper()
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var listed = sync.OnceValues(func() ([]pkg, error) {
	dir, err := root()
	if err != nil {
		return nil, err
	}
	byPath := map[string]pkg{}
	for _, goos := range []string{"linux", "darwin"} {
		out, err := command(dir, []string{"GOOS=" + goos, "CGO_ENABLED=1"}, "go", "list", "-e",
			"-json=ImportPath,Dir,Name,Doc,Imports,TestImports,XTestImports,GoFiles,CgoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles", "./...")
		if err != nil {
			return nil, err
		}
		for d := json.NewDecoder(bytes.NewReader(out)); ; {
			var p pkg
			if err := d.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("go list: %w", err)
			}
			seen := byPath[p.ImportPath]
			p.Imports = union(seen.Imports, p.Imports)
			p.TestImports = union(seen.TestImports, p.TestImports)
			p.XTestImports = union(seen.XTestImports, p.XTestImports)
			byPath[p.ImportPath] = p
		}
	}
	var all []pkg
	for _, p := range byPath {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return all, nil
})

func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages; that cannot be the project", len(all))
	}
	return all
}

// tracked gives the files that git knows, relative to the root.
func tracked(t *testing.T) []string {
	t.Helper()
	out, err := command(repo(t), nil, "git", "-c", "safe.directory=*", "ls-files", "-z")
	if err != nil {
		t.Fatalf("this test reads git's list of files: %v", err)
	}
	var files []string
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join(repo(t), name)); err == nil && info.Mode().IsRegular() {
			files = append(files, name)
		}
	}
	if len(files) < 10 {
		t.Fatalf("git lists %d files; that cannot be the project", len(files))
	}
	return files
}

func command(dir string, env []string, name string, args ...string) ([]byte, error) {
	c := exec.Command(name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return out, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, &stderr)
	}
	return out, nil
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func report(t *testing.T, wrong []string) {
	t.Helper()
	for _, w := range wrong {
		t.Error(w)
	}
}

// expect holds that a check said want, or nothing when want is "".
func expect(t *testing.T, name string, got []string, want string) {
	t.Helper()
	text := strings.Join(got, "\n")
	if (want == "") != (text == "") || !strings.Contains(text, want) {
		t.Errorf("%s: the check said %q, want %q", name, text, want)
	}
}
