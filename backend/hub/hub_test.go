package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mlxbar/backend/hub"
	fake "mlxbar/backend/testkit/hub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "hf_canaryOfTheToken"

func client(t *testing.T, endpoint, token string) *hub.Client {
	t.Helper()
	c, err := hub.New(hub.Options{Endpoint: endpoint, Agent: "mlxbar/test", Token: func(context.Context) (string, error) { return token, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAFileIsFoundListedAndReadFromAnyPlace(t *testing.T) {
	s := fake.New(t)
	content := []byte(strings.Repeat("weights ", 1000))
	s.Add("maker/Small-GGUF", "small-Q4_K_M.gguf", content)
	s.AddSmall("maker/Small-GGUF", "README.md", []byte("words"))
	s.Add("maker/Other-MLX", "model.safetensors", content)
	c := client(t, s.URL, "")
	found, err := c.Search(t.Context(), "small", hub.GGUF, 10)
	if err != nil || len(found) != 1 || found[0].Repo != "maker/Small-GGUF" || found[0].Downloads != 7 || found[0].License != "apache-2.0" || found[0].Gated || found[0].Updated.Year() != 2026 {
		t.Fatalf("%+v, %v", found, err)
	}
	repo, err := c.Repo(t.Context(), "maker/Small-GGUF", "")
	if err != nil || repo.Commit != fake.Commit || repo.License != "apache-2.0" || len(repo.Files) != 2 {
		t.Fatalf("%+v, %v", repo, err)
	}
	readme, weights := repo.Files[0], repo.Files[1]
	if readme.BlobID == "" || readme.SHA256 != "" || weights.SHA256 == "" || weights.Size != int64(len(content)) {
		t.Errorf("%+v", repo.Files)
	}
	for _, offset := range []int64{0, 1, 4321} {
		body, start, err := c.Open(t.Context(), repo.Name, repo.Commit, weights, offset)
		if err != nil || start != offset {
			t.Fatal(start, err)
		}
		got, err := io.ReadAll(body)
		body.Close()
		if err != nil || string(got) != string(content[offset:]) {
			t.Errorf("from %d: %d bytes, %v", offset, len(got), err)
		}
	}
	s.Fail(weights.Path, fake.Fault{NoRange: true})
	body, start, err := c.Open(t.Context(), repo.Name, repo.Commit, weights, 100)
	if err != nil || start != 0 {
		t.Fatalf("a server without ranges: starts at %d, %v", start, err)
	}
	body.Close()
}

func TestTheTokenGoesToTheHubAlone(t *testing.T) {
	s := fake.New(t)
	s.Add("maker/Gated-GGUF", "g.gguf", []byte("weights"))
	s.Gate("maker/Gated-GGUF", token)
	c := client(t, s.URL, token)
	repo, err := c.Repo(t.Context(), "maker/Gated-GGUF", "main")
	if err != nil {
		t.Fatal(err)
	}
	body, _, err := c.Open(t.Context(), repo.Name, repo.Commit, repo.Files[0], 0)
	if err != nil {
		t.Fatal(err)
	}
	body.Close()
	seen := 0
	for _, r := range s.Requests() {
		if r.CDN {
			seen++
			if r.Authorization != "" || r.Referer != "" || strings.Contains(r.Path, token) {
				t.Errorf("the other host was sent %+v", r)
			}
		} else if r.Authorization != "Bearer "+token {
			t.Errorf("the Hub was asked without the token: %+v", r)
		}
	}
	if seen != 1 {
		t.Errorf("the other host was asked %d times", seen)
	}
	// The same machine at another port, and another name, are other hosts, as is a subdomain.
	for _, to := range []string{strings.Replace(s.CDNURL, "localhost", "127.0.0.1", 1), s.CDNURL} {
		before := len(s.Requests())
		s.Fail("g.gguf", fake.Fault{Redirect: to + "/elsewhere"})
		if _, _, err := c.Open(t.Context(), repo.Name, repo.Commit, repo.Files[0], 0); err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("redirected to %s: %v", to, err)
		}
		last := s.Requests()[len(s.Requests())-1]
		if len(s.Requests()) == before || !last.CDN || last.Authorization != "" {
			t.Errorf("redirected to %s it sends %+v", to, last)
		}
	}
}

func TestAClearTextHubGetsNoToken(t *testing.T) {
	c := client(t, "http://hub.invalid", token)
	_, err := c.Search(t.Context(), "x", hub.GGUF, 1)
	var e *hub.Error
	if !errors.As(err, &e) || e.Kind != hub.Unencrypted || strings.Contains(err.Error(), token) {
		t.Error(err)
	}
}

func TestRefusalsAreToldApart(t *testing.T) {
	s := fake.New(t)
	s.Add("maker/a", "a.gguf", []byte("weights"))
	for _, row := range []struct {
		name    string
		fault   fake.Fault
		token   string
		kind    hub.Kind
		says    string
		passing bool
	}{
		{"wrong token", fake.Fault{Status: 401}, token, hub.Unauthorized, "does not take the token", false},
		{"no token", fake.Fault{Status: 401, Code: "RepoNotFound"}, "", hub.Unauthorized, "HF_TOKEN", false},
		{"gated", fake.Fault{Status: 403, Code: "GatedRepo"}, token, hub.Gated, "accepted their terms", false},
		{"forbidden", fake.Fault{Status: 403}, token, hub.Forbidden, "refuses", false},
		{"no repository", fake.Fault{Status: 404, Code: "RepoNotFound"}, token, hub.NotFound, "no such repository", false},
		{"too many", fake.Fault{Status: 429, RetryAfter: "7"}, "", hub.RateLimited, "limits", true},
		{"its own error", fake.Fault{Status: 503}, "", hub.Failed, "503", true},
		{"nonsense", fake.Fault{Status: 418}, "", hub.Malformed, "protocol", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.FailAPI(row.fault)
			_, err := client(t, s.URL, row.token).Repo(t.Context(), "maker/a", "")
			var e *hub.Error
			if !errors.As(err, &e) || e.Kind != row.kind || e.Passing() != row.passing || !strings.Contains(err.Error(), row.says) {
				t.Fatalf("%+v: %v", e, err)
			}
			if row.kind == hub.RateLimited && e.RetryAfter != 7*time.Second {
				t.Errorf("again after %s", e.RetryAfter)
			}
			for _, secret := range []string{token, "words of the server"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells %q: %v", secret, err)
				}
			}
		})
	}
}

func TestAnotherFileThanTheChosenOneIsNoticed(t *testing.T) {
	s := fake.New(t)
	s.Add("maker/a", "a.gguf", []byte("weights"))
	c := client(t, s.URL, "")
	repo, err := c.Repo(t.Context(), "maker/a", "")
	if err != nil {
		t.Fatal(err)
	}
	other := repo.Files[0]
	other.Size++
	s.Fail("a.gguf", fake.Fault{SayHash: strings.Repeat("ab", 32)})
	for _, f := range []hub.File{repo.Files[0], other} {
		_, _, err = c.Open(t.Context(), repo.Name, repo.Commit, f, 0)
		var e *hub.Error
		if !errors.As(err, &e) || e.Kind != hub.Changed {
			t.Errorf("%+v: %v", f, err)
		}
	}
	_, _, err = c.Open(t.Context(), repo.Name, strings.Repeat("f", 40), repo.Files[0], 0)
	var e *hub.Error
	if !errors.As(err, &e) || e.Kind != hub.Changed {
		t.Errorf("of another commit: %v", err)
	}
}

// A signed address lets whoever reads it fetch the file, so no error tells one.
func TestErrorsTellNoAddress(t *testing.T) {
	s := fake.New(t)
	s.Add("maker/a", "a.gguf", []byte("weights"))
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c := client(t, s.URL, token)
	repo, err := c.Repo(t.Context(), "maker/a", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{gone.URL + "/x?Signature=canary", "ftp://example.invalid/?Signature=canary", "http://[::1?Signature=canary", s.URL + "/maker/a/resolve/" + fake.Commit + "/a.gguf?Signature=canary"} {
		for range 12 { // the last one leads to itself
			s.Fail("a.gguf", fake.Fault{Redirect: to})
		}
		_, _, err := c.Open(t.Context(), repo.Name, repo.Commit, repo.Files[0], 0)
		if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), token) {
			t.Errorf("redirected to %s: %v", to, err)
		}
	}
}

