package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// wire is a connection for one request, put once or over and over. It is written and read in the goroutine that
// measures: what net/http's client does in others of its own would be in the figures.
type wire struct {
	net.Conn
	request []byte
	answers *bufio.Reader
	forget  func() bool // ctx
}

func dialPost(ctx context.Context, base, path, body string) (*wire, error) {
	at, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at.Host)
	if err != nil {
		return nil, err
	}
	return &wire{
		Conn:    conn,
		request: fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, at.Host, len(body), body),
		answers: bufio.NewReaderSize(conn, 2<<10),
		forget:  context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }),
	}, nil
}

func (w *wire) post() (*http.Response, error) {
	if _, err := w.Write(w.request); err != nil {
		return nil, err
	}
	return http.ReadResponse(w.answers, nil)
}

func (w *wire) close() {
	w.forget()
	w.Close()
}
