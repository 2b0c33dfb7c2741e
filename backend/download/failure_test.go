package download_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/download"
	"mlxbar/backend/testkit"
	fake "mlxbar/backend/testkit/hub"
)

func TestFailuresThatPass(t *testing.T) {
	for name, faults := range map[string][]fake.Fault{
		"cut before the first byte": {{CutAfter: -1}},
		"cuts in the middle":        {{CutAfter: 1000}, {CutAfter: 70_000}, {CutAfter: 1}},
		"its own error":             {{Status: 500}, {Status: 503}, {CDNStatus: 502}},
		"too many requests":         {{Status: 429, RetryAfter: "0"}},
		"no ranges after a cut":     {{CutAfter: 50_000}, {NoRange: true}},
		"wrong bytes, once":         {{Wrong: true}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			content := noise(200_000)
			h.hub.Add(repo, "a.gguf", content)
			h.hub.Fail("a.gguf", faults...)
			h.wait(h.add("").ID, is(download.Done))
			h.has("a.gguf", content)
		})
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	h := newHouse(t)
	h.hub.Add(repo, "a.gguf", noise(1000))
	h.hub.Fail("a.gguf", fake.Fault{Status: 429, RetryAfter: "3000"})
	j := h.wait(h.add("").ID, is(download.Waiting))
	if j.RetryAt == nil || time.Until(*j.RetryAt) < 40*time.Minute || !strings.Contains(j.Problem, "limits requests") {
		t.Errorf("%+v", j)
	}
	// A person need not wait that long.
	if _, err := h.m.Resume(j.ID); err != nil {
		t.Fatal(err)
	}
	h.wait(j.ID, is(download.Done))
}

func TestFailuresThatDoNotPass(t *testing.T) {
	for name, row := range map[string]struct {
		faults []fake.Fault
		says   string
	}{
		"wrong bytes again and again": {[]fake.Fault{{Wrong: true}, {Wrong: true}}, "its hash differs"},
		"another hash at the Hub":     {[]fake.Fault{{SayHash: strings.Repeat("ab", 32)}}, "no longer the one"},
		"401":                         {[]fake.Fault{{Status: 401}}, "token"},
		"gated":                       {[]fake.Fault{{Status: 403, Code: "GatedRepo"}}, "accepted their terms"},
		"404":                         {[]fake.Fault{{Status: 404, Code: "EntryNotFound"}}, "no such repository, revision or file"},
		"forbidden at the other host": {[]fake.Fault{{CDNStatus: 403}}, "refuses"},
		"no server, for long":         {slices.Repeat([]fake.Fault{{Status: 503}}, 12), "503"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			content := noise(100_000)
			h.hub.Add(repo, "a.gguf", content)
			h.hub.Fail("a.gguf", row.faults...)
			id := h.add("").ID
			for end := time.Now().Add(testkit.Patience); h.job(id).Status != download.Failed; time.Sleep(time.Millisecond) {
				if j := h.job(id); j.Status == download.Done || time.Now().After(end) {
					t.Fatalf("%+v", j)
				}
			}
			if j := h.job(id); !strings.Contains(j.Problem, row.says) || strings.Contains(j.Problem, "canary") {
				t.Errorf("it says %q, want %q", j.Problem, row.says)
			}
			if names := h.visible(); len(names) != 0 {
				t.Errorf("the library sees %v", names)
			}
			// Once the cause is gone it can go on.
			if _, err := h.m.Resume(id); err != nil {
				t.Fatal(err)
			}
			h.wait(id, func(j download.Job) bool { return j.Status == download.Done })
			h.has("a.gguf", content)
		})
	}
}

func TestADiskWithoutRoom(t *testing.T) {
	h := newHouse(t)
	h.close()
	free := uint64(1000)
	h.config.Free = func(string) (uint64, error) { return free, nil }
	h.open()
	h.hub.Add(repo, "a.gguf", noise(5000))
	_, err := h.m.Add(t.Context(), download.Request{Repo: repo})
	var space *download.SpaceError
	if !errors.As(err, &space) || space.Free != 1000 || space.Need != 500_005_000 || len(h.left()) != 0 {
		t.Errorf("%v, left %v", err, h.left())
	}
}

// A file that the library got meanwhile is never written over.
func TestAFileOfTheSameNameIsKept(t *testing.T) {
	h := newHouse(t)
	h.hub.Add(repo, "a.gguf", noise(5000))
	hold := make(chan struct{})
	h.hub.Fail("a.gguf", fake.Fault{Hold: hold})
	id := h.add("").ID
	h.wait(id, func(j download.Job) bool { return j.DoneBytes > 0 })
	if err := os.WriteFile(filepath.Join(h.dir, "a.gguf"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	close(hold)
	for end := time.Now().Add(testkit.Patience); h.job(id).Status != download.Failed; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", h.job(id))
		}
	}
	h.has("a.gguf", []byte("mine"))
	if j := h.job(id); !strings.Contains(j.Problem, "a.gguf already") {
		t.Error(j.Problem)
	}
}

// A state file that somebody wrote leads nowhere outside, and does not stop the others.
func TestAStateThatCannotBeUsed(t *testing.T) {
	h := newHouse(t)
	h.close()
	for id, text := range map[string]string{
		"torn": `{"version": 1, "id": "to`, "newer": `{"version": 2, "id": "newer"}`,
		"evil": `{"version": 1, "id": "evil", "repo": "a/b", "commit": "c", "files": [{"path": "../../x", "size": 1}], "verified": [true]}`,
		"dir":  `{"version": 1, "id": "dir", "repo": "a/b", "commit": "c", "folder": "../..", "files": [{"path": "x", "size": 1}], "verified": [true]}`,
	} {
		dir := filepath.Join(h.dir, download.Folder, id)
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "state.json"), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	h.open()
	if list := h.m.List(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}
