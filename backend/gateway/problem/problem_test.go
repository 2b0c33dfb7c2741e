package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestEveryKindHasAWholeRow(t *testing.T) {
	titles := map[string]Kind{}
	for kind, r := range table {
		if r.status < 400 || r.status > 599 || r.title == "" || r.openAIType == "" || r.openAICode == "" || r.help == "" {
			t.Errorf("%s: %+v is not whole", kind, r)
		}
		if other, twice := titles[r.title]; twice {
			t.Errorf("%s and %s share the title %q", kind, other, r.title)
		}
		titles[r.title] = kind
	}
	if got := Kind("made-up").Status(); got != 500 {
		t.Errorf("an unknown kind has status %d, want 500", got)
	}
}

func TestFrom(t *testing.T) {
	own := New(RateLimited, "slow down")
	for name, c := range map[string]struct {
		err  error
		want Kind
	}{
		"our own":          {own, RateLimited},
		"our own, wrapped": {fmt.Errorf("while asking: %w", own), RateLimited},
		"a deadline":       {context.DeadlineExceeded, Timeout},
		"a cancellation":   {fmt.Errorf("x: %w", context.Canceled), Cancelled},
		"anything else":    {errors.New("disk on fire"), Internal},
	} {
		e := From(c.err)
		if e.Kind != c.want {
			t.Errorf("%s: %s, want %s", name, e.Kind, c.want)
		}
		if strings.Contains(e.Detail, "disk on fire") {
			t.Errorf("%s: the cause is in the detail %q", name, e.Detail)
		}
		if !errors.Is(e, c.err) && !errors.Is(c.err, e) {
			t.Errorf("%s: the cause is lost", name)
		}
	}
}

func TestHeadersOfAnError(t *testing.T) {
	e := New(RateLimited, "x")
	e.RetryAfter = 1500 * time.Millisecond
	w := httptest.NewRecorder()
	Write(w, httptest.NewRequest("POST", "/v1/x", nil), e)
	if got := w.Header().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q, want whole seconds, rounded up", got)
	}
	w = httptest.NewRecorder()
	Write(w, httptest.NewRequest("GET", "/x", nil), New(Unauthorized, "x"))
	if w.Header().Get("WWW-Authenticate") == "" {
		t.Error("a 401 without WWW-Authenticate")
	}
	w = httptest.NewRecorder()
	Write(w, httptest.NewRequest("HEAD", "/x", nil), New(NotFound, "x"))
	if w.Body.Len() != 0 || w.Code != 404 {
		t.Errorf("HEAD was answered with %d and %d bytes", w.Code, w.Body.Len())
	}
}

func TestAValueThatHasNoJSONIsStillAnError(t *testing.T) {
	w := httptest.NewRecorder()
	Write(w, httptest.NewRequest("GET", "/x", nil), Invalid(Field{Detail: "x", Location: "y", Value: func() {}}))
	var d Document
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || d.Status != 500 || w.Code != 500 {
		t.Errorf("%d %s, %v", w.Code, w.Body, err)
	}
}
