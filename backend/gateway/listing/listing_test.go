package listing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"go.uber.org/goleak"

	"mlxbar/backend/settings"
	"mlxbar/backend/testkit"
	"mlxbar/backend/testkit/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a Book with a clock of its own.
type rig struct {
	*Book
	t     *testing.T
	log   *testkit.Output
	ahead atomic.Int64 // of the clock
	may   atomic.Bool
	key   atomic.Value
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, log: &testkit.Output{}}
	r.may.Store(true)
	r.key.Store("sk-far")
	transport := &http.Transport{}
	r.Book = New(Config{
		May:  func(settings.Provider) bool { return r.may.Load() },
		Key:  func(context.Context, settings.Provider) (string, error) { return r.key.Load().(string), nil },
		Send: transport.RoundTrip,
		Log:  slog.New(slog.NewTextHandler(r.log, nil)),
	})
	start := time.Now()
	r.now = func() time.Time { return start.Add(time.Duration(r.ahead.Load())) }
	t.Cleanup(func() { r.Close(); transport.CloseIdleConnections() })
	return r
}

func (r *rig) pass(d time.Duration) { r.ahead.Add(int64(d)) }

func at(s *upstream.Server, kind settings.ProviderKind) settings.Provider {
	return settings.Provider{Name: "far", Kind: kind, BaseURL: s.URL}
}

// names are those that the Book knows of p now.
func (r *rig) names(p settings.Provider) (names []string) {
	for _, m := range r.Models(r.t.Context(), []settings.Provider{p})[p] {
		names = append(names, m.ID)
	}
	return names
}

