package download_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/download"
	"mlxbar/backend/testkit"
	fake "mlxbar/backend/testkit/hub"
)

// The kernel's own full disk: whatever is written to it does not fit.
func TestAFullDiskIsSaidAndCostsNothing(t *testing.T) {
	h := newHouse(t)
	content := noise(5000)
	h.hub.Add(repo, "a.gguf", content)
	hold := make(chan struct{})
	defer close(hold)
	h.hub.Fail("a.gguf", fake.Fault{Hold: hold})
	id := h.add("").ID
	h.wait(id, func(j download.Job) bool { return j.DoneBytes > 0 })
	if _, err := h.m.Pause(id); err != nil {
		t.Fatal(err)
	}
	h.close()
	part := filepath.Join(h.dir, download.Folder, id, "0.part")
	if err := os.Rename(part, part+".kept"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", part); err != nil {
		t.Fatal(err)
	}
	h.open()
	if _, err := h.m.Resume(id); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(testkit.Patience); h.job(id).Status != download.Failed; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", h.job(id))
		}
	}
	if j := h.job(id); !strings.Contains(j.Problem, "disk is full") {
		t.Error(j.Problem)
	}
	if err := os.Rename(part+".kept", part); err != nil { // room was made
		t.Fatal(err)
	}
	if _, err := h.m.Resume(id); err != nil {
		t.Fatal(err)
	}
	h.wait(id, is(download.Done))
	h.has("a.gguf", content)
}
