// Package hub is a server of the Hugging Face Hub's HTTP API for tests, on real sockets: repositories with files in
// large-file storage, whose downloads are redirected to another host, as the Hub's are. What it may do wrong is said
// for each download in turn.
package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Commit is that of every repository.
const Commit = "0123456789abcdef0123456789abcdef01234567"

// Fault is what happens to one download of a file.
type Fault struct {
	Status     int           // answered by the Hub instead of the file
	Code       string        // its X-Error-Code
	RetryAfter string        // its Retry-After
	CDNStatus  int           // answered by the other host
	CutAfter   int           // the connection breaks after so many bytes; 0: it does not; negative: before the first
	NoRange    bool          // the whole file is sent, whatever was asked for
	Wrong      bool          // other bytes of the same number are sent
	SayHash    string        // the X-Linked-Etag that is sent
	Redirect   string        // where to instead of the other host
	Pause      time.Duration // between blocks of 1 KiB
	Hold       chan struct{} `json:"-"` // after the first KiB, until it is closed
}

// Request is one that was seen.
type Request struct {
	CDN                        bool
	Path, Range, Authorization string
	Referer                    string
}

// Server is the Hub and the other host.
type Server struct {
	URL    string
	CDNURL string

	close func()

	mu       sync.Mutex
	repos    map[string]map[string]*file
	small    map[string]bool // files that are not in large-file storage
	gated    map[string]bool
	faults   map[string][]Fault // by file
	requests []Request
	token    string // that gated repositories want
	api      Fault  // of every question to the API
}

// file is one in a repository. A large one is hashed once.
type file struct {
	content       []byte
	size          int64 // as the API tells it
	git, contents string
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := Start()
	t.Cleanup(s.Close)
	return s
}

// Start starts a server.
func Start() *Server {
	s := &Server{repos: map[string]map[string]*file{}, small: map[string]bool{}, gated: map[string]bool{}, faults: map[string][]Fault{}}
	hub, cdn := httptest.NewServer(http.HandlerFunc(s.hub)), httptest.NewServer(http.HandlerFunc(s.cdn))
	// The same machine under another name, so that it is another host in every sense.
	s.URL, s.CDNURL = hub.URL, strings.Replace(cdn.URL, "127.0.0.1", "localhost", 1)
	s.close = func() {
		for _, server := range []*httptest.Server{hub, cdn} {
			server.CloseClientConnections()
			server.Close()
		}
	}
	return s
}

// Close breaks every connection and ends the server.
func (s *Server) Close() { s.close() }

// Add puts a file in large-file storage into a repository.
func (s *Server) Add(repo, name string, content []byte) {
	git := sha1.New()
	fmt.Fprintf(git, "blob %d\x00", len(content))
	git.Write(content)
	f := &file{content, int64(len(content)), hex.EncodeToString(git.Sum(nil)), hash(content)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repos[repo] == nil {
		s.repos[repo] = map[string]*file{}
	}
	s.repos[repo][name] = f
}

// Claim has the API tell another size of a file than it has.
func (s *Server) Claim(repo, name string, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repos[repo][name].size = size
}

// AddSmall puts a file into a repository that git holds itself.
func (s *Server) AddSmall(repo, file string, content []byte) {
	s.Add(repo, file, content)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.small[repo+"/"+file] = true
}

// Gate has a repository open to those with the token only.
func (s *Server) Gate(repo, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gated[repo], s.token = true, token
}

// Account is the name that the token of gated repositories belongs to.
const Account = "somebody"

func (s *Server) account(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	token := s.token
	s.mu.Unlock()
	if token == "" || r.Header.Get("Authorization") != "Bearer "+token {
		refuse(w, Fault{Status: 401})
		return
	}
	json.NewEncoder(w).Encode(map[string]string{"type": "user", "name": Account})
}

// Fail says what happens to the next downloads of a file, one after the other; those after them go well.
func (s *Server) Fail(file string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[file] = append(s.faults[file], faults...)
}

// FailAPI has every question to the API answered with a status, until it is 0.
func (s *Server) FailAPI(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.api = f
}

// Requests gives what was asked so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *Server) note(r *http.Request, cdn bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, Request{cdn, r.URL.RequestURI(), r.Header.Get("Range"), r.Header.Get("Authorization"), r.Header.Get("Referer")})
}

