package hub

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// DefaultRevision is the branch that is taken when none is named.
const DefaultRevision = "main"

// Found is a repository that a search found.
type Found struct {
	Repo      string    `json:"repo"`
	Downloads int64     `json:"downloads" doc:"In the last thirty days, as the Hub counts."`
	Likes     int64     `json:"likes"`
	Updated   time.Time `json:"updated"`
	Gated     bool      `json:"gated" doc:"Its makers let in who has accepted their terms."`
	License   string    `json:"license" doc:"As its tags say; empty when they do not."`
}

// licenseTag begins the tag that names a model's licence.
const licenseTag = "license:"

// Formats of weights, as the Hub tags them.
const (
	GGUF = "gguf"
	MLX  = "mlx"
)

// Search finds models in one of the formats, the most downloaded first. An empty query finds the most downloaded of all.
// Nothing but the query and the format is sent.
func (c *Client) Search(ctx context.Context, query, format string, limit int) ([]Found, error) {
	q := url.Values{"filter": {format}, "limit": {fmt.Sprint(limit)}, "sort": {"downloads"}, "direction": {"-1"},
		"expand": {"downloads", "likes", "lastModified", "gated", "tags"}}
	if query != "" {
		q.Set("search", query)
	}
	var answer []struct {
		ID           string    `json:"id"`
		Downloads    int64     `json:"downloads"`
		Likes        int64     `json:"likes"`
		LastModified time.Time `json:"lastModified"`
		Gated        any       `json:"gated"` // false, "auto" or "manual"
		Tags         []string  `json:"tags"`
	}
	if err := c.ask(ctx, "/api/models", q.Encode(), &answer); err != nil {
		return nil, err
	}
	found := []Found{}
	for _, a := range answer {
		if CheckRepo(a.ID) == nil { // else nothing that could be asked for
			f := Found{Repo: a.ID, Downloads: a.Downloads, Likes: a.Likes, Updated: a.LastModified, Gated: gated(a.Gated)}
			if i := slices.IndexFunc(a.Tags, func(tag string) bool { return strings.HasPrefix(tag, licenseTag) }); i >= 0 {
				f.License = strings.TrimPrefix(a.Tags[i], licenseTag)
			}
			found = append(found, f)
		}
	}
	return found, nil
}

func gated(v any) bool {
	flag, ok := v.(bool)
	return flag || !ok && v != nil
}

// Repo is a repository at one commit.
type Repo struct {
	Name    string
	Commit  string
	Gated   bool
	License string
	Files   []File
}

// File is a file of a repository at one commit. Those in large-file storage, as all weights are, have a SHA256; the
// small ones have git's hash of their content.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
	BlobID string `json:"blob_id,omitempty"`
}

// Repo lists the files of a repository. Files whose names could lead out of a folder are left out: no file of a model
// is called so.
func (c *Client) Repo(ctx context.Context, name, revision string) (*Repo, error) {
	if err := CheckRepo(name); err != nil {
		return nil, err
	}
	if revision == "" {
		revision = DefaultRevision
	}
	if err := CheckRevision(revision); err != nil {
		return nil, err
	}
	var answer struct {
		SHA      string `json:"sha"`
		Gated    any    `json:"gated"`
		CardData struct {
			License any `json:"license"`
		} `json:"cardData"`
		Siblings []struct {
			Name   string `json:"rfilename"`
			Size   *int64 `json:"size"`
			BlobID string `json:"blobId"`
			LFS    *struct {
				SHA256 string `json:"sha256"`
				Size   int64  `json:"size"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if err := c.ask(ctx, "/api/models/"+name+"/revision/"+url.PathEscape(revision), "blobs=true", &answer); err != nil {
		return nil, err
	}
	if !commit.MatchString(answer.SHA) {
		return nil, &Error{Kind: Malformed, Host: c.base.Host, Cause: fmt.Errorf("the repository tells no commit")}
	}
	r := &Repo{Name: name, Commit: answer.SHA, Gated: gated(answer.Gated), Files: []File{}}
	r.License, _ = answer.CardData.License.(string)
	for _, s := range answer.Siblings {
		f := File{Path: s.Name}
		switch {
		case s.LFS != nil && sha256Text.MatchString(s.LFS.SHA256):
			f.Size, f.SHA256 = s.LFS.Size, s.LFS.SHA256
		case s.Size != nil && commit.MatchString(s.BlobID):
			f.Size, f.BlobID = *s.Size, s.BlobID
		default:
			continue // nothing to hold its content against
		}
		if CheckPath(f.Path) == nil && f.Size >= 0 {
			r.Files = append(r.Files, f)
		}
	}
	return r, nil
}

var (
	commit     = regexp.MustCompile(`^[0-9a-f]{40}$`)
	sha256Text = regexp.MustCompile(`^[0-9a-f]{64}$`)
	repoName   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)?$`)
	revisionOK = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]*$`)
)

// CheckRepo says what is wrong with a repository's name; nil when it can be one.
func CheckRepo(name string) error {
	if len(name) > 200 || !repoName.MatchString(name) || strings.Contains(name, "..") {
		return &NameError{"repo", "must be a repository such as bartowski/Llama-3.2-3B-Instruct-GGUF"}
	}
	return nil
}

// CheckRevision says what is wrong with a revision; nil when it can be one.
func CheckRevision(revision string) error {
	if len(revision) > 200 || !revisionOK.MatchString(revision) || strings.Contains(revision, "..") {
		return &NameError{"revision", "must be a branch, a tag or a commit, such as main"}
	}
	return nil
}

// CheckPath says what is wrong with a file's path in a repository; nil when it can be one and leads nowhere else.
func CheckPath(file string) error {
	wrong := file == "" || len(file) > 500 || path.IsAbs(file) || path.Clean(file) != file || !filepath.IsLocal(file) || strings.ContainsAny(file, `\:`)
	for _, r := range file {
		wrong = wrong || r < ' ' || r == 0x7f || r == '\ufffd'
	}
	if wrong {
		return &NameError{"file", "must be the path of a file in the repository"}
	}
	return nil
}

// NameError says what a name must be. It does not repeat the name.
type NameError struct{ Field, Detail string }

// Error names the field.
func (e *NameError) Error() string { return e.Field + " " + e.Detail }
