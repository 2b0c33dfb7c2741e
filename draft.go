package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/google/renameio/v2"

	"mlxbar/backend/settings"
)

// maxDraft bounds what the page can have kept.
const maxDraft = 1 << 20

// errDraftSize refuses what can be no change of the settings.
var errDraftSize = errors.New("what is unsaved is larger than 1 MiB")

// Unsaved is what stands unsaved in the pages' settings, those of single models included: a change of settings.json, "" for none.
type Unsaved struct {
	Change  string `json:"change"`
	LeftOut bool   `json:"left_out"` // what may be a secret in the wrong place was not kept
}

// draft is that of the page in the window. It goes to the disk when the window closes, for the next one.
type draft struct {
	mu      sync.Mutex
	told    bool // the page has said what it is
	unsaved Unsaved
}

// draftFile is how it lies there.
type draftFile struct {
	Change  json.RawMessage `json:"change"`
	LeftOut bool            `json:"left_out,omitempty"`
}

// Draft gives what was unsaved when the last window closed.
func (a *App) Draft() (Unsaved, error) {
	raw, err := os.ReadFile(a.host.Paths.Draft)
	if errors.Is(err, fs.ErrNotExist) {
		return Unsaved{}, nil
	}
	var file draftFile
	if err == nil {
		err = json.Unmarshal(raw, &file)
	}
	if err != nil {
		return Unsaved{}, fmt.Errorf("read what was unsaved: %w", err)
	}
	if file.Change == nil { // from before there was anything beside it
		file.Change = raw
	}
	return Unsaved{Change: string(file.Change), LeftOut: file.LeftOut}, nil
}

// KeepDraft has a change outlive the window, but for what may be a secret in the wrong place; "" is none.
func (a *App) KeepDraft(change string) error {
	if len(change) > maxDraft {
		return errDraftSize
	}
	unsaved := Unsaved{Change: change}
	if change != "" {
		kept, whole, err := settings.Keepable([]byte(change))
		if err != nil {
			return err
		}
		unsaved = Unsaved{Change: string(kept), LeftOut: !whole}
	}
	a.draft.mu.Lock()
	defer a.draft.mu.Unlock()
	a.draft.told, a.draft.unsaved = true, unsaved
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
	if a.draft.unsaved.Change == "" {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	raw, err := json.Marshal(draftFile{json.RawMessage(a.draft.unsaved.Change), a.draft.unsaved.LeftOut})
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, raw, 0o600)
}
