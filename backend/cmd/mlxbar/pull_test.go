package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mlxbar/backend/download"
	"mlxbar/backend/hub"
	"mlxbar/backend/testkit"
	fake "mlxbar/backend/testkit/hub"
)

const (
	pulled   = "maker/Small-GGUF"
	hfToken  = "hf_canaryOfTheCommandLine"
	longPath = "small-Q8_0.gguf"
)

// newHub has the programs of the test ask a Hub with two quantisations.
func newHub(t *testing.T) (*fake.Server, []byte) {
	s := fake.New(t)
	content := bytes.Repeat([]byte("weights "), 4000)
	s.Add(pulled, "small-Q4_K_M.gguf", content)
	s.Add(pulled, longPath, content)
	t.Setenv(hub.EndpointVariable, s.URL)
	t.Setenv(hub.TokenName, hfToken)
	return s, content
}

func TestAModelIsPulledWithAndWithoutAServer(t *testing.T) {
	s, content := newHub(t)
	h := newHouse(t)
	if said := h.good("models", "pull", pulled); !strings.Contains(said, "small-q4_k_m is there (32 kB)") {
		t.Error(said)
	}
	h.refused([]string{"models", "pull", pulled}, "small-Q4_K_M.gguf already", "models rm")
	h.refused([]string{"models", "pull", pulled + ":Q2_K"}, "no such file or quantisation", "Q4_K_M, Q8_0")
	h.refused([]string{"models", "pull", "../evil"}, "mlxbar: REPO: must be a repository")
	p := h.serve()
	s.Fail(longPath, fake.Fault{CutAfter: 9000})
	if said := h.good("models", "pull", pulled+":q8_0"); !strings.Contains(said, "small-q8_0 is there") {
		t.Error(said)
	}
	h.refused([]string{"models", "pull", pulled + ":Q2_K"}, "mlxbar: FILE: the repository has no such file or quantisation")
	h.refused([]string{"models", "pull", "../evil"}, "mlxbar: REPO: must be a repository")
	h.refused([]string{"models", "pull", pulled, "--revision", "a..b"}, "mlxbar: --revision: must be a branch")
	for _, name := range []string{"small-Q4_K_M.gguf", longPath} {
		if got, err := os.ReadFile(filepath.Join(h.paths.Models, name)); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	p.signal(syscall.SIGTERM)
	p.ends()
	for _, r := range s.Requests() {
		if r.CDN && r.Authorization != "" || !r.CDN && r.Authorization != "Bearer "+hfToken {
			t.Errorf("asked with %+v", r)
		}
	}
	holdsNone(t, h.paths.Root, hfToken, "canary-signature")
}

// holdsNone looks for words in every file of a folder.
func holdsNone(t *testing.T, root string, words ...string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		files++
		for _, word := range words {
			if bytes.Contains(raw, []byte(word)) {
				t.Errorf("%s holds %s", path, word)
			}
		}
		return err
	})
	if err != nil || files < 4 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestAnInterruptedPullGoesOn(t *testing.T) {
	s, content := newHub(t)
	h := newHouse(t)
	hold := make(chan struct{})
	s.Fail("small-Q4_K_M.gguf", fake.Fault{Hold: hold})
	cmd := h.command("models", "pull", pulled)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	part := filepath.Join(h.paths.Models, download.Folder, "*", "0.part")
	for end := time.Now().Add(testkit.Patience); ; time.Sleep(5 * time.Millisecond) {
		found, _ := filepath.Glob(part)
		if len(found) == 1 {
			if info, err := os.Stat(found[0]); err == nil && info.Size() > 0 {
				break
			}
		}
		if time.Now().After(end) {
			cmd.Process.Kill()
			cmd.Wait()
			t.Fatalf("nothing comes: %s", stderr.String())
		}
	}
	cmd.Process.Kill() // without a chance to tidy up
	cmd.Wait()
	close(hold)
	if said := h.good("models", "list"); strings.Contains(said, "small") {
		t.Errorf("the library shows %s", said)
	}
	h.good("models", "pull", pulled)
	if got, err := os.ReadFile(filepath.Join(h.paths.Models, "small-Q4_K_M.gguf")); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	last := s.Requests()[len(s.Requests())-1]
	if !strings.HasPrefix(last.Range, "bytes=") {
		t.Errorf("it began anew: %+v", last)
	}
}

func TestLocalOnlyAndAWrongHub(t *testing.T) {
	s, _ := newHub(t)
	h := newHouse(t)
	if err := os.MkdirAll(h.paths.Root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.paths.Settings, []byte(`{"local_only": true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	h.refused([]string{"models", "pull", pulled}, "local_only")
	p := h.serve()
	h.refused([]string{"models", "pull", pulled}, "local_only")
	p.signal(syscall.SIGTERM)
	p.ends()
	if n := len(s.Requests()); n != 0 {
		t.Errorf("the Hub was asked %d times", n)
	}
	if err := os.Remove(h.paths.Settings); err != nil {
		t.Fatal(err)
	}
	t.Setenv(hub.EndpointVariable, "huggingface")
	h.refused([]string{"models", "pull", pulled}, "HF_ENDPOINT")
}

func TestAModelIsRemovedWithAllItsParts(t *testing.T) {
	h := newHouse(t)
	if err := h.paths.EnsureDirs(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"big-00001-of-00002.gguf", "big-00002-of-00002.gguf", "big-2-00001-of-00001.gguf", "other.gguf"} {
		if err := os.WriteFile(filepath.Join(h.paths.Models, name), []byte("no weights"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.refused([]string{"models", "rm", "none"}, "no such model")
	if said := h.good("models", "rm", "BIG"); !strings.Contains(said, "big is removed (20 B)") {
		t.Error(said)
	}
	entries, err := os.ReadDir(h.paths.Models)
	if err != nil || len(entries) != 2 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestTheBarSaysHowFarItIs(t *testing.T) {
	left := 75.0
	for want, j := range map[string]download.Job{
		"[##########..........] 1.5 GB of 3.0 GB  20 MB/s  1 min left": {Status: download.Downloading, TotalBytes: 3e9, DoneBytes: 1.5e9, BytesPerSecond: 20e6, SecondsLeft: &left},
		"[....................] 0 B of 999 kB  queued":                 {Status: download.Queued, TotalBytes: 999_000},
		"[####################] 5 B of 5 B  verifying":                 {Status: download.Verifying, TotalBytes: 5, DoneBytes: 5},
		"[....................] 0 B of 5 B  waiting: it limits":        {Status: download.Waiting, TotalBytes: 5, Problem: "it limits"},
	} {
		if got := barLine(j); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
