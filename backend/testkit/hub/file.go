package hub

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// nextFault takes the fault of one download.
func (s *Server) nextFault(file string) (f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if list := s.faults[file]; len(list) > 0 {
		f, s.faults[file] = list[0], list[1:]
	}
	return f
}

func (s *Server) resolve(w http.ResponseWriter, r *http.Request, repo, file string) {
	if !s.allowed(w, r, repo) {
		return
	}
	s.mu.Lock()
	held, there := s.repos[repo][file]
	small := s.small[repo+"/"+file]
	s.mu.Unlock()
	if !there {
		refuse(w, Fault{Status: 404, Code: "EntryNotFound"})
		return
	}
	f := s.nextFault(file)
	if f.Status != 0 {
		refuse(w, f)
		return
	}
	w.Header().Set("X-Repo-Commit", Commit)
	if small {
		w.Header().Set("ETag", `"small"`)
		s.send(w, r, held.content, f)
		return
	}
	said := held.contents
	if f.SayHash != "" {
		said = f.SayHash
	}
	w.Header().Set("X-Linked-Etag", `"`+said+`"`)
	w.Header().Set("X-Linked-Size", strconv.FormatInt(held.size, 10))
	w.Header().Set("ETag", `"`+said+`"`)
	to := f.Redirect
	if to == "" {
		id := s.keep(f)
		to = s.CDNURL + "/" + url.PathEscape(repo) + "?" + url.Values{"file": {file}, "fault": {id}, "Signature": {"canary-signature"}}.Encode()
	}
	http.Redirect(w, r, to, http.StatusFound)
}

// keep hands a fault on to the other host.
func (s *Server) keep(f Fault) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := "handed on " + strconv.Itoa(len(s.requests))
	s.faults[id] = []Fault{f}
	return id
}

func (s *Server) cdn(w http.ResponseWriter, r *http.Request) {
	s.note(r, true)
	repo, err := url.PathUnescape(r.URL.EscapedPath()[1:])
	s.mu.Lock()
	held, there := s.repos[repo][r.FormValue("file")]
	s.mu.Unlock()
	if err != nil || !there || r.FormValue("Signature") != "canary-signature" {
		http.Error(w, "forbidden", http.StatusForbidden)
		return
	}
	f := s.nextFault(r.FormValue("fault"))
	if f.CDNStatus != 0 {
		refuse(w, Fault{Status: f.CDNStatus})
		return
	}
	s.send(w, r, held.content, f)
}

// send sends a file, or the range of it that was asked for, with a fault.
func (s *Server) send(w http.ResponseWriter, r *http.Request, content []byte, f Fault) {
	if f.Wrong {
		content = bytes.Repeat([]byte{'x'}, len(content))
	}
	if f.NoRange {
		r.Header.Del("Range")
	}
	from := 0
	status := http.StatusOK
	if asked := r.Header.Get("Range"); asked != "" {
		if _, err := fmt.Sscanf(asked, "bytes=%d-", &from); err != nil || from >= len(content) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
		status = http.StatusPartialContent
	}
	rest := content[from:]
	w.Header().Set("Content-Length", strconv.Itoa(len(rest)))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.WriteHeader(status)
	s.write(w, r, rest, f)
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, rest []byte, f Fault) {
	const block = 1 << 10
	control := http.NewResponseController(w)
	if f.CutAfter != 0 {
		io.Copy(w, bytes.NewReader(rest[:min(max(f.CutAfter, 0), len(rest))]))
		control.Flush()
		panic(http.ErrAbortHandler)
	}
	if f.Pause == 0 && f.Hold == nil {
		w.Write(rest)
		return
	}
	for n := 0; len(rest) > 0; n++ {
		part := rest[:min(block, len(rest))]
		if _, err := w.Write(part); err != nil {
			return
		}
		rest = rest[len(part):]
		control.Flush()
		if f.Hold != nil && n == 0 {
			select {
			case <-f.Hold:
			case <-r.Context().Done():
				return
			}
		}
		select {
		case <-time.After(f.Pause):
		case <-r.Context().Done():
			return
		}
	}
}