func TestHostileNamesAreNoFiles(t *testing.T) {
	s := fake.New(t)
	hostile := []string{"../up.gguf", "a/../../up.gguf", "/abs.gguf", `..\up.gguf`, "a\x00b.gguf", "a//b.gguf", "./a.gguf", "C:x.gguf", "a\nb.gguf"}
	for _, name := range hostile {
		s.Add("maker/a", name, []byte("evil"))
		if hub.CheckPath(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
	s.Add("maker/a", "dir/good.gguf", []byte("weights"))
	repo, err := client(t, s.URL, "").Repo(t.Context(), "maker/a", "")
	if err != nil || len(repo.Files) != 1 || repo.Files[0].Path != "dir/good.gguf" {
		t.Errorf("%+v, %v", repo, err)
	}
	for _, name := range []string{"", "a/b/c", "../a", "a/..", "a b", "a?b", "https://x", ".hidden/x", "a/b#c"} {
		if hub.CheckRepo(name) == nil {
			t.Errorf("%q is a repository", name)
		}
	}
}

func TestAnEndpointThatCannotBeUsed(t *testing.T) {
	for _, wrong := range []string{"huggingface.co", "ftp://x", "https://user:secret@x", "https://x?y", "://"} {
		if _, err := hub.New(hub.Options{Endpoint: wrong}); err == nil || !strings.Contains(err.Error(), "HF_ENDPOINT") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

func TestWhatIsMeantByAName(t *testing.T) {
	file := func(path string, size int64) hub.File {
		return hub.File{Path: path, Size: size, SHA256: strings.Repeat("a", 64)}
	}
	many := &hub.Repo{Name: "maker/Many-GGUF", Files: []hub.File{
		file("Many-Q4_K_M.gguf", 40), file("Many-Q8_0.gguf", 80), file("Many-IQ2_XXS.gguf", 20), file("mmproj-Many-F16.gguf", 5),
		file("BF16/Many-BF16-00001-of-00002.gguf", 100), file("BF16/Many-BF16-00002-of-00002.gguf", 60),
		file("Lost-Q2_K-00001-of-00002.gguf", 9), file("README.md", 1),
	}}
	folder := &hub.Repo{Name: "maker/Folder", Files: []hub.File{file("config.json", 1), file("model.safetensors", 9), file("evil.py", 1), file(".gitattributes", 1), file("sub/x.json", 1)}}
	for _, row := range []struct {
		repo         *hub.Repo
		wanted, file string
		size         int64
		problem      string
	}{
		{many, "", "Many-Q4_K_M.gguf", 40, ""},
		{many, "q8_0", "Many-Q8_0.gguf", 80, ""},
		{many, "many-iq2_xxs.gguf", "Many-IQ2_XXS.gguf", 20, ""},
		{many, "BF16", "BF16/Many-BF16-00001-of-00002.gguf", 160, ""},
		{many, "BF16/Many-BF16-00002-of-00002.gguf", "BF16/Many-BF16-00001-of-00002.gguf", 160, ""},
		{many, "mmproj-Many-F16.gguf", "mmproj-Many-F16.gguf", 5, ""},
		{many, "Q3_K_S", "", 0, "IQ2_XXS, Q4_K_M, Q8_0, BF16"},
		{many, "README.md", "", 0, "no such file"},
		{folder, "", "", 10, ""},
		{&hub.Repo{Name: "maker/None", Files: []hub.File{file("a.bin", 1)}}, "", "", 0, "no GGUF file"},
	} {
		o, err := row.repo.Choose(row.wanted)
		if row.problem != "" {
			if err == nil || !strings.Contains(err.Error(), row.problem) {
				t.Errorf("%s:%s: %+v, %v; want %s", row.repo.Name, row.wanted, o, err, row.problem)
			}
			continue
		}
		if err != nil || o.File != row.file || o.SizeBytes != row.size {
			t.Errorf("%s:%s: %+v, %v", row.repo.Name, row.wanted, o, err)
		}
	}
}

// A Hub behind a path, as a company's mirror is.
func TestAHubBelowAPath(t *testing.T) {
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/mirror/hub/api/models") {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, `[{"id": "maker/a"}, {"id": "../evil"}]`)
	}))
	t.Cleanup(mirror.Close)
	found, err := client(t, mirror.URL+"/mirror/hub/", "").Search(t.Context(), "a", hub.GGUF, 1)
	if err != nil || len(found) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}
