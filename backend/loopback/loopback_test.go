package loopback

import (
	"context"
	"net"
	"net/http"
	"testing"
)

func TestHostsOfThisMachine(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "127.0.0.1": true, "127.8.8.8": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "0.0.0.0": false, "::": false, "192.168.1.5": false, "127.0.0.1.example.com": false, "localhost.": false,
		"localhost.example.com": false, "[::1]": false, "::1%lo": false, "127.1": false, "0177.0.0.1": false, "2130706433": false,
		"10.0.0.1": false, "169.254.0.1": false, "my-mac.local": false, "api.openai.com": false,
	} {
		if Host(host) != want {
			t.Errorf("Host(%q) is %v", host, !want)
		}
	}
	for addr, want := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:0": true, "localhost:1": true, "0.0.0.0:80": false, "[::]:80": false, ":80": false, "127.0.0.1": false,
	} {
		if Addr(addr) != want {
			t.Errorf("Addr(%q) is %v", addr, !want)
		}
	}
}

func TestWhereARequestComesFrom(t *testing.T) {
	for _, c := range []struct {
		from, at        string // "" is not known
		caller, reached bool
	}{
		{"127.0.0.1:5", "127.0.0.1:80", true, true},
		{"[::1]:5", "[::1]:80", true, true},
		{"192.168.1.5:5", "192.168.1.5:80", true, false}, // this machine, by its own name in the network
		{"192.168.1.9:5", "192.168.1.5:80", false, false},
		{"[fe80::1%en0]:5", "[fe80::1%en0]:80", true, false},
		{"192.168.1.9:5", "", false, false},
		{"", "", false, false},
		{"", "127.0.0.1:80", false, true},
	} {
		r := &http.Request{RemoteAddr: c.from}
		if c.at != "" {
			at, err := net.ResolveTCPAddr("tcp", c.at)
			if err != nil {
				t.Fatal(err)
			}
			r = r.WithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, at))
		}
		if Caller(r) != c.caller || Reached(r) != c.reached {
			t.Errorf("from %q at %q: Caller %v, Reached %v", c.from, c.at, Caller(r), Reached(r))
		}
	}
}
