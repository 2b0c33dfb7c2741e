package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestResolve(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	noHome := func() (string, error) { return "", errors.New("$HOME is not defined") }
	home := func() (string, error) { return "/home/ada", nil }
	for _, tc := range []struct {
		name, goos, flag string
		env              map[string]string
		home             func() (string, error)
		want             string // "" expects an error
	}{
		{"the flag stands over all", "linux", "/data", map[string]string{Env: "/env", "XDG_DATA_HOME": "/xdg"}, home, "/data"},
		{"a relative flag becomes absolute", "linux", "data", nil, home, filepath.Join(wd, "data")},
		{"the variable stands over the default", "darwin", "", map[string]string{Env: "/env"}, home, "/env"},
		{"Linux with XDG", "linux", "", map[string]string{"XDG_DATA_HOME": "/xdg"}, home, "/xdg/mlxbar"},
		{"Linux ignores a relative XDG", "linux", "", map[string]string{"XDG_DATA_HOME": "xdg"}, home, "/home/ada/.local/share/mlxbar"},
		{"Linux without XDG", "linux", "", nil, home, "/home/ada/.local/share/mlxbar"},
		{"macOS", "darwin", "", map[string]string{"XDG_DATA_HOME": "/xdg"}, home, "/home/ada/Library/Application Support/mlxbar"},
		{"no home", "linux", "", nil, noHome, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := resolve(tc.goos, tc.flag, func(k string) string { return tc.env[k] }, tc.home)
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("resolve = %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestEnsureDirs(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(t *testing.T, p Paths)
		loose   bool
	}{
		{"nothing there yet", func(t *testing.T, p Paths) {}, false},
		{"an empty open folder is closed", func(t *testing.T, p Paths) { mkdir(t, p.Root, 0o755) }, false},
		{"our own open folder is closed", func(t *testing.T, p Paths) {
			mkdir(t, p.Run, 0o755)
			write(t, p.Database+"-wal")
			write(t, filepath.Join(p.Root, "settings.schema.json"))
			write(t, p.Settings+".refused")
			write(t, p.Prices)
			mkdir(t, p.Root, 0o755)
		}, false},
		{"a strange folder of mode 0700 is taken as it is", func(t *testing.T, p Paths) {
			mkdir(t, p.Root, 0o700)
			write(t, filepath.Join(p.Root, "thesis.tex"))
		}, false},
		{"a link to models elsewhere stays", func(t *testing.T, p Paths) {
			mkdir(t, p.Root, 0o700)
			if err := os.Symlink(t.TempDir(), p.Models); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a strange open folder is refused", func(t *testing.T, p Paths) {
			mkdir(t, p.Root, 0o755)
			write(t, filepath.Join(p.Root, "thesis.tex"))
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := At(filepath.Join(t.TempDir(), "deep", "mlxbar"))
			tc.prepare(t, p)
			err := p.EnsureDirs()
			if tc.loose {
				if !errors.Is(err, ErrLoose) {
					t.Fatalf("EnsureDirs = %v, want ErrLoose", err)
				}
				if got := mode(t, p.Root); got != 0o755 {
					t.Errorf("the refused folder was changed to %o", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{p.Root, p.Run, p.Logs} {
				if got := mode(t, dir); got != 0o700 {
					t.Errorf("%s has mode %o, want 700", dir, got)
				}
			}
			for _, dir := range []string{p.Models, p.Runtimes} {
				if info, err := os.Stat(dir); err != nil || !info.IsDir() {
					t.Errorf("%s: %v", dir, err)
				}
			}
		})
	}
}

func mkdir(t *testing.T, dir string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}
