package archtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"
)

const maxFileBytes = 1 << 20

// Written in pieces, so that this file does not find itself.
var (
	registryHost = regexp.MustCompile(strings.Join([]string{
		`registry\.` + `(npmjs|yarnpkg)`, `pypi` + `\.org`, `files\.` + `pythonhosted`, `proxy\.` + `golang\.org`,
		`sum\.` + `golang\.org`, `/artifact` + `ory/`, `/(nexus|simple)/` + `repository`}, "|"))
	machinePath = regexp.MustCompile(`(^|[^A-Za-z0-9_.~$}/-])(/work/|/tmp/w/|/root/|/home/[a-z]|/` + `Users/[a-z])`)
)

// wrongHost finds addresses of package registries and paths of one machine.
func wrongHost(name string, content []byte) (wrong []string) {
	if bytes.IndexByte(content, 0) >= 0 { // an image
		return nil
	}
	patterns := map[string]*regexp.Regexp{"a registry's host": registryHost, "a path of somebody's machine": machinePath}
	if strings.HasSuffix(name, "_test.go") { // tables there make up homes
		delete(patterns, "a path of somebody's machine")
	}
	n := 0
	for line := range bytes.Lines(content) {
		n++
		for what, pattern := range patterns {
			if m := pattern.Find(line); m != nil {
				wrong = append(wrong, fmt.Sprintf("%s:%d holds %s: %q", name, n, what, bytes.TrimSpace(m)))
			}
		}
	}
	return wrong
}

// wrongLock holds that npm's lock file has hashes and no addresses.
func wrongLock(name string, content []byte) (wrong []string) {
	var lock struct {
		Packages map[string]struct {
			Resolved, Integrity string
			Link, InBundle      bool // a bundled package lies inside another's archive and under its hash
		}
	}
	if err := json.Unmarshal(content, &lock); err != nil {
		return []string{fmt.Sprintf("%s: %v", name, err)}
	}
	for key, p := range lock.Packages {
		if p.Resolved != "" {
			wrong = append(wrong, fmt.Sprintf("%s: %s has \"resolved\"; frontend/.npmrc omits it, so use npm from that folder", name, key))
		}
		if key != "" && p.Integrity == "" && !p.Link && !p.InBundle {
			wrong = append(wrong, fmt.Sprintf("%s: %s has no hash", name, key))
		}
	}
	return wrong
}

func wrongSize(name string, content []byte) []string {
	if len(content) > maxFileBytes {
		return []string{fmt.Sprintf("%s has %d bytes; nothing over 1 MiB belongs in git", name, len(content))}
	}
	return nil
}

func TestTrackedFiles(t *testing.T) {
	locks := 0
	for _, name := range tracked(t) {
		content := read(t, name)
		report(t, wrongSize(name, content))
		report(t, wrongHost(name, content))
		if path.Base(name) == "package-lock.json" {
			locks++
			report(t, wrongLock(name, content))
		}
	}
	if locks == 0 {
		t.Error("no package-lock.json is tracked")
	}
}

func TestFileChecksCanFail(t *testing.T) {
	for _, c := range []struct {
		name  string
		wrong []string
		want  string
	}{
		{"npm registry", wrongHost("a", []byte("x\nhttps://registry."+"npmjs.org/x\n")), "a:2 holds a registry's host"},
		{"index of Python", wrongHost("a", []byte("--index-url https://"+"pypi"+".org/simple")), "a:1 holds a registry's host"},
		{"image", wrongHost("a.png", []byte("\x00registry."+"npmjs.org")), ""},
		{"machine path", wrongHost("a", []byte("see "+"/work"+"/main/x")), "path of somebody's machine"},
		{"home", wrongHost("a", []byte(`"`+"/home"+`/jane/x"`)), "path of somebody's machine"},
		{"made-up home", wrongHost("a_test.go", []byte(`"`+"/home"+`/jane/x"`)), ""},
		{"path of a repository", wrongHost("a", []byte("docs/work/main and $HOME/work/x")), ""},
		{"lock", wrongLock("l", []byte(`{"packages":{"":{},"node_modules/a":{"integrity":"sha512-x"}}}`)), ""},
		{"lock with a bundled package", wrongLock("l", []byte(`{"packages":{"node_modules/a":{"inBundle":true}}}`)), ""},
		{"lock with address", wrongLock("l", []byte(`{"packages":{"node_modules/a":{"resolved":"https://x","integrity":"sha512-x"}}}`)), `has "resolved"`},
		{"lock without hash", wrongLock("l", []byte(`{"packages":{"node_modules/a":{}}}`)), "has no hash"},
		{"lock that is none", wrongLock("l", []byte(`[`)), "unexpected end"},
		{"large", wrongSize("a.bin", make([]byte, maxFileBytes+1)), "nothing over 1 MiB"},
		{"just right", wrongSize("a.bin", make([]byte, maxFileBytes)), ""},
	} {
		expect(t, c.name, c.wrong, c.want)
	}
}
