package admin_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mlxbar/backend/admin"
	"mlxbar/backend/credentials"
	"mlxbar/backend/gateway"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/keychain"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/secrets"
	"mlxbar/backend/testkit/upstream"
)

const someKey = "sk-secret-of-far"

// providers has the settings name some providers, each as "name address more".
func (h *house) providers(list ...string) {
	h.t.Helper()
	var parts []string
	for _, p := range list {
		name, rest, _ := strings.Cut(p, " ")
		address, more, _ := strings.Cut(rest, " ")
		parts = append(parts, fmt.Sprintf(`{"name": %q, "kind": "openai", "base_url": %q%s}`, name, address, more))
	}
	h.text(h.request("PATCH", "/api/settings", `{"providers": [`+strings.Join(parts, ",")+`]}`), 200)
}

func (h *house) provider(name string) admin.Provider {
	h.t.Helper()
	for _, p := range get[struct{ Providers []admin.Provider }](h, "/api/providers").Providers {
		if p.Name == name {
			return p
		}
	}
	h.t.Fatalf("there is no provider %s", name)
	return admin.Provider{}
}

func (h *house) test(name string) (out admin.ProviderTest) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(h.text(h.request("POST", "/api/providers/"+name+"/test", ""), 200)), &out); err != nil {
		h.t.Fatal(err)
	}
	return out
}

func TestAProvidersKeyFromItsSettingToItsRemoval(t *testing.T) {
	bus := secrets.New(t)
	up := testkit.NewUpstream(t, upstream.Key(someKey))
	h := newHouse(t)
	h.providers("far " + up.URL)
	if p := h.provider("far"); p.Key != (admin.SecretState{Source: "none", State: "none"}) || p.Leaves {
		t.Errorf("%+v", p)
	}
	if got := h.test("far"); got.OK || got.Problem.Kind != string(problem.UpstreamKey) || !strings.Contains(got.Problem.Detail, "none is set") {
		t.Errorf("without a key: %+v, %+v", got, got.Problem)
	}
	set := h.text(h.request("PUT", "/api/providers/far/key", `{"key": "`+someKey+`"}`), 200)
	if strings.Contains(set, someKey) || !strings.Contains(set, `"state":"in-keychain"`) || !strings.Contains(set, `"api_key_keychain":"far"`) {
		t.Errorf("the answer is %s", set)
	}
	if got, err := keychain.Get(t.Context(), "provider:far"); err != nil || got != someKey {
		t.Errorf("the keychain has %q, %v", got, err)
	}
	if got := h.test("far"); !got.OK || got.Models == 0 || got.Problem != nil {
		t.Errorf("with its key: %+v", got)
	}

	// It follows a provider that is given another name, and another one of the old name has its own.
	h.providers(`work `+up.URL+` , "api_key_keychain": "far"`, "far "+up.URL)
	h.text(h.request("PUT", "/api/providers/far/key", `{"key": "another"}`), 200)
	if p := h.provider("far"); p.APIKeyKeychain != "far-2" {
		t.Errorf("%+v", p)
	}
	if got := h.test("work"); !got.OK {
		t.Errorf("under its new name: %+v", got.Problem)
	}
	if got := h.test("far"); got.OK || got.Problem.Kind != string(problem.UpstreamKey) || !strings.Contains(got.Problem.Detail, "refused the key") {
		t.Errorf("with a wrong key: %+v", got)
	}

	// Held in memory it is there while the keychain is locked, and one that was never read is not.
	bus.Lock()
	if got := h.test("work"); !got.OK {
		t.Errorf("with the keychain locked: %+v", got.Problem)
	}
	h.providers(`work `+up.URL+` , "api_key_keychain": "far"`, `new `+up.URL+` , "api_key_keychain": "unread"`)
	if p := h.provider("new"); p.Key.State != "keychain-locked" || !strings.Contains(p.Key.Detail, "unlock it") {
		t.Errorf("%+v", p)
	}
	if got := h.test("new"); got.OK || got.Problem.Kind != string(problem.UpstreamKey) || !strings.Contains(got.Problem.Detail, "locked") {
		t.Errorf("without its key: %+v", got)
	}
}

// listed notes when providers are to be asked anew for their models.
type listed struct {
	admin.Providers
	forgot atomic.Int64
}

