package cli

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"

	"mlxbar/backend/bench/workload"
	"mlxbar/backend/datadir"
)

// servers finds out whom to ask, and with which keys.
func (o *options) servers(getenv func(string) string) error {
	root, err := datadir.Resolve(o.dataDir)
	if err != nil {
		return usage("--data-dir: %w", err)
	}
	o.server.Agent = "mlx-benchmark/" + Version
	running, token := runningOn(datadir.At(root))
	switch {
	case o.url != "":
		if o.server.URL, err = address("--url", o.url); err != nil {
			return err
		}
		if sameHere(o.server.URL, running) {
			o.server.URL = running
		}
	case running != "":
		o.server.URL = running
	default:
		o.server.URL = defaultURL
	}
	if o.server.Key, err = secret("--api-key-env", o.keyEnv, getenv); err != nil {
		return err
	}
	if o.server.Token, err = secret("--admin-token-env", o.tokenEnv, getenv); err != nil {
		return err
	}
	if o.server.Token == "" && o.server.URL == running { // a token goes to its own server only
		o.server.Token, o.tokenFound = token, true
	}
	if o.server.Key == "" && o.server.URL == running && o.server.Here() { // it may require a key, and lets its owner in with the token
		o.server.Key, o.keyIsToken = o.server.Token, o.server.Token != ""
	}
	if o.directURL == "" {
		if o.directModel != "" || o.directKeyEnv != "" {
			return usage("--direct-model and --direct-key-env say how to ask --direct, which names no address")
		}
		return nil
	}
	o.direct = &workload.Direct{Model: o.directModel}
	o.direct.Agent = o.server.Agent
	if o.direct.URL, err = address("--direct", o.directURL); err != nil {
		return err
	}
	o.direct.Key, err = secret("--direct-key-env", o.directKeyEnv, getenv)
	return err
}

// address reads a server's address as people write it, with /v1 or without.
func address(flag, text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		if !strings.Contains(text, "://") {
			return "", usage("%s %q: has no scheme; write http://%s", flag, text, strings.TrimLeft(text, "/"))
		}
		return "", usage("%s: is no address of a server; write it as in %s", flag, defaultURL)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return "", usage("%s: ends in ? or #, which an address of a server does not; write it as in %s", flag, defaultURL)
	}
	return strings.TrimSuffix(strings.TrimSuffix(u.String(), "/"), "/v1"), nil
}

// sameHere says whether the address is that of the running server with localhost for its host. That
// server is then asked at the address that it has: localhost may be another program's, too.
func sameHere(named, running string) bool {
	n, err := url.Parse(named)
	r, wrong := url.Parse(running)
	return err == nil && wrong == nil && strings.EqualFold(n.Hostname(), "localhost") && n.Path == "" && n.User == nil &&
		n.Scheme == r.Scheme && n.Port() == r.Port() && workload.Server{URL: running}.Here()
}

// secret reads a key out of the variable of that name.
func secret(flag, name string, getenv func(string) string) (string, error) {
	if name == "" {
		return "", nil
	}
	value := strings.TrimSpace(getenv(name))
	if value == "" {
		return "", usage("%s %s: the environment has no such variable, or it is empty; it takes a variable's name, not the key itself", flag, name)
	}
	return value, nil
}

// runningOn gives the address and the admin token of the server on a data folder; nothing when none was started there.
func runningOn(p datadir.Paths) (address, token string) {
	raw, err := os.ReadFile(p.ServerFile)
	if err != nil {
		return "", ""
	}
	var info datadir.ServerInfo
	if json.Unmarshal(raw, &info) != nil {
		return "", ""
	}
	secret, _ := os.ReadFile(p.AdminToken) // without it, less is known of the server
	return info.URL, strings.TrimSpace(string(secret))
}
