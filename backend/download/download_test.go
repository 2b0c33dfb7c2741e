package download_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"mlxbar/backend/download"
	"mlxbar/backend/hub"
	"mlxbar/backend/testkit"
	fake "mlxbar/backend/testkit/hub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const repo = "maker/Small-GGUF"

// house is a Hub, a models folder, and what downloads between them.
type house struct {
	t      testing.TB
	hub    *fake.Server
	dir    string
	config download.Config
	m      *download.Manager

	mu   sync.Mutex
	told []download.Job
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, hub: fake.New(t), dir: filepath.Join(t.TempDir(), "models")}
	client, err := hub.New(hub.Options{Endpoint: h.hub.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	h.config = download.Config{
		Dir: h.dir, Hub: client, Limits: download.Limits{Parallel: 3}, Adopt: true,
		RetryFirst: time.Millisecond, RetryMost: 5 * time.Millisecond,
		OnChange: func(j download.Job) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.told = append(h.told, j)
		},
	}
	h.open()
	t.Cleanup(h.close)
	return h
}

func (h *house) open() {
	h.t.Helper()
	m, err := download.Open(h.config)
	if err != nil {
		h.t.Fatal(err)
	}
	h.m = m
}

func (h *house) close() {
	h.t.Helper()
	if err := h.m.Close(); err != nil {
		h.t.Error(err)
	}
}

func (h *house) add(file string) download.Job {
	h.t.Helper()
	j, err := h.m.Add(context.Background(), download.Request{Repo: repo, File: file})
	if err != nil {
		h.t.Fatal(err)
	}
	return j
}

func (h *house) job(id string) download.Job {
	h.t.Helper()
	list := h.m.List()
	i := slices.IndexFunc(list, func(j download.Job) bool { return j.ID == id })
	if i < 0 {
		h.t.Fatalf("no %s among %+v", id, list)
	}
	return list[i]
}

// wait waits until the download is as it should be.
func (h *house) wait(id string, ready func(download.Job) bool) download.Job {
	h.t.Helper()
	for end := time.Now().Add(testkit.Patience); ; time.Sleep(2 * time.Millisecond) {
		j := h.job(id)
		if ready(j) {
			return j
		}
		if time.Now().After(end) || j.Status == download.Failed {
			h.t.Fatalf("it is %+v", j)
		}
	}
}

func is(s download.Status) func(download.Job) bool {
	return func(j download.Job) bool { return j.Status == s }
}

// has holds a file of the library against what it should be, and the hidden folder to be empty.
func (h *house) has(name string, content []byte) {
	h.t.Helper()
	got, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil || !bytes.Equal(got, content) {
		h.t.Errorf("%s has %d bytes, want %d: %v", name, len(got), len(content), err)
	}
}

func (h *house) left() []string {
	h.t.Helper()
	found, err := filepath.Glob(filepath.Join(h.dir, download.Folder, "*"))
	if err != nil {
		h.t.Fatal(err)
	}
	return found
}

// visible are the names that the library could see.
func (h *house) visible() (names []string) {
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	content := make([]byte, n)
	r.Read(content)
	return content
}

func TestAModelArrivesWholeAndNothingIsLeft(t *testing.T) {
	h := newHouse(t)
	content := noise(300_000)
	h.hub.Add(repo, "small-Q4_K_M.gguf", content)
	j := h.add("")
	if j.Model != "small-q4_k_m" || j.TotalBytes != int64(len(content)) || j.Parts != 1 || j.Revision != fake.Commit {
		t.Errorf("%+v", j)
	}
	done := h.wait(j.ID, is(download.Done))
	h.has("small-Q4_K_M.gguf", content)
	if done.DoneBytes != done.TotalBytes || done.Problem != "" || len(h.left()) != 0 {
		t.Errorf("%+v, left %v", done, h.left())
	}
	if _, err := h.m.Add(t.Context(), download.Request{Repo: repo}); !errors.As(err, new(*download.ExistsError)) {
		t.Errorf("once more: %v", err)
	}
	if err := h.m.Cancel(j.ID); err != nil || len(h.m.List()) != 0 {
		t.Error("a finished one does not leave the list", err)
	}
	h.has("small-Q4_K_M.gguf", content)
}