func (l *listed) ForgetLists() {
	l.forgot.Add(1)
	l.Providers.ForgetLists()
}

// Another key may have other models.
func TestAChangeOfAKeyHasProvidersAskedAnewForTheirModels(t *testing.T) {
	secrets.New(t)
	l := &listed{}
	h := newHouse(t, func(c *admin.Config) { l.Providers, c.Providers = c.Providers, l })
	h.providers("far https://far.example/v1")
	for i, key := range []string{someKey, "another"} {
		h.text(h.request("PUT", "/api/providers/far/key", `{"key": "`+key+`"}`), 200)
		if n := l.forgot.Load(); n != int64(i+1) {
			t.Errorf("after %d keys lists were forgotten %d times", i+1, n)
		}
	}
	h.text(h.request("DELETE", "/api/providers/far/key", ""), 200)
	if n := l.forgot.Load(); n != 3 {
		t.Errorf("after its removal lists were forgotten %d times", n)
	}
}

func TestAKeyThatIsRemovedIsGone(t *testing.T) {
	secrets.New(t)
	h := newHouse(t)
	remove := func(name string) string {
		return strings.TrimSpace(h.text(h.request("DELETE", "/api/providers/"+name+"/key", ""), 200))
	}
	h.providers("far https://far.example/v1", "other https://far.example/v1")
	if got := remove("far"); got != `{"removed":false,"unnamed":false,"users":[]}` {
		t.Errorf("of a provider without a key: %s", got)
	}
	h.text(h.request("PUT", "/api/providers/far/key", `{"key": "`+someKey+`"}`), 200)
	h.providers(`far https://far.example/v1 , "api_key_keychain": "far"`, `other https://far.example/v1 , "api_key_keychain": "far"`)
	if got := remove("far"); got != `{"removed":false,"unnamed":true,"users":["other"]}` {
		t.Errorf("of a key that another takes as well: %s", got)
	}
	if p := h.provider("other"); p.Key.State != "in-keychain" {
		t.Errorf("the other one: %+v", p)
	}
	if got := remove("other"); got != `{"removed":true,"unnamed":true,"users":[]}` {
		t.Errorf("of the last one that takes it: %s", got)
	}
	if p := h.provider("other"); p.Key.State != "none" || p.APIKeyKeychain != "" {
		t.Errorf("the last one: %+v", p)
	}

	// A provider that is taken out of the settings, and put back, has its key still; it can be removed meanwhile.
	h.text(h.request("PUT", "/api/providers/far/key", `{"key": "`+someKey+`"}`), 200)
	h.providers()
	h.providers(`far https://far.example/v1 , "api_key_keychain": "far"`)
	if p := h.provider("far"); p.Key.State != "in-keychain" {
		t.Errorf("back again: %+v", p)
	}
	h.providers()
	if got := remove("far"); got != `{"removed":true,"unnamed":false,"users":[]}` {
		t.Errorf("of a provider that is gone: %s", got)
	}
	h.problem(h.request("DELETE", "/api/providers/far/key", ""), problem.NotFound)
}

func TestAKeyThatCannotBeSetLeavesAllAsItWas(t *testing.T) {
	secrets.New(t)
	t.Setenv("FAR_KEY", "")
	h := newHouse(t)
	h.providers("clear http://192.0.2.1/v1", `variable https://far.example/v1 , "api_key_env": "FAR_KEY"`)
	set := func(name string) *http.Response {
		return h.request("PUT", "/api/providers/"+name+"/key", `{"key": "`+someKey+`"}`)
	}
	if d := h.problem(set("clear"), problem.InvalidRequest); len(d.Errors) != 1 || d.Errors[0].Location != "providers[0].base_url" || !strings.Contains(d.Detail, "https") {
		t.Errorf("%+v", d)
	}
	if d := h.problem(set("variable"), problem.Conflict); !strings.Contains(d.Detail, "FAR_KEY") {
		t.Errorf("%+v", d)
	}
	h.problem(h.request("DELETE", "/api/providers/variable/key", ""), problem.Conflict)
	for _, name := range []string{"clear", "variable"} {
		if got, err := keychain.Get(t.Context(), "provider:"+name); err == nil {
			t.Errorf("the keychain has %q for %s", got, name)
		}
	}
	if p := h.provider("variable"); p.Key.State != "variable-not-set" || !strings.Contains(p.Key.Detail, "FAR_KEY") {
		t.Errorf("%+v", p)
	}

	secrets.NewBus(t) // with no keychain on it
	h.providers("far https://far.example/v1", `named https://far.example/v1 , "api_key_keychain": "named"`)
	if d := h.problem(set("far"), problem.KeychainUnavailable); !strings.Contains(d.Detail, "api_key_env") {
		t.Errorf("%+v", d)
	}
	if p := h.provider("far"); p.APIKeyKeychain != "" {
		t.Errorf("%+v", p)
	}
	h.problem(h.request("DELETE", "/api/providers/named/key", ""), problem.KeychainUnavailable)
	if p := h.provider("named"); p.Key.State != "no-keychain" || p.APIKeyKeychain != "named" {
		t.Errorf("%+v", p)
	}
	if strings.Contains(h.log.String(), someKey) {
		t.Error("the log has the key")
	}
}