// eventually asks until the Book knows want, which is what comes of asking in the background.
func (r *rig) eventually(p settings.Provider, want ...string) {
	r.t.Helper()
	deadline := time.Now().Add(testkit.Patience)
	for !slices.Equal(r.names(p), want) {
		if time.Now().After(deadline) {
			r.t.Fatalf("the Book knows %q, want %q; it said %s", r.names(p), want, r.log)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestTheListOfEachKindOfProvider(t *testing.T) {
	for _, kind := range []settings.ProviderKind{settings.KindOpenAI, settings.KindAnthropic} {
		t.Run(string(kind), func(t *testing.T) {
			far := testkit.NewUpstream(t, upstream.Models("a", "b", "c", "d", "e"), upstream.Page(2), upstream.Key("sk-far"))
			r := newRig(t)
			p := at(far, kind)
			r.eventually(p, "a", "b", "c", "d", "e")
			one := r.Models(t.Context(), []settings.Provider{p})[p][0]
			if one.Created != 1767225600 || (one.Title != "") != (kind == settings.KindAnthropic) {
				t.Errorf("%+v", one)
			}
			pages := 1
			if kind == settings.KindAnthropic {
				pages = 3
			}
			if n := len(far.Requests()); n != pages {
				t.Errorf("the provider was asked %d times, want %d", n, pages)
			}
		})
	}
}

func TestAListIsAskedForOnceUntilItIsOld(t *testing.T) {
	far := testkit.NewUpstream(t, upstream.Models("a"))
	r := newRig(t)
	p := at(far, settings.KindOpenAI)
	done := make(chan []string, 20)
	for range cap(done) {
		go func() { done <- r.names(p) }()
	}
	for range cap(done) {
		if got := testkit.Receive(t, done); !slices.Equal(got, []string{"a"}) {
			t.Errorf("one of many at once was told %q", got)
		}
	}
	r.pass(goodFor - time.Second)
	r.names(p)
	if n := len(far.Requests()); n != 1 {
		t.Errorf("the provider was asked %d times, want 1", n)
	}
	r.pass(time.Second)
	for len(far.Requests()) < 2 { // in the background; the test's own time ends this
		if got := r.names(p); !slices.Equal(got, []string{"a"}) {
			t.Fatalf("while it is asked anew the Book knows %q", got)
		}
	}
}

func TestOneThatIsDownLeavesItsListAndIsToldOfOnce(t *testing.T) {
	far := testkit.NewUpstream(t, upstream.Models("a"))
	r := newRig(t)
	p := at(far, settings.KindOpenAI)
	r.eventually(p, "a")
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.pass(goodFor)
		r.names(p)
		r.settle()
	}
	if got := r.names(p); !slices.Equal(got, []string{"a"}) {
		t.Errorf("of a provider that is down the Book knows %q", got)
	}
	if n := strings.Count(r.log.String(), "could not be listed"); n != 1 {
		t.Errorf("the log says so %d times: %s", n, r.log)
	}
	again := testkit.NewUpstream(t, upstream.Addr(strings.TrimSuffix(strings.TrimPrefix(far.URL, "http://"), "/v1")), upstream.Models("a", "b"))
	defer again.Close()
	r.pass(badFor)
	r.eventually(p, "a", "b")
	if !strings.Contains(r.log.String(), "lists its models again") {
		t.Errorf("the log does not say that it is back: %s", r.log)
	}
}

// settle waits until nobody asks.
func (r *rig) settle() {
	r.t.Helper()
	deadline := time.Now().Add(testkit.Patience)
	for {
		r.mu.Lock()
		busy := false
		for _, e := range r.entries {
			busy = busy || e.flight != nil
		}
		r.mu.Unlock()
		if !busy {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatal("somebody still asks")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestOneThatHangsHoldsNobodyForLong(t *testing.T) {
	far := testkit.NewUpstream(t, upstream.Models("a"), upstream.ListDelay(time.Minute))
	r := newRig(t)
	p := at(far, settings.KindOpenAI)
	ctx, leave := context.WithCancel(t.Context())
	leave() // a client that has left, so that the test does not wait for the bound itself
	if got := r.Models(ctx, []settings.Provider{p})[p]; got != nil {
		t.Errorf("the Book knows %v", got)
	}
	r.Close() // ends the one that hangs; goleak and the test's time hold it to that
	if got := r.Models(ctx, []settings.Provider{p})[p]; got != nil {
		t.Errorf("a closed Book knows %v", got)
	}
}

func TestAChangeBeginsAnew(t *testing.T) {
	far, other := testkit.NewUpstream(t, upstream.Models("a")), testkit.NewUpstream(t, upstream.Models("b"), upstream.Key("sk-new"))
	r := newRig(t)
	r.eventually(at(far, settings.KindOpenAI), "a")
	moved := at(other, settings.KindOpenAI)
	if got := r.names(moved); got != nil {
		t.Errorf("with a wrong key the Book knows %q", got)
	}
	r.key.Store("sk-new")
	r.Forget()
	r.eventually(moved, "b")
	if strings.Contains(r.log.String(), "sk-") {
		t.Errorf("the log has a key: %s", r.log)
	}
}

func TestWhoMayNotBeAskedIsNotAsked(t *testing.T) {
	far := testkit.NewUpstream(t, upstream.Models("a"))
	r := newRig(t)
	r.may.Store(false)
	if got := r.names(at(far, settings.KindOpenAI)); got != nil || len(far.Requests()) != 0 {
		t.Errorf("the Book knows %q, and %d requests left", got, len(far.Requests()))
	}
}

// Whatever a provider answers, it is a list or it is a failure, and nothing of it is in the log.
func TestAnswersThatAreNoList(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   string // the cause, "" for none
		models int
	}{
		"an empty list":    {200, `{"object":"list","data":[]}`, "", 0},
		"a bare array":     {200, `[{"id":"a","object":"model"},{"id":"b"}]`, "", 2},
		"entries in doubt": {200, `{"data":[{"id":7},{"id":""},{"id":"a\nb"},null,{"id":"` + strings.Repeat("x", 300) + `"},{"id":"a","created":-5}]}`, "", 1},
		"a web page":       {200, `<html>secret</html>`, "not JSON", 0},
		"nothing":          {200, ``, "not JSON", 0},
		"another object":   {200, `{"secret":1}`, "no list of models", 0},
		"a refusal":        {401, `{"error":{"message":"secret"}}`, "status 401", 0},
		"a redirect":       {307, ``, "status 307", 0},
		"too many":         {200, `{"data":[` + strings.Repeat(`{"id":"a"},`, maxModels) + `{"id":"a"}]}`, "more than 10000", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.Send = func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: c.status, Body: io.NopCloser(strings.NewReader(c.body))}, nil
			}
			p := settings.Provider{Name: "odd", Kind: settings.KindOpenAI, BaseURL: "http://odd.example/v1"}
			if got := r.names(p); len(got) != c.models {
				t.Errorf("%d models: %q", len(got), got)
			}
			if said := r.log.String(); !strings.Contains(said, c.want) || c.want == "" && said != "" || strings.Contains(said, "secret") {
				t.Errorf("the log says %q, want %q", said, c.want)
			}
		})
	}
}

// A provider whose pages never end is not followed for ever.
func TestPagesWithoutEnd(t *testing.T) {
	r := newRig(t)
	var n atomic.Int64
	r.Send = func(*http.Request) (*http.Response, error) {
		id := n.Add(1)
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(fmt.Sprintf(`{"data":[{"id":"m%d"}],"has_more":true,"last_id":"m%d"}`, id, id)))}, nil
	}
	p := settings.Provider{Name: "odd", Kind: settings.KindAnthropic, BaseURL: "http://odd.example/v1"}
	if got := r.names(p); got != nil || n.Load() != maxPages {
		t.Errorf("%d pages were fetched, and the Book knows %q", n.Load(), got)
	}
	if !strings.Contains(r.log.String(), "pages") {
		t.Errorf("the log says %s", r.log)
	}
}

func TestAnErrorOnTheWayIsAFailure(t *testing.T) {
	r := newRig(t)
	r.Send = func(*http.Request) (*http.Response, error) { return nil, errors.New("nobody there") }
	p := settings.Provider{Name: "odd", Kind: settings.KindOpenAI, BaseURL: "http://odd.example/v1"}
	if got := r.names(p); got != nil || !strings.Contains(r.log.String(), "nobody there") {
		t.Errorf("%q, %s", got, r.log)
	}
}

func TestParseKeepsNothingOfTheBody(t *testing.T) {
	body := []byte(`{"data":[{"id":"abc","display_name":"Abc"}]}`)
	list, _ := parse(gjson.ParseBytes(body))
	for i := range body {
		body[i] = '!'
	}
	if list[0] != (Model{ID: "abc", Title: "Abc"}) {
		t.Errorf("%+v", list[0])
	}
}
