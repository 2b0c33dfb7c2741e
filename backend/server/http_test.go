package server_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/testkit"
)

func TestUnknownRoutesAndWrongMethodsAreProblems(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	for _, c := range []struct {
		method, path string
		kind         problem.Kind
	}{
		{"GET", "/nope", problem.NotFound},
		{"GET", "/index.html", problem.NotFound},
		{"GET", "/assets/nope.js", problem.NotFound},
		{"GET", "/assets/", problem.NotFound},
		{"GET", "/assets/../index.html", problem.NotFound},
		{"POST", "/v1/nope", problem.NotFound},
		{"GET", "/v1", problem.NotFound},
		{"GET", "/api/nope", problem.NotFound},
		{"GET", "/api", problem.NotFound},
		{"GET", "/api/", problem.NotFound},
		{"GET", "/api//status", problem.NotFound},
		{"POST", "/", problem.MethodNotAllowed},
		{"OPTIONS", "/", problem.MethodNotAllowed},
		{"DELETE", "/v1/models", problem.MethodNotAllowed},
		{"GET", "/v1/chat/completions", problem.MethodNotAllowed},
		{"GET", "/api/shutdown", problem.MethodNotAllowed},
		{"PUT", "/api/status", problem.MethodNotAllowed},
		{"PUT", "/healthz", problem.MethodNotAllowed},
		{"POST", "/readyz", problem.MethodNotAllowed},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			resp := h.request(c.method, c.path, "", header("X-Request-ID", "one-of-mine"))
			d := h.problem(resp, c.kind)
			if d.RequestID != "one-of-mine" {
				t.Errorf("request_id %q", d.RequestID)
			}
			if v1 := c.path == "/v1" || strings.HasPrefix(c.path, "/v1/"); v1 != (d.Error != nil) {
				t.Errorf("the SDKs' error member is %+v", d.Error)
			}
			if (c.kind == problem.MethodNotAllowed) != (resp.Header.Get("Allow") != "") {
				t.Errorf("Allow: %q", resp.Header.Get("Allow"))
			}
		})
	}
	// There is something for everybody without a token.
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/problems/not-found": "Not found"} {
		if got := h.text(h.request("GET", path, ""), 200); !strings.Contains(got, want) {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestTheAPIIsForWhoeverHasTheToken(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	for _, route := range []string{
		"GET /api/status", "GET /api/settings", "PATCH /api/settings", "PUT /api/settings", "GET /api/audit", "GET /api/audit/stats",
		"GET /api/audit/export?format=csv", "POST /api/audit/flush", "GET /api/live", "POST /api/shutdown", "GET /api/models",
		"GET /api/engines", "GET /api/providers", "GET /api/openapi.json", "POST /api/models/x/load", "DELETE /api/session",
	} {
		method, path, _ := strings.Cut(route, " ")
		for name, given := range map[string]string{
			"none": "", "a wrong one": "Bearer " + strings.Repeat("x", len(h.token)), "half of it": "Bearer " + h.token[:20],
			"no scheme": h.token, "another scheme": "Basic " + h.token, "an empty one": "Bearer ",
		} {
			resp := h.request(method, path, "", header("Authorization", given))
			h.problem(resp, problem.Unauthorized)
			if resp.Header.Get("WWW-Authenticate") == "" || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s, token %s: headers %v", route, name, resp.Header)
			}
		}
	}
	if h.status().State != "running" {
		t.Error("a shutdown without token was obeyed")
	}
}

func TestABrowserLogsInWithTheToken(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	login := func(token string, change ...func(*http.Request)) *http.Response {
		body, err := json.Marshal(map[string]string{"token": token})
		if err != nil {
			t.Fatal(err)
		}
		return h.request("POST", "/api/session", string(body), append(change, header("Authorization", ""))...)
	}
	refused := login("not-the-token")
	if d := h.problem(refused, problem.Unauthorized); strings.Contains(d.Detail, "not-the-token") || len(refused.Cookies()) != 0 {
		t.Errorf("a wrong token was answered with %+v and %v", d, refused.Cookies())
	}
	h.problem(login(h.token, header("Origin", "https://evil.example")), problem.ForeignOrigin)

	resp := login(h.token+"\n", header("Origin", h.url)) // as it is copied out of the file
	h.text(resp, http.StatusNoContent)
	if len(resp.Cookies()) != 1 {
		t.Fatalf("cookies: %v", resp.Cookies())
	}
	cookie := resp.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" || cookie.MaxAge <= 0 {
		t.Errorf("the cookie is %s", cookie.Raw)
	}
	if strings.Contains(cookie.Raw, h.token) {
		t.Error("the cookie holds the token")
	}
	withCookie := func(r *http.Request) { r.Header.Del("Authorization"); r.AddCookie(cookie) }
	h.text(h.request("GET", "/api/status", "", withCookie), 200)
	h.problem(h.request("GET", "/api/status", "", withCookie, header("Origin", "https://evil.example")), problem.ForeignOrigin)
	h.problem(h.request("GET", "/api/status", "", withCookie, func(r *http.Request) { r.Host = "evil.example" }), problem.ForeignHost)

	out := h.request("DELETE", "/api/session", "", withCookie)
	h.text(out, http.StatusNoContent)
	if got := out.Cookies(); len(got) != 1 || got[0].MaxAge >= 0 {
		t.Errorf("logging out sets %v", got)
	}
	h.problem(h.request("GET", "/api/status", "", withCookie), problem.Unauthorized)
}

