package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// mayImport is the direction of every import, from the outside in. A package may
// import those on its line and no other of mlxbar's; one that has no line fails.
// Names are below backend/. Change a line knowingly: the picture is in
// docs/ARCHITECTURE.md.
var mayImport = map[string]string{
	// Programs
	".":               "desktop display tray audit audit/export datadir frontend settings telemetry ledger",
	"cmd/mlxbar-tray": "desktop display tray datadir telemetry",
	"cmd/mlxbar": "interrupt server admin desktop datadir audit audit/export gateway/problem memory models engine/runtime settings " +
		"storage telemetry keychain cpuprofile access credentials ledger connect activity hub download units places",
	"cmd/mlx-benchmark": "interrupt bench/cli bench/machine telemetry",
	"cmd/fakeupstream":  "testkit/upstream",
	"cmd/fakehub":       "testkit/hub",
	"cmd/gateway-bench": "activity audit bench bench/machine datadir engine engine/llamacpp gateway gateway/httpserver gateway/problem " +
		"models settings storage testkit/records bench/results cpuprofile credentials",

	// What the programs are made of
	"server": "awake activity admin audit audit/export datadir engine engine/llamacpp engine/mlx engine/runtime frontend gateway gateway/httpserver gateway/problem gateway/requestid gateway/routing live memory models " +
		"settings storage telemetry telemetry/instruments bench/archive bench/job access credentials loopback prices connect hub download nearby",
	"desktop": "datadir gateway/problem",
	"display": "",
	"tray":    "desktop",

	// Edges of the server
	"gateway": "access activity audit engine models settings gateway/anthropic gateway/convert gateway/httpconn gateway/openai gateway/openai/chat gateway/openai/responses " +
		"gateway/problem gateway/requestid gateway/routing gateway/socket gateway/sse gateway/turn gateway/identity gateway/listing gateway/prefix gateway/wire loopback prices",
	"admin": "activity audit audit/export bench/archive bench/job bench/results engine live models settings gateway/problem gateway/requestid " +
		"gateway/routing access credentials keychain loopback ledger prices connect hub download nearby",

	// What the edges use
	"engine/llamacpp":       "engine engine/runtime engine/script models",
	"engine/mlx":            "engine engine/runtime engine/script models",
	"engine/script":         "",
	"engine/runtime":        "models",
	"engine":                "engine/runtime gateway/requestid models child loopback units",
	"interrupt":             "",
	"child":                 "",
	"awake":                 "",
	"audit/export":          "audit storage ledger",
	"ledger":                "audit prices settings",
	"prices":                "filewatch gateway/routing",
	"filewatch":             "",
	"audit":                 "storage",
	"gateway/httphead":      "",
	"gateway/socket":        "",
	"gateway/httpconn":      "gateway/httphead gateway/socket",
	"gateway/httpserver":    "gateway/httphead gateway/socket",
	"gateway/identity":      "settings",
	"gateway/prefix":        "gateway/wire",
	"gateway/listing":       "gateway/identity settings",
	"gateway/openai":        "gateway/problem gateway/turn gateway/wire",
	"gateway/routing":       "settings gateway/problem",
	"access":                "storage gateway/routing",
	"hub":                   "keychain loopback split",
	"download":              "hub split units",
	"connect":               "gateway/problem gateway/sse",
	"gateway/problem":       "gateway/requestid",
	"gateway/requestid":     "",
	"gateway/sse":           "",
	"live":                  "",
	"telemetry":             "gateway/requestid keychain",
	"telemetry/instruments": "audit engine loopback",
	"keychain":              "",
	"credentials":           "keychain settings",
	"activity":              "",
	"cpuprofile":            "",
	"models":                "split",
	"split":                 "",
	"places":                "",
	"units":                 "",
	"settings":              "loopback filewatch",
	"memory":                "activity models settings",
	"loopback":              "",
	"nearby":                "",
	"storage":               "",
	"datadir":               "",
	"frontend":              "",

	// Protocols, and the ways between them
	"gateway/convert":          "gateway/anthropic gateway/openai/chat gateway/openai/responses gateway/problem gateway/turn gateway/wire",
	"gateway/convert/clients":  "",
	"gateway/anthropic":        "gateway/problem gateway/turn gateway/wire",
	"gateway/openai/chat":      "gateway/openai gateway/problem gateway/turn gateway/wire",
	"gateway/openai/responses": "gateway/openai gateway/problem gateway/turn gateway/wire",
	"gateway/turn":             "gateway/problem gateway/wire",
	"gateway/wire":             "gateway/problem",

	// Tests and measurements
	"archtest":          "",
	"bench":             "",
	"bench/archive":     "bench/machine bench/results storage",
	"bench/job":         "child",
	"bench/machine":     "",
	"bench/results":     "bench bench/machine",
	"bench/workload":    "bench bench/results loopback",
	"bench/cli":         "bench bench/machine bench/results bench/workload datadir telemetry places",
	"e2e":               "",
	"testkit":           "datadir engine/runtime models testkit/upstream",
	"testkit/canary":    "testkit/collector",
	"testkit/collector": "",
	"testkit/hub":       "",
	"testkit/logind":    "",
	"testkit/records":   "audit storage",
	"testkit/secrets":   "",
	"testkit/session":   "",
	"testkit/upstream":  "",
}

