package desktop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	recheck     = 100 * time.Millisecond // while the server comes or goes
	recheckIdle = 5 * time.Second        // while it is stopped, should a file's event be lost
	maxEvent    = 1 << 20                // bytes of one line of the event stream
)

// Watch calls changed with the present state and then with every new one, from one goroutine,
// until ctx ends. While the server runs it listens to /api/live; else it watches run/.
func (h *Host) Watch(ctx context.Context, changed func(State)) error {
	if err := h.Paths.EnsureDirs(); err != nil {
		return err
	}
	files, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the server: %w", err)
	}
	defer files.Close()
	if err := files.Add(h.Paths.Run); err != nil {
		return fmt.Errorf("watch the server: %w", err)
	}
	var last State
	report := func(s State) {
		if !s.same(last) && ctx.Err() == nil {
			last = s
			changed(s)
		}
	}
	for ctx.Err() == nil {
		report(after(last, h.Observe(ctx)))
		pause := recheckIdle
		switch last.Phase {
		case Running:
			// However the stream ends, the next look says what became of the server.
			_ = h.follow(ctx, last.Server, report)
			pause = recheck
		case Starting, Stopping:
			pause = recheck
		}
		wait(ctx, files, pause)
	}
	return nil
}

// after reads an observation in the light of the one before: a server that answered and no
// longer does is stopping, not starting.
func after(last, now State) State {
	answered := last.Phase == Running || last.Phase == Stopping
	if now.Phase == Starting && answered && now.Server.PID == last.Server.PID {
		now.Phase = Stopping
	}
	return now
}

// wait returns when a file in run/ changes, after d, or when ctx ends.
func wait(ctx context.Context, files *fsnotify.Watcher, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-files.Events:
	case <-files.Errors: // such as too many events at once: all the more a reason to look
	case <-timer.C:
	case <-ctx.Done():
	}
}

// follow reads the server's events until the stream ends or the server is elsewhere.
func (h *Host) follow(ctx context.Context, s Server, report func(State)) error {
	resp, err := h.request(ctx, http.MethodGet, s, "/api/live?activity=false") // it shows none, and listens all day
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("listen to the server: %s", resp.Status)
	}
	// It may have moved before it listened to this, and have told those of it who did: run/server.json
	// is written before they are told.
	if now, err := h.recorded(); err != nil || now.URL != s.URL {
		return err
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 4096), maxEvent)
	event := ""
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "event":
			event = value
		case name == "data" && event == "state":
			now := fromStatus(s, []byte(value))
			if now.moved {
				return nil // run/server.json says where it is
			}
			if now.Phase != Failed {
				report(now.State)
			}
		case lines.Text() == "":
			event = ""
		}
	}
	return errors.Join(lines.Err(), ctx.Err())
}
