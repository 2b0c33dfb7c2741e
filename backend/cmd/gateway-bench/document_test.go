package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mlxbar/backend/testkit"
)

func TestOnlyWhatIsBetweenTheMarksChanges(t *testing.T) {
	document := "# Title\n\n<!-- begin sweep -->\n\n    old\n\n<!-- end sweep -->\n\nWords.\n<!-- begin other -->\n<!-- end other -->\n"
	got, err := replaceBlock([]byte(document), "sweep", []byte("a table\n\n  1 %\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := "# Title\n\n<!-- begin sweep -->\n\n    a table\n\n      1 %\n\n<!-- end sweep -->\n\nWords.\n<!-- begin other -->\n<!-- end other -->\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	again, err := replaceBlock(got, "sweep", []byte("a table\n\n  1 %\n"))
	if err != nil || string(again) != want {
		t.Errorf("a second time gives another document: %s, %v", again, err)
	}
	for _, broken := range []string{"", "<!-- begin sweep -->\n", "<!-- end sweep -->\n<!-- begin sweep -->\n"} {
		if _, err := replaceBlock([]byte(broken), "sweep", nil); err == nil {
			t.Errorf("%q has a place for it", broken)
		}
	}
}

// TestTheDocumentHasAPlaceForEachPart looks at the real one.
func TestTheDocumentHasAPlaceForEachPart(t *testing.T) {
	document, err := os.ReadFile(filepath.Join(testkit.Root(t), "docs", "PERFORMANCE.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(parts(), part{name: gatewayPart}) {
		if _, err := replaceBlock(document, p.name, nil); err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(document), "(performance/"+p.name+".json)") {
			t.Errorf("it does not name the raw figures of %s", p.name)
		}
	}
}

func TestWhatCannotBeMeasuredIsRefused(t *testing.T) {
	docs := t.TempDir()
	for _, c := range []struct {
		want string
		args []string
	}{
		{`"sweeep" is no part of the document; there are gateway, compare, protocols, sweep, profile, advise, engines, results`, []string{documentCommand, "--docs", docs, "sweeep"}},
		{"PERFORMANCE.md: no such file", []string{documentCommand, "--docs", docs, "sweep"}},
		{`gateway-bench sweep takes no "quick"`, []string{"sweep", "quick"}},
		{"`make bench` builds it", []string{"sweep", "-mlxbar", filepath.Join(docs, "none")}},
	} {
		if err := run(t.Context(), c.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.args, err, c.want)
		}
	}
	if limitOf([]string{documentCommand}) <= limitOf([]string{"sweep"}) {
		t.Error("all parts have no more time than one")
	}
}
