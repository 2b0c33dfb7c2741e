package canary_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"mlxbar/backend/telemetry"
	"mlxbar/backend/testkit/canary"
	"mlxbar/backend/testkit/collector"
)

// crashing makes this test binary a program that crashes with the word that it holds.
const crashing = "MLXBAR_TEST_CRASH_WITH"

func TestMain(m *testing.M) {
	if word := os.Getenv(crashing); word != "" {
		panic("what was asked: " + word)
	}
	os.Exit(m.Run())
}

// found insists that the words are found where they were put, and nowhere where they were not.
func found(t *testing.T, w *canary.Words, places ...canary.Place) {
	t.Helper()
	if len(w.Search(places...)) == 0 {
		t.Error("a planted word is not found")
	}
	if others := canary.New().Search(places...); len(others) > 0 {
		t.Errorf("words that nobody planted are found: %q", others)
	}
}

func folder(t *testing.T, dir string, but ...string) []canary.Place {
	t.Helper()
	places, err := canary.Folder(dir, but...)
	if err != nil {
		t.Fatal(err)
	}
	return places
}

func TestAWordIsFoundHoweverItIsWritten(t *testing.T) {
	w := canary.New()
	word := w.Word("prompt")
	for name, text := range map[string]string{
		"as it is":     "asked: " + word + ".",
		"in capitals":  strings.ToUpper(word),
		"cut short":    "asked: " + word[:14],
		"in JSON":      `{"a": "` + word + `"}`,
		"in hex":       fmt.Sprintf("%x", "say "+word),
		"as a Go list": fmt.Sprint([]byte("say " + word)),
		"as JSON list": strings.ReplaceAll(fmt.Sprint([]byte(word)), " ", ","),
		"base64, 0":    base64.StdEncoding.EncodeToString([]byte(word)),
		"base64, 1":    base64.StdEncoding.EncodeToString([]byte("a" + word)),
		"base64, 2":    base64.StdEncoding.EncodeToString([]byte("ab" + word)),
		"base64 in it": base64.URLEncoding.EncodeToString([]byte("a longer text that has " + word + " in it")),
	} {
		t.Run(name, func(t *testing.T) { found(t, w, canary.Text("a text", text)) })
	}
	w.Also("marzipan")
	found(t, w, canary.Text("a text", "it was Marzipan"))
}

func TestAWordIsFoundInFiles(t *testing.T) {
	w, dir := canary.New(), t.TempDir()
	path := filepath.Join(dir, "logs", "a.log.1")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("\x00msg="+w.Word("log")+"\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	found(t, w, folder(t, dir)...)
	if left := w.Search(folder(t, dir, path)...); len(left) > 0 {
		t.Errorf("a file that was left out is searched: %q", left)
	}
}

// A row that was deleted stays in free pages and in the write-ahead log, unless something sees to it.
func TestAWordIsFoundInADatabase(t *testing.T) {
	w, dir := canary.New(), t.TempDir()
	db, err := sql.Open("sqlite3", filepath.Join(dir, "mlxbar.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	do := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.Exec(statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	do("PRAGMA secure_delete = OFF")
	do("CREATE TABLE requests (said TEXT)")
	do("INSERT INTO requests VALUES (?)", strings.Repeat("x", 9000)+w.Word("prompt"))
	do("DELETE FROM requests")
	found(t, w, folder(t, dir)...) // in a free page

	later := canary.New()
	do("PRAGMA journal_mode = WAL")
	do("PRAGMA wal_autocheckpoint = 0")
	do("INSERT INTO requests VALUES (?)", later.Word("prompt"))
	raw, err := os.ReadFile(filepath.Join(dir, "mlxbar.db"))
	if err != nil || len(later.Search(canary.Place{Name: "the database", Text: raw})) > 0 {
		t.Errorf("it is not in the write-ahead log alone: %v", err)
	}
	found(t, later, folder(t, dir)...)
}

func TestAWordIsFoundInWhatIsTold(t *testing.T) {
	for name, tell := range map[string]func(tel *telemetry.Telemetry, word string){
		"the name of a span": func(tel *telemetry.Telemetry, word string) {
			_, span := tel.Span(t.Context(), "chat "+word)
			span.End()
		},
		"an attribute": func(tel *telemetry.Telemetry, word string) {
			_, span := tel.Span(t.Context(), "chat")
			span.SetAttributes(attribute.StringSlice("said", []string{"hello", word}))
			span.End()
		},
		"an error of a span": func(tel *telemetry.Telemetry, word string) {
			_, span := tel.Span(t.Context(), "chat")
			span.RecordError(fmt.Errorf("refused: %s", word))
			span.End()
		},
		"a metric's series": func(tel *telemetry.Telemetry, word string) {
			c, err := tel.Meter().Int64Counter("requests")
			if err != nil {
				t.Fatal(err)
			}
			c.Add(t.Context(), 1, metric.WithAttributes(attribute.String("model", word)))
		},
		"a line of a log": func(tel *telemetry.Telemetry, word string) {
			slog.New(tel.Handler(slog.DiscardHandler)).Info("refused", "cause", fmt.Errorf("it said %s", word))
		},
		"a line's bytes": func(tel *telemetry.Telemetry, word string) {
			slog.New(tel.Handler(slog.DiscardHandler)).Info("refused", "body", []byte(word))
		},
	} {
		t.Run(name, func(t *testing.T) {
			to, err := collector.New()
			if err != nil {
				t.Fatal(err)
			}
			defer to.Stop()
			tel, err := telemetry.Start(t.Context(), telemetry.Config{Getenv: func(name string) string {
				return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": to.URL()}[name]
			}})
			if err != nil {
				t.Fatal(err)
			}
			w := canary.New()
			tell(tel, w.Word("prompt"))
			if err := tel.Close(); err != nil {
				t.Fatal(err)
			}
			found(t, w, canary.Collected(to)...)
		})
	}
}

func TestAWordIsFoundInACrash(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := canary.New()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), crashing+"="+w.Word("prompt"))
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err == nil || !strings.Contains(said.String(), "goroutine ") {
		t.Fatalf("it did not crash: %v, %s", err, &said)
	}
	found(t, w, canary.Text("what it said", said.String()))
}

// Each request carries words, in its body, its address or its headers, and is what an API takes for one.
func TestEveryRequestCarriesWords(t *testing.T) {
	w := canary.New()
	asks := w.Asks(`odd"model`)
	for _, a := range asks {
		var body map[string]any
		if err := json.Unmarshal([]byte(a.Body), &body); err != nil || body["model"] != `odd"model` {
			t.Errorf("%v: %v, %s", a, err, a.Body)
		}
		found(t, w, canary.Text(a.String(), a.Body))
		found(t, w, canary.Text(a.String(), a.Header["Authorization"]))
	}
	for _, a := range w.Refused() {
		if a.Body != "{}" {
			found(t, w, canary.Text(a.String(), a.Path+a.Body))
		}
	}
	if len(asks) < 5 {
		t.Errorf("only %d requests", len(asks))
	}
}