// Imports of other projects that only some may use.
var (
	desktopLibraries = []string{"github.com/wailsapp/wails", "github.com/getlantern/systray"}
	desktopPrograms  = []string{".", "cmd/mlxbar-tray"}

	// inputOutput is what a converter of wire formats must do without. net/http
	// is looked at more closely by wrongHTTP: its status constants are harmless.
	inputOutput = []string{"net", "os", "os/exec", "io/ioutil", "database/sql", "log", "log/slog", "time", "context"}
	converters  = []string{"gateway/openai", "gateway/convert", "gateway/anthropic", "gateway/openai/chat", "gateway/openai/responses", "gateway/turn", "gateway/wire", "gateway/sse"}

	// testOnly packages are imported by tests, and by these programs.
	testOnly      = []string{"testkit", "testkit/canary", "testkit/collector", "testkit/hub", "testkit/logind", "testkit/records", "testkit/secrets", "testkit/session", "testkit/upstream"}
	testOnlyFront = []string{"testkit", "testkit/canary", "testkit/hub", "testkit/logind", "testkit/secrets", "testkit/session", "cmd/fakeupstream", "cmd/fakehub", "cmd/gateway-bench"}
)

// short gives a package's name as the tables write it.
func short(importPath string) string {
	switch {
	case importPath == module:
		return "."
	case strings.HasPrefix(importPath, module+"/backend/"):
		return strings.TrimPrefix(importPath, module+"/backend/")
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func ours(importPath string) bool {
	return importPath == module || strings.HasPrefix(importPath, module+"/")
}

func wrongDirections(pkgs []pkg, table map[string]string) (wrong []string) {
	for _, p := range pkgs {
		name := short(p.ImportPath)
		line, listed := table[name]
		if !listed {
			wrong = append(wrong, fmt.Sprintf("%s has no line in mayImport: add one, and say there what it may import", name))
		}
		allowed := strings.Fields(line)
		for _, i := range p.Imports {
			if ours(i) && listed && !slices.Contains(allowed, short(i)) {
				wrong = append(wrong, fmt.Sprintf("%s imports %s: let it declare the interface that it needs, or change its line in mayImport", name, short(i)))
			}
		}
	}
	return wrong
}

// circles finds packages that the table lets import each other: the direction of
// such a pair is not held by anything.
func circles(table map[string]string) (wrong []string) {
	var reaches func(from, to string, seen map[string]bool) bool
	reaches = func(from, to string, seen map[string]bool) bool {
		for _, next := range strings.Fields(table[from]) {
			if next == to {
				return true
			}
			if !seen[next] {
				seen[next] = true
				if reaches(next, to, seen) {
					return true
				}
			}
		}
		return false
	}
	for name := range table {
		if reaches(name, name, map[string]bool{}) {
			wrong = append(wrong, fmt.Sprintf("the table lets %s import itself by a detour", name))
		}
		for _, next := range strings.Fields(table[name]) {
			if _, ok := table[next]; !ok {
				wrong = append(wrong, fmt.Sprintf("%s may import %s, which has no line itself", name, next))
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

func wrongDesktop(pkgs []pkg) (wrong []string) {
	for _, p := range pkgs {
		name := short(p.ImportPath)
		if slices.Contains(desktopPrograms, name) {
			continue
		}
		for _, i := range p.everyImport() {
			for _, library := range desktopLibraries {
				if strings.HasPrefix(i, library) {
					wrong = append(wrong, fmt.Sprintf("%s imports %s: only %s may", name, i, strings.Join(desktopPrograms, " and ")))
				}
			}
		}
	}
	return wrong
}

func wrongIO(pkgs []pkg) (wrong []string) {
	for _, p := range pkgs {
		if name := short(p.ImportPath); slices.Contains(converters, name) {
			for _, i := range p.Imports {
				if slices.Contains(inputOutput, i) {
					wrong = append(wrong, fmt.Sprintf("%s imports %s: it converts and does no I/O, and takes the clock as a parameter", name, i))
				}
			}
		}
	}
	return wrong
}

// wrongHTTP finds uses of net/http in a converter beyond its status constants.
func wrongHTTP(name string, content []byte) (wrong []string) {
	file, err := parser.ParseFile(token.NewFileSet(), name, content, parser.SkipObjectResolution)
	if err != nil {
		return []string{err.Error()}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if on, ok := sel.X.(*ast.Ident); ok && on.Name == "http" && !strings.HasPrefix(sel.Sel.Name, "Status") {
				wrong = append(wrong, fmt.Sprintf("%s uses http.%s: a converter takes and gives bytes and values", name, sel.Sel.Name))
			}
		}
		return true
	})
	return wrong
}

func wrongTestkit(pkgs []pkg) (wrong []string) {
	for _, p := range pkgs {
		name := short(p.ImportPath)
		if slices.Contains(testOnlyFront, name) {
			continue
		}
		for _, i := range p.Imports {
			if ours(i) && slices.Contains(testOnly, short(i)) {
				wrong = append(wrong, fmt.Sprintf("%s imports %s outside its tests", name, short(i)))
			}
			if i == "testing" {
				wrong = append(wrong, fmt.Sprintf("%s imports testing outside its tests", name))
			}
		}
	}
	return wrong
}

// wrongLog finds the old log package: everything logs through log/slog.
func wrongLog(pkgs []pkg) (wrong []string) {
	for _, p := range pkgs {
		if slices.Contains(p.Imports, "log") {
			wrong = append(wrong, fmt.Sprintf("%s imports log: use log/slog", short(p.ImportPath)))
		}
	}
	return wrong
}

func TestImportDirections(t *testing.T) { report(t, wrongDirections(packages(t), mayImport)) }
func TestTheTableHasNoCircles(t *testing.T) {
	report(t, circles(mayImport))
}
func TestDesktopLibraries(t *testing.T) { report(t, wrongDesktop(packages(t))) }

func TestConvertersDoNoIO(t *testing.T) {
	report(t, wrongIO(packages(t)))
	for _, name := range tracked(t) {
		pkg := strings.TrimPrefix(path.Dir(name), "backend/")
		if slices.Contains(converters, pkg) && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			report(t, wrongHTTP(name, read(t, name)))
		}
	}
}

func TestTestkitIsForTests(t *testing.T)  { report(t, wrongTestkit(packages(t))) }
func TestLogsAreStructured(t *testing.T)  { report(t, wrongLog(packages(t))) }
func TestNoStaleLineInTable(t *testing.T) { report(t, stale(packages(t), mayImport)) }

func stale(pkgs []pkg, table map[string]string) (wrong []string) {
	there := map[string]bool{}
	for _, p := range pkgs {
		there[short(p.ImportPath)] = true
	}
	for name := range table {
		if !there[name] {
			wrong = append(wrong, fmt.Sprintf("mayImport has a line for %s, which is no package", name))
		}
	}
	slices.Sort(wrong)
	return wrong
}

func TestImportChecksCanFail(t *testing.T) {
	one := func(name string, imports ...string) []pkg {
		return []pkg{{ImportPath: "mlxbar/backend/" + name, Imports: imports}}
	}
	table := map[string]string{"gateway": "audit", "audit": ""}
	for _, c := range []struct {
		name  string
		wrong []string
		want  string // "" when nothing is wrong
	}{
		{"allowed", wrongDirections(one("gateway", "mlxbar/backend/audit", "fmt"), table), ""},
		{"upwards", wrongDirections(one("audit", "mlxbar/backend/gateway"), table), "audit imports gateway"},
		{"unknown package", wrongDirections(one("newthing"), table), "newthing has no line"},
		{"root", wrongDirections([]pkg{{ImportPath: "mlxbar"}}, table), ". has no line"},
		{"circle", circles(map[string]string{"a": "b", "b": "c", "c": "a"}), "lets a import itself"},
		{"no circle", circles(table), ""},
		{"import of nothing", circles(map[string]string{"a": "b"}), "which has no line itself"},
		{"stale", stale(one("audit"), table), "line for gateway"},
		{"wails in server", wrongDesktop(one("server", "github.com/wailsapp/wails/v2/pkg/runtime")), "only . and cmd/mlxbar-tray"},
		{"systray in a test", wrongDesktop([]pkg{{ImportPath: "mlxbar/backend/tray", XTestImports: []string{"github.com/getlantern/systray"}}}), "tray imports"},
		{"wails in root", wrongDesktop([]pkg{{ImportPath: "mlxbar", Imports: []string{"github.com/wailsapp/wails/v2"}}}), ""},
		{"files in a converter", wrongIO(one("gateway/openai", "os")), "does no I/O"},
		{"files in the gateway", wrongIO(one("gateway", "os")), ""},
		{"client in a converter", wrongHTTP("a.go", []byte("package a\nvar c http.Client")), "uses http.Client"},
		{"status in a converter", wrongHTTP("a.go", []byte("package a\nvar c = http.StatusOK")), ""},
		{"testkit in server", wrongTestkit(one("server", "mlxbar/backend/testkit/upstream")), "outside its tests"},
		{"testkit in a test", wrongTestkit([]pkg{{ImportPath: "mlxbar/backend/server", TestImports: []string{"mlxbar/backend/testkit"}}}), ""},
		{"testing in server", wrongTestkit(one("server", "testing")), "imports testing"},
		{"log", wrongLog(one("server", "log")), "use log/slog"},
	} {
		expect(t, c.name, c.wrong, c.want)
	}
}
