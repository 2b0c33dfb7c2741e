package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mlxbar/backend/bench"
	"mlxbar/backend/datadir"
	"mlxbar/backend/engine"
	"mlxbar/backend/settings"
)

// gateway is a running `mlxbar serve`.
type gateway struct {
	*child
	paths datadir.Paths
}

// settleTime bounds the wait for the last records of a bout to be written.
const settleTime = 20 * time.Second

// route sends the models that match Model to the upstream at URL, which speaks OpenAI's protocol if it is not told otherwise.
type route struct {
	Model, URL, Target, KeyEnv string
	Kind                       settings.ProviderKind
}

// dataFolder makes a data folder whose settings have these routes.
func dataFolder(dir string, routes ...route) error { return writeSettings(dir, withRoutes(routes...)) }

// withRoutes is the settings of a run: a provider for each upstream of the routes.
func withRoutes(routes ...route) settings.Settings {
	s := settings.Defaults()
	s.Audit.MaxSizeMB = 65536 // nothing is to be pruned before it is counted
	names := map[route]string{}
	for _, r := range routes {
		upstream := route{URL: r.URL, KeyEnv: r.KeyEnv, Kind: cmp.Or(r.Kind, settings.KindOpenAI)}
		name, known := names[upstream]
		if !known {
			name = fmt.Sprintf("bench%d", len(names))
			names[upstream] = name
			s.Providers = append(s.Providers, settings.Provider{Name: name, Kind: upstream.Kind, BaseURL: r.URL, APIKeyEnv: r.KeyEnv})
		}
		s.Routes = append(s.Routes, settings.Route{Model: r.Model, Targets: []settings.Target{{Provider: name, Model: r.Target}}})
	}
	return s
}

// writeSettings makes a data folder with these settings.
func writeSettings(dir string, s settings.Settings) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(datadir.At(dir).Settings, b, 0o600)
}

// linkEntries makes links in dir/folder to everything in prepared/folder.
func linkEntries(prepared, dir, folder string) error {
	entries, err := os.ReadDir(filepath.Join(prepared, folder))
	if err != nil {
		return fmt.Errorf("%w; `make setup` prepares it", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		from, err := filepath.Abs(filepath.Join(prepared, folder, e.Name()))
		if err != nil {
			return err
		}
		if strings.HasPrefix(e.Name(), ".") { // locks and what is half made
			continue
		}
		if err := os.Symlink(from, filepath.Join(dir, folder, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// serve starts a server on dir; env are additions to its environment.
func (b *benchmark) serve(ctx context.Context, name, dir string, env ...string) (*gateway, error) {
	c, err := startChild(ctx, name, env, b.options.mlxbar, "serve", "--addr", "127.0.0.1:0", "--data-dir", dir, "--log-level", "warn")
	if err != nil {
		return nil, err
	}
	b.children = append(b.children, c)
	return &gateway{child: c, paths: datadir.At(dir)}, nil
}

// admin asks the admin API.
func (g *gateway) admin(ctx context.Context, path string, into any) error {
	token, err := g.token()
	if err != nil {
		return err
	}
	return getJSON(ctx, g.url+path, token, into)
}

func (g *gateway) token() (string, error) {
	token, err := os.ReadFile(g.paths.AdminToken)
	return strings.TrimSpace(string(token)), err
}

// change has a model loaded or unloaded.
func (g *gateway) change(ctx context.Context, model, what string) error {
	token, err := g.token()
	if err != nil {
		return err
	}
	_, err = call(ctx, http.MethodPost, g.url+"/api/models/"+url.PathEscape(model)+"/"+what, token)
	return err
}

// await waits until a model's engine is in a state.
func (g *gateway) await(ctx context.Context, model string, state engine.State) error {
	for {
		var all struct{ Engines []engine.Status }
		if err := g.admin(ctx, "/api/engines", &all); err != nil {
			return err
		}
		for _, s := range all.Engines {
			if s.Model == model && s.State == state {
				return nil
			}
			if s.Model == model && s.State == engine.Failed {
				return fmt.Errorf("%s: %s", model, s.Detail)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func getJSON(ctx context.Context, address, token string, into any) error {
	body, err := call(ctx, http.MethodGet, address, token)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

func call(ctx context.Context, method, address, token string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s: %s: %s", address, res.Status, body)
	}
	return body, nil
}

// rows counts the records, when none is running any more and the count stands still.
func (g *gateway) rows(ctx context.Context) (bench.Rows, error) {
	var last bench.Rows
	for deadline := time.Now().Add(settleTime); ; {
		now, err := g.countRows(ctx)
		if err != nil {
			return now, fmt.Errorf("count the records: %w", err)
		}
		if (now == last && now.Running == 0) || time.Now().After(deadline) {
			return now, nil
		}
		last = now
		select {
		case <-ctx.Done():
			return now, ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (g *gateway) countRows(ctx context.Context) (bench.Rows, error) {
	var rows bench.Rows
	for status, n := range map[string]*int64{"": &rows.Total, "success": &rows.Success, "cancelled": &rows.Cancelled, "running": &rows.Running} {
		var stats struct {
			Total *int64 `json:"total"`
		}
		if err := g.admin(ctx, "/api/audit/stats?status="+url.QueryEscape(status), &stats); err != nil {
			return rows, err
		}
		if stats.Total == nil {
			return rows, errors.New("/api/audit/stats tells no total")
		}
		*n = *stats.Total
	}
	return rows, nil
}
