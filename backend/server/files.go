package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
	"github.com/shirou/gopsutil/v4/process"

	"mlxbar/backend/admin"
	"mlxbar/backend/datadir"
	"mlxbar/backend/engine"
)

// lock takes the data folder for this process. The system lets go of it when the
// process ends, however it ends.
func lock(paths datadir.Paths) (unlock func() error, err error) {
	l := flock.New(paths.Lock, flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if !ok {
		return nil, alreadyRuns(paths)
	}
	return l.Unlock, nil
}

// forgetLastRun removes what an earlier run left in run/: where it listened, if it
// had no time to take that back, and that it was stopped on purpose. Whoever starts
// a server wants it to run.
func forgetLastRun(paths datadir.Paths) error {
	for _, path := range []string{paths.ServerFile, paths.Stopped} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget the last run: %w", err)
		}
	}
	return nil
}

func alreadyRuns(paths datadir.Paths) error {
	var info datadir.ServerInfo
	raw, err := os.ReadFile(paths.ServerFile)
	if err == nil && json.Unmarshal(raw, &info) == nil && info.URL != "" {
		return fmt.Errorf("mlxbar runs already on this data folder: %s (process %d); stop it with `mlxbar stop`, or name another folder with --data-dir", info.URL, info.PID)
	}
	return errors.New("mlxbar is just starting or stopping on this data folder; try again in a moment, or name another folder with --data-dir")
}

// ensureToken reads the admin token and makes one at the first start.
func ensureToken(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		token := rand.Text() + rand.Text()
		if err := renameio.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("write the admin token: %w", err)
		}
		return token, nil
	}
	if err != nil {
		return "", fmt.Errorf("read the admin token: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return "", fmt.Errorf("close the admin token to others: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if len(token) < 32 {
		return "", fmt.Errorf("%s holds no token; delete the file, and the next start makes a new one", path)
	}
	return token, nil
}

// announce writes run/server.json, by which tray, window and command line find
// this server.
func (s *Server) announce(context.Context) error {
	s.startedAt = processStart()
	if err := s.writeServerFile(); err != nil {
		return err
	}
	s.onClose(func() error { return os.Remove(s.paths.ServerFile) })
	return nil
}

func (s *Server) writeServerFile() error {
	raw, err := json.Marshal(datadir.ServerInfo{
		PID: os.Getpid(), StartedAt: s.startedAt, Addr: s.addr(), URL: s.url(), Version: Version,
	})
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(s.paths.ServerFile, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("write run/server.json: %w", err)
	}
	return nil
}

// processStart is when the system says that this process started, so that a
// reader of server.json can tell it from another with the same number.
func processStart() time.Time {
	if p, err := process.NewProcess(int32(os.Getpid())); err == nil {
		if ms, err := p.CreateTime(); err == nil {
			return time.UnixMilli(ms).UTC()
		}
	}
	return time.Now().UTC()
}

// status is the server at this moment, for /api/status and the live stream.
func (s *Server) status() admin.Status {
	state := admin.StateRunning
	if s.draining.Load() {
		state = admin.StateDraining
	}
	return admin.Status{
		Version: Version, PID: os.Getpid(), StartedAt: s.startedAt, Addr: s.addr(), AddrFixed: s.opts.Addr != "", Exposed: s.place.exposed.Load(), URL: s.url(),
		State: state, Audit: admin.HealthOf(s.recorder.Err()), Settings: admin.HealthOf(s.settings.Problem()), Prices: admin.HealthOf(s.prices.Problem()),
		Engines: append([]engine.Status{}, s.pool.States()...), Memory: s.pool.Memory(), InFlight: s.gateway.InFlight(), DataDir: s.paths.Root, Downloading: s.underway.count(),
	}
}
