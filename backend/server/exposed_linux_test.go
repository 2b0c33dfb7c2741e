package server_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/testkit"
)

// Elsewhere the same port of every address can be had beside another program's of one.
func TestWhenEveryAddressCannotBeHadTheOldOneIsTakenBack(t *testing.T) {
	h := newMovable(t, testkit.NewUpstream(t).URL)
	h.start()
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(h.url, "http://"))
	other, err := net.Listen("tcp6", net.JoinHostPort("::1", port))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	d := h.problem(h.request("PATCH", "/api/settings", fmt.Sprintf(`{"server": {"addr": "[::]:%s"}}`, port)), problem.InvalidRequest)
	if len(d.Errors) != 1 || d.Errors[0].Location != "server.addr" || !strings.Contains(d.Errors[0].Detail, "is taken by") {
		t.Errorf("the faults are %+v", d.Errors)
	}
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: testkit.Patience}
	resp, err := fresh.Get(h.url + "/healthz")
	if err != nil {
		t.Fatalf("the old address is gone: %v", err)
	}
	resp.Body.Close()
	if s := h.status(); s.Exposed || s.URL != h.url || h.recordedURL() != h.url {
		t.Errorf("the status is %+v", s)
	}
}
