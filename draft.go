package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/google/renameio/v2"
)

// maxDraft bounds what the page can have kept.
const maxDraft = 1 << 20

// errDraftSize refuses what can be no change of the settings.
var errDraftSize = errors.New("what is unsaved is larger than 1 MiB")

// draft is what stands unsaved in the page's settings. It goes to the disk when the window closes, for the next one.
type draft struct {
	mu   sync.Mutex
	told bool // the page has said what it is
	text string
}

// Draft gives what was unsaved when the last window closed, "" for nothing.
func (a *App) Draft() (string, error) {
	raw, err := os.ReadFile(a.host.Paths.Draft)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read what was unsaved: %w", err)
	}
	return string(raw), nil
}

// KeepDraft has what is unsaved outlive the window; "" is nothing.
func (a *App) KeepDraft(text string) error {
	if len(text) > maxDraft {
		return errDraftSize
	}
	a.draft.mu.Lock()
	defer a.draft.mu.Unlock()
	a.draft.told, a.draft.text = true, text
	return nil
}

// putDraft writes it, or removes what there was. A page that was never there to say has what lies there stay.
func (a *App) putDraft() error {
	a.draft.mu.Lock()
	defer a.draft.mu.Unlock()
	path := a.host.Paths.Draft
	if !a.draft.told {
		return nil
	}
	if a.draft.text == "" {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return renameio.WriteFile(path, []byte(a.draft.text), 0o600)
}
