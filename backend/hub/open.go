package hub

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Open reads a file of a repository from an offset on. start is where the reader really begins: the offset, or 0 when
// the server gives files only as a whole. What it reads is not verified but held against what the Hub says of it.
func (c *Client) Open(ctx context.Context, repo, commit string, f File, offset int64) (body io.ReadCloser, start int64, err error) {
	header := http.Header{"Accept-Encoding": {"identity"}}
	if offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := c.send(ctx, "/"+repo+"/resolve/"+commit+"/"+escape(f.Path), "", header)
	if err != nil {
		return nil, 0, err
	}
	start, err = c.check(resp, c.said(resp), commit, f, offset)
	if err != nil {
		resp.Body.Close()
		return nil, 0, err
	}
	return &reader{resp.Body, c.base.Host}, start, nil
}

// said is what the Hub itself says of a file: on its own answer, or on the redirect that leads elsewhere.
func (c *Client) said(resp *http.Response) http.Header {
	for r := resp; r != nil; r = r.Request.Response {
		if c.own(r.Request.URL) && r.Header.Get("X-Repo-Commit") != "" {
			return r.Header
		}
	}
	return http.Header{}
}

// check finds whether an answer is of the file that was asked for.
func (c *Client) check(resp *http.Response, said http.Header, commit string, f File, offset int64) (start int64, err error) {
	changed := func(what string) error {
		return &Error{Kind: Changed, Host: c.base.Host, Cause: fmt.Errorf("%s differs", what)}
	}
	if got := said.Get("X-Repo-Commit"); got != "" && got != commit {
		return 0, changed("the commit")
	}
	if got := etag(said.Get("X-Linked-Etag")); got != "" && f.SHA256 != "" && got != f.SHA256 {
		return 0, changed("the hash")
	}
	if got := said.Get("X-Linked-Size"); got != "" && got != strconv.FormatInt(f.Size, 10) {
		return 0, changed("the size")
	}
	total := resp.ContentLength
	if resp.StatusCode == http.StatusPartialContent {
		var end int64
		if n, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &start, &end, &total); n != 3 || err != nil || start != offset {
			return 0, &Error{Kind: Malformed, Host: c.base.Host, Cause: fmt.Errorf("it sent another part of the file than was asked for")}
		}
	}
	if total >= 0 && total != f.Size {
		return 0, changed("the size")
	}
	return start, nil
}

// etag takes the quotes off.
func etag(value string) string { return strings.Trim(strings.TrimPrefix(value, "W/"), `"`) }

func escape(file string) string {
	parts := strings.Split(file, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// reader has the errors of a body tell no address.
type reader struct {
	io.ReadCloser
	host string
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &Error{Kind: Unreachable, Host: r.host, Cause: bare(err)}
	}
	return n, err
}
