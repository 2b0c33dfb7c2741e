package desktop

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/renameio/v2"
)

// SessionFlag is how Launch tells a program in which session it was started.
const SessionFlag = "session"

// firstSession is the session of a data folder that nobody has quit yet.
const firstSession = "first"

// A session is mlxbar on a data folder until somebody quits it. A program that was started before that
// and is slow to come up must not outlive it: it would bring back all that was quit. So Launch names the
// session to whom it starts, Quit begins another, and a program sees whether its own is over once it
// holds the lock that makes it the only one of its kind. Times would not do: of a process's start the
// kernel tells the second.

func (h *Host) sessionFile() string { return h.Paths.Run + "/session" }

// Enter puts this program into the session that it was started in; "" is the one that is now.
func (h *Host) Enter(session string) (err error) {
	if h.session = session; session == "" {
		h.session, err = h.currentSession()
	}
	return err
}

// Over says whether the session that was entered has been quit.
func (h *Host) Over() (bool, error) {
	now, err := h.currentSession()
	return err == nil && h.session != "" && now != h.session, err
}

func (h *Host) currentSession() (string, error) {
	raw, err := os.ReadFile(h.sessionFile())
	if errors.Is(err, os.ErrNotExist) {
		return firstSession, nil
	}
	if err != nil {
		return "", fmt.Errorf("see which session it is: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// endSession begins another session.
func (h *Host) endSession() error {
	if err := renameio.WriteFile(h.sessionFile(), []byte(rand.Text()+"\n"), 0o600); err != nil {
		return fmt.Errorf("note that mlxbar was quit: %w", err)
	}
	return nil
}