// Whatever a provider answers, the test says in words of mlxbar's own what is the matter.
func TestWhatAProviderMayAnswerToATest(t *testing.T) {
	secrets.New(t)
	h := newHouse(t)
	answer := func(status int, header, body string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			name, value, _ := strings.Cut(header, ": ")
			w.Header().Set(name, value)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(s.Close)
		return s
	}
	const quoted = `{"error": {"message": "you sent ` + someKey + `"}}`
	selfSigned := httptest.NewUnstartedServer(http.NotFoundHandler())
	selfSigned.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of each client that leaves
	selfSigned.StartTLS()
	t.Cleanup(selfSigned.Close)
	plain := answer(200, "A: b", "")
	for name, c := range map[string]struct {
		url    string
		kind   problem.Kind // "" for a test that is passed
		says   string
		models int
	}{
		"a list":                          {answer(200, "Content-Type: application/json", `{"object": "list", "data": [{"id": "a"}, {"id": "b"}]}`).URL, "", "", 2},
		"no models yet":                   {answer(200, "Content-Type: application/json", `{"data": null}`).URL, "", "", 0},
		"a page":                          {answer(200, "Content-Type: text/html", `<!doctype html>`).URL, problem.UpstreamMalformed, "a web page", 0},
		"a page that says it is JSON":     {answer(200, "Content-Type: application/json", "\n<html>").URL, problem.UpstreamMalformed, "a web page", 0},
		"nothing":                         {answer(200, "Content-Type: application/json", "").URL, problem.UpstreamMalformed, "no list of models", 0},
		"something else":                  {answer(200, "Content-Type: application/json", `{"hello": "`+someKey+`"}`).URL, problem.UpstreamMalformed, "no list of models", 0},
		"half a list":                     {answer(200, "Content-Type: application/json", `{"data": [{"id": "a"}`).URL, problem.UpstreamMalformed, "no list of models", 0},
		"a redirect":                      {answer(302, "Location: http://127.0.0.1:1/?"+someKey, "").URL, problem.UpstreamMalformed, "another address (302)", 0},
		"an address without it":           {answer(404, "A: b", quoted).URL, problem.NotOffered, "end in /v1", 0},
		"a refused key":                   {answer(401, "A: b", quoted).URL, problem.UpstreamKey, "refused the key that mlxbar sent (401)", 0},
		"a key that may not do this":      {answer(403, "A: b", quoted).URL, problem.UpstreamKey, "refused the key that mlxbar sent (403)", 0},
		"a rate limit":                    {answer(429, "Retry-After: 7", quoted).URL, problem.RateLimited, "wait a little", 0},
		"a refusal":                       {answer(422, "A: b", quoted).URL, problem.UpstreamRefused, "(422)", 0},
		"a failure":                       {answer(500, "A: b", quoted).URL, problem.UpstreamFailed, "(500)", 0},
		"nobody there":                    {"http://" + testkit.Nobody(t), problem.UpstreamUnreachable, "cannot be reached.", 0},
		"a certificate that nobody knows": {selfSigned.URL, problem.UpstreamUnreachable, "whom this machine trusts", 0},
		"https where http is spoken":      {strings.Replace(plain.URL, "http:", "https:", 1), problem.UpstreamUnreachable, "does not speak TLS", 0},
	} {
		t.Run(name, func(t *testing.T) {
			outer := h.t
			h.t = t
			defer func() { h.t = outer }()
			h.providers("far " + c.url + "/v1")
			h.text(h.request("PUT", "/api/providers/far/key", `{"key": "`+someKey+`"}`), 200)
			raw := h.text(h.request("POST", "/api/providers/far/test", ""), 200)
			var got admin.ProviderTest
			if err := json.Unmarshal([]byte(raw), &got); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(raw, someKey) {
				t.Errorf("the answer quotes the key: %s", raw)
			}
			if c.kind == "" {
				if !got.OK || got.Models != c.models {
					t.Errorf("%s", raw)
				}
				return
			}
			if got.OK || got.Problem == nil || got.Problem.Kind != string(c.kind) || !strings.Contains(got.Problem.Detail, c.says) || !strings.HasPrefix(got.Problem.Detail, "Provider far ") {
				t.Errorf("%s", raw)
			}
		})
	}
	if strings.Contains(h.log.String(), someKey) {
		t.Error("the log has the key")
	}
}