func TestAllPartsOfASplitModelAndAFolder(t *testing.T) {
	h := newHouse(t)
	a, b := noise(100_000), noise(50_000)
	h.hub.Add(repo, "Q8_0/big-Q8_0-00001-of-00002.gguf", a)
	h.hub.Add(repo, "Q8_0/big-Q8_0-00002-of-00002.gguf", b)
	j := h.add("q8_0")
	if j.Parts != 2 || j.Model != "big-q8_0" || j.TotalBytes != 150_000 {
		t.Errorf("%+v", j)
	}
	h.wait(j.ID, is(download.Done))
	h.has("big-Q8_0-00001-of-00002.gguf", a)
	h.has("big-Q8_0-00002-of-00002.gguf", b)

	h.hub.Add("maker/Folder", "model.safetensors", a)
	h.hub.AddSmall("maker/Folder", "config.json", []byte(`{"model_type": "llama"}`))
	h.hub.AddSmall("maker/Folder", "run.py", []byte("evil"))
	folder, err := h.m.Add(t.Context(), download.Request{Repo: "maker/Folder"})
	if err != nil {
		t.Fatal(err)
	}
	h.wait(folder.ID, is(download.Done))
	h.has("Folder/model.safetensors", a)
	h.has("Folder/config.json", []byte(`{"model_type": "llama"}`))
	if _, err := os.Stat(filepath.Join(h.dir, "Folder", "run.py")); !errors.Is(err, os.ErrNotExist) {
		t.Error("code came along")
	}
}

func TestARestartGoesOnWhereItStood(t *testing.T) {
	h := newHouse(t)
	content := noise(100_000)
	h.hub.Add(repo, "a.gguf", content)
	hold := make(chan struct{})
	h.hub.Fail("a.gguf", fake.Fault{Hold: hold})
	id := h.add("").ID
	h.wait(id, func(j download.Job) bool { return j.DoneBytes > 0 })
	if names := h.visible(); len(names) != 0 {
		t.Errorf("the library sees %v", names)
	}
	h.close()
	close(hold)
	h.open()
	h.wait(id, is(download.Done))
	h.has("a.gguf", content)
	last := h.hub.Requests()[len(h.hub.Requests())-1]
	if last.Range != "bytes=1024-" {
		t.Errorf("it went on with %+v", last)
	}
}

func TestPauseResumeAndCancel(t *testing.T) {
	h := newHouse(t)
	content := noise(100_000)
	h.hub.Add(repo, "a.gguf", content)
	hold := make(chan struct{})
	defer close(hold)
	h.hub.Fail("a.gguf", fake.Fault{Hold: hold}, fake.Fault{Hold: hold})
	id := h.add("").ID
	h.wait(id, func(j download.Job) bool { return j.DoneBytes > 0 })
	if j, err := h.m.Pause(id); err != nil || j.Status != download.Paused {
		t.Fatal(j, err)
	}
	h.close()
	h.open()
	if j := h.job(id); j.Status != download.Paused || j.DoneBytes != 1024 {
		t.Errorf("after a restart the paused one is %+v", j)
	}
	if _, err := h.m.Resume(id); err != nil {
		t.Fatal(err)
	}
	h.wait(id, func(j download.Job) bool { return j.DoneBytes > 1024 })
	if err := h.m.Cancel(id); err != nil {
		t.Fatal(err)
	}
	if left := h.left(); len(left) != 0 || len(h.m.List()) != 0 || len(h.visible()) != 0 {
		t.Errorf("left: %v, %v", left, h.m.List())
	}
	if _, err := h.m.Pause(id); !errors.Is(err, download.ErrNotFound) {
		t.Error(err)
	}
	h.mu.Lock()
	last := h.told[len(h.told)-1]
	h.mu.Unlock()
	if last.Status != download.Cancelled {
		t.Errorf("the last that was told is %+v", last)
	}
	h.wait(h.add("").ID, is(download.Done)) // and from the first byte again
	h.has("a.gguf", content)
}

func TestASlowLinkIsCutWhenNothingComes(t *testing.T) {
	h := newHouse(t)
	h.close()
	h.config.Stall = 300 * time.Millisecond // in which something comes on a busy machine too
	h.open()
	content := noise(10_000)
	h.hub.Add(repo, "a.gguf", content)
	hold := make(chan struct{})
	defer close(hold)
	h.hub.Fail("a.gguf", fake.Fault{Hold: hold}, fake.Fault{Pause: time.Millisecond})
	h.wait(h.add("").ID, is(download.Done))
	h.has("a.gguf", content)
}

