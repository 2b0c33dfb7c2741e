package server_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/testkit"
)

// What no handler comes to see, because net/http cannot read it as a request, is answered as all else is.
func TestWhatIsNoRequestIsAProblem(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	host := strings.TrimPrefix(h.url, "http://")
	get := func(path string, headers ...string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + strings.Join(append(headers, "", ""), "\r\n")
	}
	post := func(headers ...string) string {
		return "POST" + strings.TrimPrefix(get("/v1/chat/completions", headers...), "GET")
	}
	for name, c := range map[string]struct {
		sent string
		kind problem.Kind
	}{
		"no HTTP":                      {"hello\r\n\r\n", problem.MalformedRequest},
		"a wrong escape":               {get("/v1/models/%zz"), problem.MalformedRequest},
		"a space in the path":          {get("/v1/a b"), problem.MalformedRequest},
		"no slash":                     {get("v1/models"), problem.MalformedRequest},
		"a header without a colon":     {get("/v1/models", "bad header"), problem.MalformedRequest},
		"no host":                      {"GET /v1/models HTTP/1.1\r\n\r\n", problem.MalformedRequest},
		"two hosts":                    {get("/v1/models", "Host: x"), problem.MalformedRequest},
		"a length that is none":        {post("Content-Length: abc"), problem.MalformedRequest},
		"a negative length":            {post("Content-Length: -1"), problem.MalformedRequest},
		"two lengths":                  {post("Content-Length: 1", "Content-Length: 2"), problem.MalformedRequest},
		"a large header":               {get("/v1/models", "Big: "+strings.Repeat("x", 70<<10)), problem.HeadersTooLarge},
		"a long path":                  {get("/v1/models/" + strings.Repeat("x", 70<<10)), problem.HeadersTooLarge},
		"another transfer encoding":    {post("Transfer-Encoding: gzip"), problem.UnsupportedEncoding},
		"another expectation":          {post("Content-Length: 2", "Expect: wonders") + "{}", problem.ExpectationFailed},
		"another version":              {strings.Replace(get("/v1/models"), "1.1", "2.0", 1), problem.UnsupportedVersion},
		"the second on a connection":   {get("/healthz") + get("/v1/models/%zz"), problem.MalformedRequest},
		"behind one that asks a model": {post("Content-Type: application/json", "Content-Length: 2") + "{}" + get("/%zz"), problem.MalformedRequest},
	} {
		t.Run(name, func(t *testing.T) {
			nc, err := net.Dial("tcp", host)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(time.Minute))
			if _, err := io.WriteString(nc, c.sent); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(nc)
			var resp *http.Response
			for range strings.Count(c.sent, " HTTP/") - 1 { // the answers before
				before, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, before.Body)
			}
			if resp, err = http.ReadResponse(r, nil); err != nil {
				t.Fatal(err)
			}
			resp.Request, _ = http.NewRequest("GET", h.url+"/", nil)
			h.problem(resp, c.kind)
			if resp.Header.Get("Cache-Control") != "no-store" || !resp.Close {
				t.Errorf("headers %v, close %t", resp.Header, resp.Close)
			}
			if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
				t.Errorf("after the answer: %q, %v", rest, err)
			}
		})
	}
}