// A provider that says nothing, or does not come to an end, is given up.
func TestATestOfASilentProviderEnds(t *testing.T) {
	h := newHouse(t, func(c *admin.Config) {
		keys := credentials.New(nil, os.Getenv)
		way := gateway.New(gateway.Config{Settings: c.Settings.Current, Credentials: keys, ProbeTime: 200 * time.Millisecond})
		t.Cleanup(way.Close)
		c.Providers = way
	})
	for name, begin := range map[string]string{"before its answer": "", "in its answer": `{"data": [`} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if begin != "" {
					fmt.Fprint(w, begin)
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done()
			}))
			t.Cleanup(s.Close)
			h.providers("far " + s.URL + "/v1")
			if got := h.test("far"); got.OK || got.Problem.Kind != string(problem.Timeout) || !strings.Contains(got.Problem.Detail, "did not answer within 200ms") {
				t.Errorf("%+v, %+v", got, got.Problem)
			}
		})
	}
}

// One of Anthropic's is asked in its own way.
func TestATestOfAnthropic(t *testing.T) {
	t.Setenv("FAR_KEY", someKey)
	h := newHouse(t)
	asked := make(chan *http.Request, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		fmt.Fprint(w, `{"data": [{"type": "model", "id": "claude"}], "has_more": false}`)
	}))
	t.Cleanup(s.Close)
	h.text(h.request("PATCH", "/api/settings", `{"providers": [{"name": "far", "kind": "anthropic", "base_url": "`+s.URL+`/v1", "api_key_env": "FAR_KEY"}]}`), 200)
	if got := h.test("far"); !got.OK || got.Models != 1 {
		t.Errorf("%+v", got)
	}
	r := testkit.Receive(t, asked)
	if r.URL.Path != "/v1/models" || r.Header.Get("X-Api-Key") != someKey || r.Header.Get("Anthropic-Version") == "" || r.Header.Get("Authorization") != "" {
		t.Errorf("%s %v", r.URL, r.Header)
	}
}

func TestATestOfAProviderStaysHereWhenNothingMayLeave(t *testing.T) {
	h := newHouse(t)
	h.providers("far https://far.example/v1", "near "+testkit.NewUpstream(t).URL)
	h.text(h.request("PATCH", "/api/settings", `{"local_only": true}`), 200)
	if got := h.test("far"); got.OK || got.Problem.Kind != string(problem.LocalOnly) {
		t.Errorf("%+v", got)
	}
	if got := h.test("near"); !got.OK {
		t.Errorf("one on this machine: %+v", got.Problem)
	}
}

// No file that the settings are written to has the key.
func TestTheSettingsNameAKeyAndDoNotHoldIt(t *testing.T) {
	secrets.New(t)
	h := newHouse(t)
	h.providers("far https://far.example/v1")
	h.text(h.request("PUT", "/api/providers/far/key", `{"key": "`+someKey+`"}`), 200)
	files, err := filepath.Glob(filepath.Join(h.dir, "*"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), someKey) {
			t.Errorf("%s has the key", file)
		}
	}
}
