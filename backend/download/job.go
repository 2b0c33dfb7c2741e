package download

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"mlxbar/backend/hub"
)

// Status is how far a download is.
type Status string

// The states of a download. Those from Paused on do nothing by themselves.
const (
	Queued      Status = "queued"      // others go first
	Downloading Status = "downloading" // bytes come
	Waiting     Status = "waiting"     // for the next try, after a failure that may pass
	Verifying   Status = "verifying"   // its hash is taken
	Paused      Status = "paused"
	Failed      Status = "failed" // problem says why; it can be resumed
	Done        Status = "done"   // in the library
	Cancelled   Status = "cancelled"
)

// Resting says whether nothing happens by itself.
func (s Status) Resting() bool { return s == Paused || s == Failed || s == Done || s == Cancelled }

// Job is a download as others see it.
type Job struct {
	ID             string     `json:"id"`
	Repo           string     `json:"repo"`
	File           string     `json:"file" doc:"The first file, if there are several; empty for a folder."`
	Revision       string     `json:"revision" doc:"The commit that the files are of."`
	Model          string     `json:"model" doc:"What the model will be called."`
	Parts          int        `json:"parts"`
	Status         Status     `json:"status" enum:"queued,downloading,waiting,verifying,paused,failed,done,cancelled"`
	Problem        string     `json:"problem" doc:"Why it failed, waits or was paused by the server; else empty."`
	TotalBytes     int64      `json:"total_bytes"`
	DoneBytes      int64      `json:"done_bytes"`
	BytesPerSecond float64    `json:"bytes_per_second" doc:"Of the last seconds; 0 while nothing comes."`
	SecondsLeft    *float64   `json:"seconds_left" doc:"At that speed; null while it is not known."`
	RetryAt        *time.Time `json:"retry_at" doc:"When a waiting one is tried again."`
	CreatedAt      time.Time  `json:"created_at"`
}

// state is what is kept of a job beside what is there of its files.
type state struct {
	Version   int        `json:"version"`
	ID        string     `json:"id"`
	Repo      string     `json:"repo"`
	Commit    string     `json:"commit"`
	File      string     `json:"file"`
	Folder    string     `json:"folder,omitempty"`
	Model     string     `json:"model"`
	Files     []hub.File `json:"files"`
	Verified  []bool     `json:"verified"`
	Status    Status     `json:"status"`
	Problem   string     `json:"problem,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
}

const (
	stateVersion = 1
	stateFile    = "state.json"
	lockFile     = "lock"
	partsDir     = "parts"
)

// part is where a file of the job is while it is not whole. It has a number for a name, so that none of the Hub's names
// is one here.
func (s *state) part(dir string, n int) string { return filepath.Join(dir, fmt.Sprintf("%d.part", n)) }

func (s *state) total() (sum int64) {
	for _, f := range s.Files {
		sum += f.Size
	}
	return sum
}

// here is how many bytes of the job are on disk.
func (s *state) here(dir string) (sum int64) {
	for n, f := range s.Files {
		if info, err := os.Stat(s.part(dir, n)); err == nil {
			sum += min(info.Size(), f.Size)
		}
	}
	return sum
}

func (s *state) write(dir string) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(dir, stateFile), raw, 0o600); err != nil {
		return fmt.Errorf("keep the state of a download: %w", err)
	}
	return nil
}

// readState reads what an earlier run kept. The file could be anybody's, so names in it are looked at again.
func readState(dir string) (*state, error) {
	raw, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, err
	}
	s := &state{}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("%s: %w", stateFile, err)
	}
	if s.Version != stateVersion || s.ID != filepath.Base(dir) || len(s.Files) == 0 || len(s.Verified) != len(s.Files) {
		return nil, fmt.Errorf("%s is not of this version of mlxbar", stateFile)
	}
	for _, err := range []error{hub.CheckRepo(s.Repo), hub.CheckRevision(s.Commit)} {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", stateFile, err)
		}
	}
	for _, f := range s.Files {
		if err := hub.CheckPath(f.Path); err != nil {
			return nil, fmt.Errorf("%s: %w", stateFile, err)
		}
	}
	if s.Folder != "" && (hub.CheckPath(s.Folder) != nil || filepath.Base(s.Folder) != s.Folder) {
		return nil, fmt.Errorf("%s: a wrong folder", stateFile)
	}
	return s, nil
}
