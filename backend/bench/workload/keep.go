package workload

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

const (
	keepPath = "/api/benchmarks"
	// keepTimeout bounds the sending of a results file, which may be large.
	keepTimeout = time.Minute
)

// Keeps finds out whether the server, which must be an mlxbar whose token is at hand, keeps results.
func (s Server) Keeps(ctx context.Context, client *http.Client) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var list struct{ Runs []json.RawMessage }
	return s.get(ctx, client, s.URL+keepPath+"?limit=1", s.Token, &list)
}

// Keep has the server keep a results file, and gives the id that it goes by there.
func (s Server) Keep(ctx context.Context, client *http.Client, raw []byte, label string) (id int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	res, err := s.send(ctx, client, http.MethodPost, s.URL+keepPath+"?"+url.Values{"label": {label}}.Encode(), s.Token, bytes.NewReader(raw))
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNobody, err)
	}
	var said struct {
		ID     int64
		Detail string
	}
	_ = json.Unmarshal(body, &said) // what is missing of it shows below
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case said.ID > 0 && (res.StatusCode == http.StatusOK || res.StatusCode == http.StatusCreated):
		return said.ID, nil
	case kind == "application/problem+json" && said.Detail != "":
		return 0, fmt.Errorf("%s (%d)", said.Detail, res.StatusCode)
	}
	return 0, fmt.Errorf("it answered with status %d", res.StatusCode)
}