func TestNoMoreAtOnceThanAreAllowed(t *testing.T) {
	h := newHouse(t)
	h.m.SetLimits(download.Limits{Parallel: 1, BytesPerSecond: 50_000_000})
	hold := make(chan struct{})
	for _, name := range []string{"a.gguf", "b.gguf"} {
		h.hub.Add(repo, name, noise(5000))
		h.hub.Fail(name, fake.Fault{Hold: hold})
	}
	a, b := h.add("a.gguf"), h.add("b.gguf")
	h.wait(a.ID, func(j download.Job) bool { return j.DoneBytes > 0 })
	if j := h.job(b.ID); j.Status != download.Queued {
		t.Errorf("the second is %+v", j)
	}
	h.m.SetLimits(download.Limits{Parallel: 2})
	h.wait(b.ID, func(j download.Job) bool { return j.DoneBytes > 0 })
	close(hold)
	h.wait(a.ID, is(download.Done))
	h.wait(b.ID, is(download.Done))
}

func TestNothingIsFetchedWhileThatIsRefused(t *testing.T) {
	h := newHouse(t)
	h.hub.Add(repo, "a.gguf", noise(5000))
	hold := make(chan struct{})
	h.hub.Fail("a.gguf", fake.Fault{Hold: hold})
	id := h.add("").ID
	h.wait(id, func(j download.Job) bool { return j.DoneBytes > 0 })
	refused := errors.New("nothing may leave")
	h.m.SetLimits(download.Limits{Refused: refused})
	h.wait(id, func(j download.Job) bool { return j.Status == download.Paused && j.Problem == refused.Error() })
	asked := len(h.hub.Requests())
	if _, err := h.m.Add(t.Context(), download.Request{Repo: repo}); !errors.Is(err, refused) {
		t.Error(err)
	}
	if _, err := h.m.Resume(id); !errors.Is(err, refused) {
		t.Error(err)
	}
	if n := len(h.hub.Requests()); n != asked {
		t.Errorf("the Hub was asked all the same: %d, before %d", n, asked)
	}
	close(hold)
	h.m.SetLimits(download.Limits{Parallel: 1})
	if _, err := h.m.Resume(id); err != nil {
		t.Fatal(err)
	}
	h.wait(id, is(download.Done))
}

// Two programs on one folder do not write into one file.
func TestASecondProgramLeavesADownloadAlone(t *testing.T) {
	h := newHouse(t)
	h.hub.Add(repo, "a.gguf", noise(5000))
	hold := make(chan struct{})
	h.hub.Fail("a.gguf", fake.Fault{Hold: hold})
	id := h.add("").ID
	h.wait(id, func(j download.Job) bool { return j.DoneBytes > 0 })
	second, err := download.Open(h.config)
	if err != nil {
		t.Fatal(err)
	}
	if list := second.List(); len(list) != 0 {
		t.Errorf("it took up %+v", list)
	}
	if _, err := second.Add(t.Context(), download.Request{Repo: repo}); !errors.Is(err, download.ErrState) {
		t.Error(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	close(hold)
	h.wait(id, is(download.Done))
}

// Whatever is cut, wherever and however often, restarts in between included: the same bytes arrive.
func TestAnyCutsEndInTheSameBytes(t *testing.T) {
	content := noise(20_000)
	rapid.Check(t, func(rt *rapid.T) {
		h := newHouse(t)
		h.hub.Add(repo, "a.gguf", content)
		for range rapid.IntRange(0, 8).Draw(rt, "cuts") {
			h.hub.Fail("a.gguf", fake.Fault{
				CutAfter: rapid.IntRange(-1, len(content)).Draw(rt, "after"), NoRange: rapid.IntRange(0, 4).Draw(rt, "no range") == 0,
			})
		}
		id := h.add("").ID
		for range rapid.IntRange(0, 2).Draw(rt, "restarts") {
			h.close()
			h.open()
			if len(h.m.List()) == 0 { // it was done before
				break
			}
		}
		if len(h.m.List()) > 0 {
			h.wait(id, is(download.Done))
		}
		h.has("a.gguf", content)
		if left := h.left(); len(left) != 0 {
			rt.Errorf("left: %v", left)
		}
		h.close()
	})
}
