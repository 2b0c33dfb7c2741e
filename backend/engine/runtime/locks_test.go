package runtime_test

import (
	"regexp"
	"strings"
	"testing"

	"mlxbar/backend/engine/runtime"
)

var (
	pinned = regexp.MustCompile(`^[a-z0-9-]+==[a-z0-9.]+$`)
	hashed = regexp.MustCompile(`^--hash=sha256:[0-9a-f]{64}$`)
)

// An embedded lock pins each package to a version and to hashes, and names no host.
func TestTheLocksPinEverything(t *testing.T) {
	for name, text := range runtime.Locks {
		requirements := strings.Split(strings.ReplaceAll(strings.TrimSpace(string(text)), "\\\n", " "), "\n")
		for _, r := range requirements {
			package_, hashes, _ := strings.Cut(r, " --hash")
			package_, _, _ = strings.Cut(package_, ";") // where it is for some systems only
			fields := strings.Fields("--hash" + hashes)
			if !pinned.MatchString(strings.TrimSpace(package_)) || len(hashes) == 0 {
				t.Errorf("%s: %q pins no version, or has no hash", name, r)
				continue
			}
			for _, h := range fields {
				if !hashed.MatchString(h) {
					t.Errorf("%s: %q is no hash", name, h)
				}
			}
		}
	}
}

// A lock that differs by one byte makes another environment: an upgrade does not
// touch the old one, and a rollback finds it.
func TestAnEnvironmentsNameCarriesTheHashOfItsLock(t *testing.T) {
	one := runtime.Lock{Name: "engine", Text: []byte("a==1\n")}
	two := runtime.Lock{Name: "engine", Text: []byte("a==2\n")}
	a, _ := runtime.Find("data", one)
	b, _ := runtime.Find("data", two)
	again, _ := runtime.Find("data", runtime.Lock{Name: "engine", Text: []byte("a==1\n")})
	if a == b || a != again {
		t.Errorf("the environments are %s, %s and %s", a.Dir, b.Dir, again.Dir)
	}
	if want := "engine-" + one.Hash()[:12]; !strings.HasSuffix(a.Dir, want) || len(one.Hash()) != 64 {
		t.Errorf("%s does not end with %s", a.Dir, want)
	}
}
