package export

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"mlxbar/backend/audit"
	"mlxbar/backend/storage"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

func ptr[T any](v T) *T { return &v }

// examples are what the golden files show: a usual request, one of which little
// is known, and one by somebody who wants to run a formula in a spreadsheet.
func examples() []audit.Record {
	at := time.Date(2026, 3, 1, 9, 30, 0, 120e6, time.UTC)
	return []audit.Record{
		{
			ID: 1, RequestID: "req_1", StartedAt: at, Model: "smollm2-135m-instruct", ServedModel: "smollm2-135m-instruct",
			Backend: audit.Local, Provider: "llamacpp", Endpoint: "/v1/chat/completions", Stream: true,
			DurationMS: ptr(812.25), TTFTMS: ptr(40.0), Status: audit.Success, HTTPStatus: ptr[int64](200),
			PromptTokens: ptr[int64](12), CompletionTokens: ptr[int64](30), TotalTokens: ptr[int64](42), CachedTokens: ptr[int64](0),
			PromptMS: ptr(38.5), GenerationMS: ptr(770.0), Attempts: 1, Client: "OpenAI/Python 2.1", KeyID: "", CostUSD: ptr(0.0),
		},
		{ID: 2, RequestID: "req_2", StartedAt: at.Add(time.Second), Model: "gpt-5", Backend: audit.OpenAI, Provider: "openai", Endpoint: "/v1/embeddings", Status: audit.Running},
		{
			ID: 3, RequestID: "@SUM(1)", StartedAt: at.Add(time.Hour), Model: `=HYPERLINK("http://x","y")`, ServedModel: "+1\r\n-2",
			Backend: audit.Anthropic, Provider: "-5", Endpoint: "/v1/chat/completions", DurationMS: ptr(-1.5), Status: audit.Failed,
			HTTPStatus: ptr[int64](502), ErrorType: "upstream-failed", Attempts: 2, Client: "\t<b>&é,;", KeyID: "\rk", CostUSD: ptr(-0.000001),
			Left: []audit.Departure{{Provider: "-5", HTTPStatus: 502, BytesOut: 800, BytesIn: 90}, {Provider: "far", BytesOut: 810}},
		},
	}
}

func of(records []audit.Record) Each {
	return func(_ context.Context, fn func(audit.Record) error) error {
		for _, r := range records {
			if err := fn(r); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestGolden(t *testing.T) {
	for _, f := range []Format{CSV, JSONL} {
		var got bytes.Buffer
		n, err := Write(t.Context(), &got, f, of(examples()))
		if err != nil || n != 3 {
			t.Fatal(n, err)
		}
		path := filepath.Join("testdata", "records"+f.Extension())
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", path, diff)
		}
	}
}

func TestTheHeaderNamesEveryFieldOfARecord(t *testing.T) {
	raw, err := json.Marshal(audit.Record{Left: []audit.Departure{{}}})
	if err != nil {
		t.Fatal(err)
	}
	var fields []string
	dec := json.NewDecoder(bytes.NewReader(raw))
	for depth := 0; ; {
		tok, err := dec.Token()
		if err != nil {
			break
		}
		if tok == json.Delim('{') {
			depth++
		} else if name, ok := tok.(string); ok && depth == 1 {
			fields = append(fields, name)
			if err := dec.Decode(new(any)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// What left is a list, of which a line has the names and the bytes of all; the hint came later than these.
	fields = append(fields[:len(fields)-2], "left_to", "bytes_out", "bytes_in", "hint")
	if diff := cmp.Diff(fields, header); diff != "" {
		t.Errorf("(-record +header)\n%s", diff)
	}
}

func TestCSVReadsBackWithoutFormulas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var records []audit.Record
		for range rapid.IntRange(0, 5).Draw(t, "count") {
			prefix := rapid.SampledFrom([]string{"", "=", "+", "-", "@", "\t", "\r", "'", "\"", ",", "\n"}).Draw(t, "prefix")
			records = append(records, audit.Record{
				ID: rapid.Int64().Draw(t, "id"), Model: prefix + rapid.String().Draw(t, "model"),
				Client: prefix + rapid.String().Draw(t, "client"), DurationMS: ptr(rapid.Float64Range(-1e6, 1e6).Draw(t, "ms")),
			})
		}
		var out bytes.Buffer
		if _, err := Write(context.Background(), &out, CSV, of(records)); err != nil {
			t.Fatal(err)
		}
		lines := parse(t, out.String())
		if len(lines) != len(records)+1 {
			t.Fatalf("%d lines for %d records", len(lines), len(records))
		}
		for i, r := range records {
			cells := map[string]string{}
			for j, name := range header {
				cells[name] = lines[i+1][j]
			}
			for name, was := range map[string]string{"model": r.Model, "client": r.Client} {
				cell := cells[name]
				if cell != was && cell != "'"+was {
					t.Errorf("%s %q became %q", name, was, cell)
				}
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					t.Errorf("%s begins like a formula: %q", name, cell)
				}
			}
			if ms := fmt.Sprint(*r.DurationMS); *r.DurationMS < 0 && cells["duration_ms"][0] != '-' {
				t.Errorf("%s became %s", ms, cells["duration_ms"])
			}
		}
	})
}

// parse reads RFC 4180 to the letter; encoding/csv would change line ends.
func parse(t *rapid.T, s string) [][]string {
	var lines [][]string
	line, cell, quoted := []string{}, strings.Builder{}, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '"' && i+1 < len(s) && s[i+1] == '"':
			cell.WriteByte('"')
			i++
		case s[i] == '"':
			quoted = !quoted
		case quoted || s[i] != ',' && s[i] != '\r':
			cell.WriteByte(s[i])
		default:
			line = append(line, cell.String())
			cell.Reset()
			if s[i] == '\r' {
				if i+1 == len(s) || s[i+1] != '\n' {
					t.Fatalf("a bare CR at %d", i)
				}
				i++
				lines, line = append(lines, line), nil
			}
		}
	}
	if quoted || len(line) > 0 || cell.Len() > 0 {
		t.Fatal("the last line does not end")
	}
	return lines
}

