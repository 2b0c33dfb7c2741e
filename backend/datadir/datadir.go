// Package datadir says where mlxbar keeps its data and what lies where in it, and makes sure
// that nobody but its owner can look inside.
package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Env names the variable that moves the data folder; the flag --data-dir stands over it.
const Env = "MLXBAR_DATA_DIR"

// Paths are the places in one data folder. Every program of mlxbar takes them from here.
type Paths struct {
	Root       string
	Settings   string // settings.json
	Prices     string // prices.json: a person's own prices; need not be there
	Database   string // mlxbar.db
	Models     string // models/
	Runtimes   string // runtimes/
	Logs       string // logs/
	Log        string // logs/mlxbar.log: the server's log, rotated
	ServerLog  string // logs/server.log: stdout and stderr of a server that the desktop started
	Run        string // run/
	Lock       string // run/lock: held by the one server
	ServerFile string // run/server.json: how to find that server
	AdminToken string // run/admin.token
	Stopped    string // run/stopped: there when the person stopped the server on purpose
	TrayLock   string // run/tray.lock: held by the one tray
	Draft      string // run/draft.json: what was unsaved in the settings when the window closed
}

// At gives the paths in the data folder root.
func At(root string) Paths {
	in := func(parts ...string) string { return filepath.Join(append([]string{root}, parts...)...) }
	return Paths{
		Root:       root,
		Settings:   in("settings.json"),
		Prices:     in("prices.json"),
		Database:   in("mlxbar.db"),
		Models:     in("models"),
		Runtimes:   in("runtimes"),
		Logs:       in("logs"),
		Log:        in("logs", "mlxbar.log"),
		ServerLog:  in("logs", "server.log"),
		Run:        in("run"),
		Lock:       in("run", "lock"),
		ServerFile: in("run", "server.json"),
		AdminToken: in("run", "admin.token"),
		Stopped:    in("run", "stopped"),
		TrayLock:   in("run", "tray.lock"),
		Draft:      in("run", "draft.json"),
	}
}

// Resolve gives the absolute path of the data folder: flag, else MLXBAR_DATA_DIR, else the
// system's place for a user's data.
func Resolve(flag string) (string, error) {
	return resolve(runtime.GOOS, flag, os.Getenv, os.UserHomeDir)
}

func resolve(goos, flag string, getenv func(string) string, home func() (string, error)) (string, error) {
	for _, chosen := range []string{flag, getenv(Env)} {
		if chosen == "" {
			continue
		}
		abs, err := filepath.Abs(chosen)
		if err != nil {
			return "", fmt.Errorf("data folder %q: %w", chosen, err)
		}
		return abs, nil
	}
	// The base directory specification has a relative XDG_DATA_HOME ignored.
	if xdg := getenv("XDG_DATA_HOME"); goos != "darwin" && filepath.IsAbs(xdg) {
		return filepath.Join(xdg, "mlxbar"), nil
	}
	dir, err := home()
	if err != nil {
		return "", fmt.Errorf("no data folder: %w; name one with --data-dir or %s", err, Env)
	}
	if goos == "darwin" {
		return filepath.Join(dir, "Library", "Application Support", "mlxbar"), nil
	}
	return filepath.Join(dir, ".local", "share", "mlxbar"), nil
}

// ErrLoose is what EnsureDirs returns for a folder that others can reach and that it must not
// close to them, because it is not mlxbar's.
var ErrLoose = errors.New("the folder is not mlxbar's alone")

// EnsureDirs makes the folder and what belongs in it, each with mode 0700. A folder of mlxbar's
// that others can reach is closed to them. One that is somebody else's, or that is open and
// holds other things, is refused: closing it (think of /tmp) would do harm.
func (p Paths) EnsureDirs() error {
	if err := os.MkdirAll(p.Root, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := p.tighten(p.Root); err != nil {
		return err
	}
	for _, dir := range []string{p.Run, p.Logs} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
		if err := p.tighten(dir); err != nil {
			return err
		}
	}
	// Models and runtimes are large and not secret: either may be a link to another disk, whose
	// mode is its owner's business. The root's mode guards the way through here.
	for _, dir := range []string{p.Models, p.Runtimes} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
	}
	return nil
}

func (p Paths) tighten(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if uid, known := owner(info); known && uid != os.Getuid() {
		return fmt.Errorf("%s belongs to another user: %w", dir, ErrLoose)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if dir == p.Root {
		if ours, err := p.ours(); err != nil {
			return err
		} else if !ours {
			return fmt.Errorf("%s is open to other users and holds other things; name an empty folder: %w", dir, ErrLoose)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("close the data folder to others: %w", err)
	}
	return nil
}

// ours says whether everything in the root is of mlxbar's making; an empty folder is.
func (p Paths) ours() (bool, error) {
	entries, err := os.ReadDir(p.Root)
	if err != nil {
		return false, fmt.Errorf("data folder: %w", err)
	}
	known := map[string]bool{
		".DS_Store":             true, // the Finder leaves one anywhere
		"settings.schema.json":  true, // package settings writes these two beside its file
		"settings.json.refused": true,
	}
	for _, path := range []string{p.Settings, p.Prices, p.Models, p.Runtimes, p.Logs, p.Run} {
		known[filepath.Base(path)] = true
	}
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		known[filepath.Base(p.Database)+suffix] = true
	}
	for _, e := range entries {
		if !known[e.Name()] {
			return false, nil
		}
	}
	return true, nil
}