func (s *Server) hub(w http.ResponseWriter, r *http.Request) {
	s.note(r, false)
	if rest, ok := strings.CutPrefix(r.URL.Path, "/api/models"); ok {
		s.mu.Lock()
		fault := s.api
		s.mu.Unlock()
		switch repo, revision, named := strings.Cut(strings.TrimPrefix(rest, "/"), "/revision/"); {
		case fault.Status != 0:
			refuse(w, fault)
		case rest == "":
			s.search(w, r)
		case named:
			s.describe(w, r, repo, revision)
		default:
			refuse(w, Fault{Status: 404, Code: "RepoNotFound"})
		}
		return
	}
	if r.URL.Path == "/api/whoami-v2" {
		s.account(w, r)
		return
	}
	repo, file, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/resolve/")
	_, file, _ = strings.Cut(file, "/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	s.resolve(w, r, repo, file)
}

func refuse(w http.ResponseWriter, f Fault) {
	if f.Code != "" {
		w.Header().Set("X-Error-Code", f.Code)
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	w.WriteHeader(f.Status)
	fmt.Fprint(w, "words of the server that nobody repeats")
}

func (s *Server) search(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []map[string]any{}
	for name, files := range s.repos {
		format := "mlx"
		for file := range files {
			if path.Ext(file) == ".gguf" {
				format = "gguf"
			}
		}
		if strings.Contains(strings.ToLower(name), strings.ToLower(r.FormValue("search"))) && r.FormValue("filter") == format {
			found = append(found, map[string]any{"id": name, "downloads": 7, "likes": 3, "lastModified": "2026-01-02T03:04:05.000Z", "gated": s.gating(name), "tags": []string{format, "license:apache-2.0"}})
		}
	}
	slices.SortFunc(found, func(a, b map[string]any) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
	json.NewEncoder(w).Encode(found)
}

// gating is how the API says whether a repository is gated, with the lock held.
func (s *Server) gating(repo string) any {
	if s.gated[repo] {
		return "manual"
	}
	return false
}

// allowed answers for a repository that r may not see.
func (s *Server) allowed(w http.ResponseWriter, r *http.Request, repo string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.repos[repo] == nil && r.Header.Get("Authorization") == "":
		refuse(w, Fault{Status: 401, Code: "RepoNotFound"}) // as the Hub does, so as not to tell which are private
	case s.repos[repo] == nil:
		refuse(w, Fault{Status: 404, Code: "RepoNotFound"})
	case s.gated[repo] && r.Header.Get("Authorization") == "":
		refuse(w, Fault{Status: 401, Code: "GatedRepo"})
	case s.gated[repo] && r.Header.Get("Authorization") != "Bearer "+s.token:
		refuse(w, Fault{Status: 403, Code: "GatedRepo"})
	default:
		return true
	}
	return false
}

func (s *Server) describe(w http.ResponseWriter, r *http.Request, repo, revision string) {
	if !s.allowed(w, r, repo) {
		return
	}
	if revision != "main" && revision != Commit {
		refuse(w, Fault{Status: 404, Code: "RevisionNotFound"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	siblings := []map[string]any{}
	for name, f := range s.repos[repo] {
		entry := map[string]any{"rfilename": name, "size": f.size, "blobId": f.git}
		if !s.small[repo+"/"+name] {
			entry["lfs"] = map[string]any{"sha256": f.contents, "size": f.size, "pointerSize": 135}
		}
		siblings = append(siblings, entry)
	}
	slices.SortFunc(siblings, func(a, b map[string]any) int {
		return strings.Compare(a["rfilename"].(string), b["rfilename"].(string))
	})
	json.NewEncoder(w).Encode(map[string]any{"id": repo, "sha": Commit, "gated": s.gating(repo), "cardData": map[string]any{"license": "apache-2.0"}, "siblings": siblings})
}

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
