package sse

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func readAll(r *Reader) (events []string, err error) {
	for {
		e, err := r.Next()
		if err != nil {
			return events, err
		}
		events = append(events, string(e))
	}
}

func TestReaderYieldsRawEvents(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want []string
		err  error
	}{
		"line feeds":            {"data: a\n\ndata: b\n\n", []string{"data: a\n\n", "data: b\n\n"}, io.EOF},
		"carriage returns":      {"data: a\r\rdata: b\r\r", []string{"data: a\r\r", "data: b\r\r"}, io.EOF},
		"both":                  {"data: a\r\n\r\ndata: b\r\n\r\n", []string{"data: a\r\n\r\n", "data: b\r\n\r\n"}, io.EOF},
		"comment":               {": ping\n\ndata: a\n\n", []string{": ping\n\n", "data: a\n\n"}, io.EOF},
		"named, several fields": {"event: x\nid: 1\ndata: a\n\n", []string{"event: x\nid: 1\ndata: a\n\n"}, io.EOF},
		"cut in an event":       {"data: a\n\ndata: b", []string{"data: a\n\n"}, io.ErrUnexpectedEOF},
		"cut before the blank":  {"data: a\n", nil, io.ErrUnexpectedEOF},
		"trailing newline":      {"data: a\n\n\n", []string{"data: a\n\n"}, io.EOF},
		"nothing":               {"", nil, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			for how, src := range map[string]io.Reader{
				"whole":        strings.NewReader(c.in),
				"byte by byte": iotest.OneByteReader(strings.NewReader(c.in)),
			} {
				got, err := readAll(NewReader(src, 1<<20))
				if strings.Join(got, "|") != strings.Join(c.want, "|") || !errors.Is(err, c.err) {
					t.Errorf("%s: got %q, %v; want %q, %v", how, got, err, c.want, c.err)
				}
			}
		})
	}
}

func TestReaderPassesOnAReadError(t *testing.T) {
	broken := errors.New("connection reset")
	r := NewReader(io.MultiReader(strings.NewReader("data: a\n\nda"), iotest.ErrReader(broken)), 1<<20)
	got, err := readAll(r)
	if len(got) != 1 || !errors.Is(err, broken) {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestReaderRefusesAnEventOverItsLimit(t *testing.T) {
	r := NewReader(strings.NewReader("data: "+strings.Repeat("x", 5000)+"\n\n"), 4096)
	if _, err := r.Next(); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("got %v, want ErrTooLarge", err)
	}
	r = NewReader(strings.NewReader("data: "+strings.Repeat("x", 5000)+"\n\n"), 8192)
	if e, err := r.Next(); err != nil || len(e) != 5008 {
		t.Fatalf("got %d bytes, %v", len(e), err)
	}
}

// dripping is a source of which only the parts before a "|" have come.
type dripping struct{ parts []string }

func (d *dripping) Read([]byte) (int, error) {
	panic("a reader with something to flush reads in another way")
}

func (d *dripping) ReadFlushing(p []byte, flush func() error) (n int, err error) {
	for len(d.parts) > 0 && d.parts[0] == "|" {
		if err := flush(); err != nil {
			return 0, err
		}
		d.parts = d.parts[1:]
	}
	if len(d.parts) == 0 {
		return 0, io.EOF
	}
	n = copy(p, d.parts[0])
	if d.parts[0] = d.parts[0][n:]; d.parts[0] == "" {
		d.parts = d.parts[1:]
	}
	return n, nil
}

func TestWhatCameTogetherIsFlushedTogether(t *testing.T) {
	for name, c := range map[string]struct {
		src  io.Reader
		want []string
	}{
		"a source that tells of its waits": {
			&dripping{[]string{"data: a\n\n", "data: b\n\n", "|", "data: c\n", "|", "\nda", "ta: d\n\n"}},
			[]string{"data: a", "data: b", "flush", "flush", "data: c", "data: d"},
		},
		"one that does not": {
			iotest.DataErrReader(io.MultiReader(strings.NewReader("data: a\n\ndata: b\n\nda"), strings.NewReader("ta: c\n\n"))),
			[]string{"flush", "data: a", "data: b", "flush", "data: c"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			r := NewReader(c.src, 1<<20)
			r.BeforeWait(func() error { got = append(got, "flush"); return nil })
			for {
				event, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, strings.TrimSpace(string(event)))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("in turn: %q, want %q", got, c.want)
			}
		})
	}
}

func TestAFlushThatFailsEndsTheReader(t *testing.T) {
	gone := errors.New("the client has left")
	for name, src := range map[string]io.Reader{
		"a source that tells of its waits": &dripping{[]string{"data: a\n\n", "|", "data: b\n\n"}},
		"one that does not":                iotest.OneByteReader(strings.NewReader("data: a\n\ndata: b\n\n")),
	} {
		r, flushes := NewReader(src, 1<<20), 0
		r.BeforeWait(func() error {
			if flushes++; flushes > 9 || name[0] == 'a' {
				return gone
			}
			return nil
		})
		if event, err := r.Next(); string(event) != "data: a\n\n" {
			t.Errorf("%s: began with %q, %v", name, event, err)
		}
		if event, err := r.Next(); !errors.Is(err, gone) {
			t.Errorf("%s: went on with %q, %v", name, event, err)
		}
	}
}

func TestData(t *testing.T) {
	for in, want := range map[string]string{
		"data: a\n\n":                  "a",
		"data:a\n\n":                   "a",
		"data:  a\r\n\r\n":             " a",
		"event: x\ndata: a\n\n":        "a",
		"data: a\ndata: b\n\n":         "a\nb",
		"data\n\n":                     "",
		": comment\n\n":                "",
		"database: x\n\n":              "",
		"data: {\"a\":1}\rdata: b\r\r": "{\"a\":1}\nb",
	} {
		raw := []byte(in)
		if got := string(Data(raw)); got != want {
			t.Errorf("Data(%q) = %q, want %q", in, got, want)
		}
		if string(raw) != in {
			t.Errorf("Data(%q) changed the event to %q", in, raw)
		}
	}
}

// Whatever the stream and however it arrives, the events put together are the
// stream itself: nothing is lost, added or changed.
func TestEventsTogetherAreTheStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOf(rapid.SampledFrom([]byte("ad:\r\n "))).Draw(t, "stream")
		r := NewReader(iotest.HalfReader(bytes.NewReader(in)), 1<<20)
		events, _ := readAll(r)
		whole := strings.Join(events, "")
		if !strings.HasPrefix(string(in), whole) {
			t.Fatalf("events %q are no prefix of %q", events, in)
		}
		one, _ := readAll(NewReader(iotest.OneByteReader(bytes.NewReader(in)), 1<<20))
		if strings.Join(one, "|") != strings.Join(events, "|") {
			t.Fatalf("split %q or %q, after how it arrived", one, events)
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("data: a\n\n"))
	f.Add([]byte("data: a\r\n\r\n: c\r\r"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(bytes.NewReader(in), 64<<10)
		for {
			e, err := r.Next()
			if err != nil {
				return
			}
			Data(e)
		}
	})
}
