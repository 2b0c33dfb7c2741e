package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/socket"
)

// readBody takes the whole body of r, at most limit bytes, by deadline, when pace ends it.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, deadline time.Time, pace *pace) ([]byte, error) {
	if err := checkContentType(r); err != nil {
		return nil, err
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	pace.read(true)
	defer pace.read(false)

	body := make([]byte, 0, max(r.ContentLength, 512)+1)
	from := r.Body
	if r.ContentLength < 0 { // else it ends where it said
		from = http.MaxBytesReader(w, from, limit)
	}
	body, err := appendAll(body, from)
	if err == nil {
		r.Body.Close() // it has ended: the server need not look for more
		return body, nil
	}
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return nil, tooLarge(limit)
	}
	r.Body.Close() // now that it fails at once: else the server waits for the rest before it answers
	if time.Now().After(deadline) {
		return nil, problem.New(problem.Timeout, "The body did not arrive within the request's time limit.").Because(err)
	}
	return nil, problem.New(problem.Cancelled, "The client left before its body was complete.").Because(err)
}

func tooLarge(limit int64) error {
	return problem.Newf(problem.BodyTooLarge, "The body has more than %d MiB, the limit that server.max_body_mb sets.", limit>>20)
}

// longBody is how long a body is that takes more than a moment to look through: some hundred microseconds.
const longBody = 64 << 10

// appendAll is io.ReadAll into a buffer that has about the right size already.
func appendAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			if len(b) > longBody {
				socket.Wake()
			}
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

func checkContentType(r *http.Request) error {
	given := r.Header.Get("Content-Type")
	if given == "application/json" { // as nearly all say
		return nil
	}
	media, params, err := mime.ParseMediaType(given)
	charset := params["charset"]
	if err == nil && media == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8")) {
		return nil
	}
	if given == "" {
		return problem.New(problem.UnsupportedMedia, "The request has no Content-Type; send application/json.")
	}
	return problem.New(problem.UnsupportedMedia, "The Content-Type is not application/json in UTF-8.")
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(append(body, '\n')) // a client that has left needs no error
	return nil
}