func TestCSVIsReadByTheStandardLibrary(t *testing.T) {
	var out bytes.Buffer
	if _, err := Write(t.Context(), &out, CSV, of(examples())); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != 4 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}

func TestJSONLReadsBack(t *testing.T) {
	var out bytes.Buffer
	if _, err := Write(t.Context(), &out, JSONL, of(examples())); err != nil {
		t.Fatal(err)
	}
	var got []audit.Record
	for dec := json.NewDecoder(&out); ; {
		var r audit.Record
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	if diff := cmp.Diff(examples(), got); diff != "" {
		t.Error(diff)
	}
}

func TestParseFormat(t *testing.T) {
	for in, want := range map[string]Format{"csv": CSV, "JSONL": JSONL} {
		if got, err := ParseFormat(in); got != want || err != nil {
			t.Errorf("%s: %v %v", in, got, err)
		}
	}
	if _, err := ParseFormat("xlsx"); err == nil || !strings.Contains(err.Error(), "csv, jsonl") {
		t.Errorf("xlsx: %v", err)
	}
	if _, err := Write(t.Context(), io.Discard, "xlsx", of(nil)); err == nil {
		t.Error("wrote an unknown format")
	}
}

// database holds n finished requests.
func database(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mlxbar.db")
	db, err := storage.Open(t.Context(), path, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rec, err := audit.NewRecorder(t.Context(), db, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r := examples()[0]
		if i%10 == 0 {
			r.Model = "gpt-5"
		}
		if err := rec.Begin(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
		r.Status = audit.Success
		if err := rec.End(&r); err != nil {
			t.Fatal(err)
		}
	}
	if err := rec.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFile(t *testing.T) {
	db := database(t, 2500)
	dir := t.TempDir()
	for _, format := range []Format{CSV, JSONL} {
		dest := filepath.Join(dir, "audit"+format.Extension())
		if err := os.WriteFile(dest, []byte("an older export"), 0o600); err != nil {
			t.Fatal(err)
		}
		var heard []int64
		n, err := File(t.Context(), db, dest, format, audit.Filter{}, func(n int64) { heard = append(heard, n) })
		if err != nil || n != 2500 {
			t.Fatal(n, err)
		}
		if diff := cmp.Diff([]int64{1000, 2000, 2500}, heard); diff != "" {
			t.Error(diff)
		}
		raw, err := os.ReadFile(dest)
		want := map[Format]int{CSV: 2501, JSONL: 2500}[format]
		if lines := bytes.Count(raw, []byte("\n")); lines != want || err != nil {
			t.Errorf("%d lines, want %d (%v)", lines, want, err)
		}
	}
	n, err := File(t.Context(), db, filepath.Join(dir, "some.csv"), CSV, audit.Filter{Model: "gpt-5"}, nil)
	if err != nil || n != 250 {
		t.Errorf("filtered: %d %v", n, err)
	}
	only(t, dir, "audit.csv", "audit.jsonl", "some.csv")
}

// only holds dir to these files, in order.
func only(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("left in the folder (-want +got)\n%s", diff)
	}
}

func TestFileLeavesNothingBehind(t *testing.T) {
	db := database(t, 2500)
	dir := t.TempDir()
	dest := filepath.Join(dir, "audit.csv")
	if err := os.WriteFile(dest, []byte("an older export"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := File(ctx, db, dest, CSV, audit.Filter{}, func(int64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if raw, err := os.ReadFile(dest); string(raw) != "an older export" || err != nil {
		t.Errorf("the older export is now %q (%v)", raw, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := File(t.Context(), db, filepath.Join(dir, "folder"), CSV, audit.Filter{}, nil); err == nil {
		t.Error("a folder was replaced")
	}
	if _, err := File(t.Context(), db, filepath.Join(dir, "none", "audit.csv"), CSV, audit.Filter{}, nil); err == nil {
		t.Error("exported into a folder that does not exist")
	}
	if _, err := File(t.Context(), filepath.Join(dir, "none.db"), dest, CSV, audit.Filter{}, nil); !errors.Is(err, storage.ErrUnreadable) {
		t.Errorf("no database: %v", err)
	}
	only(t, dir, "audit.csv", "folder")
}

// TestMemoryDoesNotGrow exports far more than it may hold.
func TestMemoryDoesNotGrow(t *testing.T) {
	const n, bound = 60_000, 8 << 20
	path := database(t, n)
	db, err := storage.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store := audit.NewStore(db)
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var written int64
	before, most, seen := live(), uint64(0), 0
	_, err = Write(t.Context(), counter{&written}, JSONL, func(ctx context.Context, fn func(audit.Record) error) error {
		return store.Each(ctx, audit.Filter{}, func(r audit.Record) error {
			if seen++; seen%10_000 == 0 {
				most = max(most, live())
			}
			return fn(r)
		})
	})
	if err != nil || seen != n {
		t.Fatal(seen, err)
	}
	if written < 2*bound {
		t.Fatalf("%d bytes are too few to tell", written)
	}
	if most > before+bound {
		t.Errorf("the heap grew from %d to %d bytes", before, most)
	}
}

type counter struct{ n *int64 }

func (c counter) Write(p []byte) (int, error) { *c.n += int64(len(p)); return len(p), nil }

func TestAFailingWriterIsTold(t *testing.T) {
	full := errors.New("no room")
	_, err := Write(t.Context(), failing{full}, CSV, of(examples()))
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

// The kernel itself says that there is no room, where it has a file that is always full;
// elsewhere a writer says it as the kernel does.
func TestAFullDiskIsSaidPlainlyAndLeavesNothing(t *testing.T) {
	full := io.Writer(failing{&os.PathError{Op: "write", Path: "audit.csv", Err: syscall.ENOSPC}})
	if f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil {
		defer f.Close()
		full = f
	}
	dir := t.TempDir()
	dest := filepath.Join(dir, "audit.csv")
	if err := os.WriteFile(dest, []byte("an older export"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := toFile(dest, func(half io.Writer) (int64, error) {
		if _, err := half.Write([]byte("the first half")); err != nil {
			return 0, err
		}
		return Write(t.Context(), full, CSV, of(examples()))
	})
	if !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "the disk is full; nothing was written") || !strings.Contains(err.Error(), dest) {
		t.Errorf("got %v", err)
	}
	if raw, err := os.ReadFile(dest); string(raw) != "an older export" || err != nil {
		t.Errorf("the older export is now %q (%v)", raw, err)
	}
	only(t, dir, "audit.csv")
}

func TestADiskThatTakesNoLongFilesIsSaidPlainlyAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	full := failing{&os.PathError{Op: "write", Path: "audit.csv", Err: syscall.EFBIG}}
	_, err := toFile(filepath.Join(dir, "audit.csv"), func(io.Writer) (int64, error) { return Write(t.Context(), full, CSV, of(examples())) })
	if !errors.Is(err, ErrTooLarge) || errors.Is(err, ErrDiskFull) {
		t.Errorf("got %v", err)
	}
	only(t, dir)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
