package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestFillMakesAnAudit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a data folder")
	var out strings.Builder
	args := []string{"fill", "--data-dir", dir, "--records", "9000", "--newest", "2026-01-31T18:00:00Z"}
	if err := run(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "9000 records in "+dir) {
		t.Errorf("it says %q", out.String())
	}
	for _, wrong := range [][]string{
		{"fill"}, {"fill", "--data-dir", dir, "--records", "0"}, {"fill", "--data-dir", dir, "--newest", "now"}, {"fill", "--data-dir", dir, "more"},
	} {
		if err := run(context.Background(), wrong, io.Discard, io.Discard); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}
