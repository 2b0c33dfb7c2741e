// Command fakehub is a Hugging Face Hub of a test's own, for tests that are not written in Go. What it holds and what
// shall go wrong it is told on stdin, a JSON object a line; after each it says ok and how often it was asked so far. It ends
// when stdin closes.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"mlxbar/backend/testkit/hub"
)

// order is one line. Repo and File say what it is about; of the others one is there, or none of all.
type order struct {
	Repo, File string
	From       string      // a file on disk that the repository shall have under that name
	Claim      int64       // the size that the Hub says it has
	Gate       string      // the token that the repository wants
	Fail       []hub.Fault // what happens to the next downloads of the file
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fakehub:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	s := hub.Start()
	defer s.Close()
	fmt.Fprintln(out, "ready on", s.URL)
	for lines := bufio.NewScanner(in); ; {
		if !lines.Scan() {
			return lines.Err()
		}
		if err := obey(s, lines.Bytes()); err != nil {
			return err
		}
		fmt.Fprintln(out, "ok", len(s.Requests()))
	}
}

func obey(s *hub.Server, line []byte) error {
	var o order
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return fmt.Errorf("read an order: %w", err)
	}
	switch {
	case o.From != "":
		content, err := os.ReadFile(o.From)
		if err != nil {
			return err
		}
		s.Add(o.Repo, o.File, content)
	case o.Claim > 0:
		s.Claim(o.Repo, o.File, o.Claim)
	case o.Gate != "":
		s.Gate(o.Repo, o.Gate)
	case len(o.Fail) > 0:
		s.Fail(o.File, o.Fail...)
	}
	return nil
}
