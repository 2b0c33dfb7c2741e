package settings

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mlxbar/backend/loopback"
)

// A rule says which texts a field may hold. Its pattern is for the schema and
// lets through at least what check does.
type rule struct {
	pattern  string
	reserved []string
	want     string            // what would be right
	check    func(string) bool // nil: the pattern decides
	secret   bool              // a wrong value may be a secret in the wrong place
}

// rules by the name that a field's rule tag gives.
var rules = map[string]rule{
	"text": {pattern: `\S`, want: "must not be empty"},
	"address": {
		pattern: `^(localhost|[0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$`, check: isAddress,
		want: "must be an IP address or localhost, and a port from 0 to 65535, such as 127.0.0.1:10242, or 0.0.0.0:10242 for every address of this machine, where API keys are required",
	},
	"origin": {
		pattern: `^[a-z][a-z0-9+.-]*://[^/?#@\s]+$`, check: isOrigin,
		want: "must be an origin: scheme, host and perhaps port, without a path, such as http://localhost:3000",
	},
	// The reserved ones say elsewhere that a request stayed here: the engines' names in
	// the audit, mlxbar as the owner of a model.
	"provider": {
		pattern: `^[a-z0-9-]+$`, reserved: []string{"local", "llamacpp", "mlx", "mlxbar"},
		want: "must consist of a-z, 0-9 and -, and not be local, llamacpp, mlx or mlxbar",
	},
	"base-url": {
		pattern: `^https?://[^/?#@\s]+(/[^?#\s]*)?$`, check: isBaseURL, secret: true,
		want: "must be an http or https address without user, query or fragment, such as https://api.openai.com/v1",
	},
	"endpoint": {
		pattern: `^(https?://[^/?#@\s]+(/[^?#\s]*)?)?$`, check: func(text string) bool { return text == "" || isBaseURL(text) }, secret: true,
		want: "must be empty, or an http or https address without user, query or fragment, such as http://localhost:4318; a key that a collector asks for goes into OTEL_EXPORTER_OTLP_HEADERS",
	},
	"folder": {
		pattern: `^(/|~/)`, check: isFolder,
		want: "must be a folder's whole path, from / or from ~/, such as ~/.cache/huggingface/hub",
	},
	"program": {
		pattern: `^$|^(/|~/)`, check: isFolder,
		want: "must be empty, or a program's whole path, from / or from ~/, such as /opt/homebrew/bin/llama-server",
	},
	"argument": {
		pattern: `^[A-Za-z0-9_.-]+$`, want: "must be an argument such as --flash-attn, or the value of the one before it, such as on",
	},
	"service": {
		pattern: `^[A-Za-z0-9._-]{1,64}$`, want: "must consist of 1 to 64 letters, digits, dots, hyphens and underscores, such as mlxbar",
	},
	"env": {
		pattern: `^([A-Za-z_][A-Za-z0-9_]*)?$`, secret: true,
		want: "must be the name of an environment variable such as OPENAI_API_KEY, not the key itself",
	},
	"keychain": {
		pattern: `^[a-z0-9-]{0,64}$`, secret: true,
		want: "must be the name under which the keychain has the key (a-z, 0-9 and -), as mlxbar providers set-key writes it, not the key itself",
	},
}

var patterns = func() map[string]*regexp.Regexp {
	m := make(map[string]*regexp.Regexp, len(rules))
	for name, r := range rules {
		m[name] = regexp.MustCompile(r.pattern)
	}
	return m
}()

// broken returns what would be right when text breaks the rule of that name.
func broken(name, text string) (want string, secret, bad bool) {
	r := rules[name]
	ok := patterns[name].MatchString(text) && !slices.Contains(r.reserved, text) && (r.check == nil || r.check(text))
	return r.want, r.secret, !ok
}

func isFolder(path string) bool { return !strings.ContainsRune(path, 0) }

func isAddress(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Zone() == ""
}

// carriesInClear says whether others can read what is sent to a base URL on its way.
// One that is no base URL is a fault of its own.
func carriesInClear(baseURL string) bool {
	if _, _, bad := broken("base-url", baseURL); bad {
		return false
	}
	u, err := url.Parse(baseURL)
	return err == nil && u.Scheme == "http" && !loopback.Host(u.Hostname())
}

// isOrigin holds text to what a browser sends as Origin, which is compared as it stands.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme != "file" && u.Hostname() != "" && u.User == nil && !strings.Contains(text, "*") &&
		text == u.Scheme+"://"+strings.ToLower(u.Host) && validPort(u)
}

func isBaseURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Hostname() != "" && u.User == nil && validPort(u)
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && n > 0
}
