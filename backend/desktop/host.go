// Package desktop is what the tray and the window share: how to find the server of a data folder,
// start it, stop it and hear how it fares. It knows no GUI library.
//
// The server is a process of its own. Whoever starts it writes run/server.json, and everybody
// finds it there: the tray, the window, the command line, and a test.
package desktop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"mlxbar/backend/datadir"
)

// ErrNotRunning says that no server runs on the data folder.
var ErrNotRunning = errors.New("mlxbar's server is not running")

// A Server is one that runs, as run/server.json tells.
type Server = datadir.ServerInfo

// A Host is one data folder and the server on it.
type Host struct {
	Paths   datadir.Paths
	client  *http.Client // without a timeout of its own: each call brings a context
	session string       // that this program was started in; "" when it never entered one
}

// NewHost gives the host of the data folder root. Close it when done.
func NewHost(root string) *Host {
	// Never a proxy from the environment: the server is on this machine and the token stays on it.
	transport := &http.Transport{Proxy: nil, MaxIdleConns: 4, IdleConnTimeout: 30 * time.Second}
	return &Host{Paths: datadir.At(root), client: &http.Client{Transport: transport}}
}

// Close lets go of idle connections.
func (h *Host) Close() { h.client.CloseIdleConnections() }

const answerTimeout = 2 * time.Second // to /healthz, on this machine

// Find gives the server that runs and answers, else an error that is ErrNotRunning.
func (h *Host) Find(ctx context.Context) (Server, error) {
	s, err := h.recorded()
	if err != nil {
		return Server{}, err
	}
	if !alive(s) {
		return Server{}, fmt.Errorf("%w: the one with process id %d is gone", ErrNotRunning, s.PID)
	}
	if err := h.healthy(ctx, s); err != nil {
		return Server{}, fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	return s, nil
}

// recorded reads run/server.json.
func (h *Host) recorded() (Server, error) {
	raw, err := os.ReadFile(h.Paths.ServerFile)
	if errors.Is(err, os.ErrNotExist) {
		return Server{}, ErrNotRunning
	}
	if err != nil {
		return Server{}, fmt.Errorf("find the server: %w", err)
	}
	var s Server
	if err := json.Unmarshal(raw, &s); err != nil {
		return Server{}, fmt.Errorf("find the server: %s: %w", h.Paths.ServerFile, err)
	}
	if s.PID <= 0 || s.URL == "" {
		return Server{}, fmt.Errorf("find the server: %s names no process or address", h.Paths.ServerFile)
	}
	return s, nil
}

// The kernel tells a process's start in ticks since a boot that it knows to the second.
const startTolerance = 5 * time.Second

// alive says whether the process of s lives and is the one that was recorded, not a later one with its id.
func alive(s Server) bool {
	p, err := process.NewProcess(int32(s.PID))
	if err != nil {
		return false
	}
	created, err := p.CreateTime()
	if err != nil {
		return false
	}
	if states, err := p.Status(); err == nil {
		for _, state := range states {
			if state == process.Zombie { // ended, and its parent has not looked yet
				return false
			}
		}
	}
	return time.UnixMilli(created).Sub(s.StartedAt).Abs() <= startTolerance
}

func (h *Host) healthy(ctx context.Context, s Server) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	resp, err := h.request(ctx, http.MethodGet, s, "/healthz")
	if err != nil {
		return err
	}
	return discard(resp, http.StatusOK)
}

// request asks the server s, with the admin token where the path needs it.
func (h *Host) request(ctx context.Context, method string, s Server, path string) (*http.Response, error) {
	return h.send(ctx, method, s, path, nil)
}

// send is request with a body, as JSON, unless that is nil.
func (h *Host) send(ctx context.Context, method string, s Server, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("ask the server: %w", err)
		}
		content = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, content)
	if err != nil {
		return nil, fmt.Errorf("ask the server: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if strings.HasPrefix(path, "/api/") {
		token, err := h.token()
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the server: %w", err)
	}
	return resp, nil
}

func (h *Host) token() (string, error) {
	raw, err := os.ReadFile(h.Paths.AdminToken)
	if err != nil {
		return "", fmt.Errorf("read the admin token: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// discard reads the answer to its end, so that the connection is used again, and wants status.
func discard(resp *http.Response, want int) error {
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	if resp.StatusCode != want {
		return fmt.Errorf("ask the server: %s %s: %s", resp.Request.Method, resp.Request.URL.Path, resp.Status)
	}
	return nil
}