func TestALinkLogsInOnce(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	var made struct{ URL string }
	if err := json.Unmarshal([]byte(h.text(h.request("POST", "/api/session/link", ""), http.StatusCreated)), &made); err != nil {
		t.Fatal(err)
	}
	shown, found := strings.CutPrefix(testkit.Receive(t, h.said), "log in at ") // the line after the ready line
	if !found {
		t.Fatalf("after its ready line the server said %q", shown)
	}
	for _, link := range []string{made.URL, shown} {
		code, found := strings.CutPrefix(link, h.url+"/login?code=")
		if !found || len(code) < 20 {
			t.Fatalf("the link is %q", link)
		}
		follow := func(method string) (to string, cookies []*http.Cookie) {
			t.Helper()
			resp := h.request(method, strings.TrimPrefix(link, h.url), "")
			h.text(resp, http.StatusSeeOther)
			if resp.Header.Get("Referrer-Policy") != "no-referrer" || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", resp.Header)
			}
			return resp.Header.Get("Location"), resp.Cookies()
		}
		for range 2 { // a look at it does not use it up
			if to, cookies := follow("HEAD"); to != "/" || len(cookies) != 0 {
				t.Errorf("HEAD leads to %q with %v", to, cookies)
			}
		}
		to, cookies := follow("GET")
		if to != "/" || len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode {
			t.Fatalf("it leads to %q with the cookies %v", to, cookies)
		}
		h.text(h.request("GET", "/api/status", "", func(r *http.Request) { r.Header.Del("Authorization"); r.AddCookie(cookies[0]) }), 200)
		for _, method := range []string{"GET", "HEAD"} {
			if to, cookies := follow(method); to != "/#login=expired" || len(cookies) != 0 {
				t.Errorf("%s of a used link leads to %q with the cookies %v", method, to, cookies)
			}
		}
		raw, err := os.ReadFile(h.paths.Log)
		if err != nil || strings.Contains(string(raw)+h.log.String(), code) {
			t.Errorf("the log holds the code, or %v", err)
		}
	}
	for _, wrong := range []string{"", "?code=", "?code=guess"} {
		if resp := h.request("GET", "/login"+wrong, ""); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/#login=expired" || len(resp.Cookies()) != 0 {
			t.Errorf("/login%s: %s to %q", wrong, resp.Status, resp.Header.Get("Location"))
		}
	}
	h.problem(h.request("POST", "/login", ""), problem.MethodNotAllowed)
}

func TestAServerWhoseWordsAreKeptPrintsNoLink(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.opts.NoLoginLink = true
	h.start()
	h.stop()
	if err := h.wait(); err != nil {
		t.Fatal(err)
	}
	if line, more := <-h.said; more {
		t.Errorf("after its ready line it said %q", line)
	}
}

// The pages have no inline script or style, so the policy needs neither nonce nor
// hash: it lets in files of this server and nothing else.
func TestThePage(t *testing.T) {
	h := newHouse(t, testkit.NewUpstream(t).URL)
	h.start()
	resp := h.request("GET", "/", "")
	if resp.StatusCode == http.StatusNotFound {
		t.Fatal("the pages are not built: run make setup")
	}
	page := h.text(resp, 200)
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/html") {
		t.Errorf("Content-Type %q", got)
	}
	policy := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "http") {
		t.Errorf("the policy %q lets too much through", policy)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, tag := range regexp.MustCompile(`<script[^>]*>|<style[^>]*>|\sstyle=|\son[a-z]+=`).FindAllString(page, -1) {
		if !strings.HasPrefix(tag, "<script") || !strings.Contains(tag, ` src="/`) {
			t.Errorf("inline, which the policy refuses: %s", tag)
		}
	}
	files := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(files) < 3 {
		t.Errorf("the page names the files %v", files)
	}
	for _, file := range files {
		resp := h.request("GET", file[1], "")
		h.text(resp, 200)
		if hashed := strings.HasPrefix(file[1], "/assets/"); hashed != strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: Cache-Control %q", file[1], resp.Header.Get("Cache-Control"))
		}
		if resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", file[1], resp.Header)
		}
	}
	if strings.Contains(page, h.token) {
		t.Error("the page holds the token")
	}
}
