package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// documentCommand measures everything and writes it into the document and beside it.
const documentCommand = "document"

// gatewayPart is the benchmark that has no word of its own on the command line.
const gatewayPart = "gateway"

func writeDocument(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var docs string
	var quick bool
	f := flag.NewFlagSet("gateway-bench document", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&docs, "docs", "docs", "the `folder` that has PERFORMANCE.md")
	f.BoolVar(&quick, "quick", false, "short runs, to see that all of it works")
	names := []string{gatewayPart}
	for _, p := range parts() {
		names = append(names, p.name)
	}
	f.Usage = func() {
		fmt.Fprintf(stderr, "gateway-bench document [flags] [part...]: measures all parts or those that are named, out of %s\n", strings.Join(names, ", "))
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return err
	}
	wanted := names
	if f.NArg() > 0 {
		wanted = f.Args()
	}
	for _, name := range wanted {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%q is no part of the document; there are %s", name, strings.Join(names, ", "))
		}
	}
	file := filepath.Join(docs, "PERFORMANCE.md")
	if _, err := os.Stat(file); err != nil {
		return err
	}
	raw := filepath.Join(docs, "performance")
	if err := os.MkdirAll(raw, 0o755); err != nil {
		return err
	}
	// A part that fails keeps what the document had of it, and the others have their turn.
	var failed []error
	for _, name := range wanted {
		if err := measureInto(ctx, file, raw, name, quick, stdout, stderr); err != nil {
			fmt.Fprintf(stderr, "gateway-bench: %s: %v\n", name, err)
			failed = append(failed, fmt.Errorf("%s was not measured", name))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.Join(failed...)
}

func measureInto(ctx context.Context, file, raw, name string, quick bool, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	results := filepath.Join(raw, name+".json")
	args := []string{"-json", results + ".new"}
	if quick {
		args = append(args, "-quick")
	}
	if name == gatewayPart {
		args = append(args, "-protocols=false") // which are a part of their own there
	} else {
		args = append([]string{name}, args...)
	}
	defer os.Remove(results + ".new")
	var said bytes.Buffer
	if err := run(ctx, args, io.MultiWriter(stdout, &said), stderr); err != nil {
		return err
	}
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	written, err := replaceBlock(old, name, said.Bytes())
	if err != nil {
		return err
	}
	if err := os.Rename(results+".new", results); err != nil {
		return err
	}
	return renameio.WriteFile(file, written, 0o644)
}

// replaceBlock puts text, as a block of code, between a part's marks in the document.
func replaceBlock(document []byte, name string, text []byte) ([]byte, error) {
	begin, end := fmt.Sprintf("<!-- begin %s -->\n", name), fmt.Sprintf("<!-- end %s -->", name)
	before, rest, found := strings.Cut(string(document), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return nil, fmt.Errorf("the document has no place for %s: it needs the lines %q and %q", name, strings.TrimSpace(begin), end)
	}
	var b strings.Builder
	b.WriteString(before + begin + "\n")
	for line := range strings.Lines(strings.TrimSpace(string(text)) + "\n") {
		if strings.TrimSpace(line) != "" {
			b.WriteString("    ")
		}
		b.WriteString(line)
	}
	b.WriteString("\n" + end + after)
	return []byte(b.String()), nil
}
