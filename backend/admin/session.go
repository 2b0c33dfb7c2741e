package admin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/loopback"
)

const (
	cookieName  = "mlxbar_session"
	sessionLife = 12 * time.Hour
	linkLife    = 10 * time.Minute
	maxSecrets  = 64
)

// secrets are what this server has given out for a while: the sessions of browsers,
// or the codes of links. They are kept as hashes and in memory only, so a restart
// ends them all.
type secrets struct {
	life time.Duration

	mu      sync.Mutex
	expires map[[sha256.Size]byte]time.Time
}

func newSecrets(life time.Duration) *secrets {
	return &secrets{life: life, expires: map[[sha256.Size]byte]time.Time{}}
}

func (s *secrets) make(now time.Time) string {
	secret := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, at := range s.expires {
		if now.After(at) || len(s.expires) >= maxSecrets {
			delete(s.expires, key)
		}
	}
	s.expires[sha256.Sum256([]byte(secret))] = now.Add(s.life)
	return secret
}

func (s *secrets) valid(secret string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.expires[sha256.Sum256([]byte(secret))]
	return ok && now.Before(at)
}

// end makes secret void and says whether it was valid until then.
func (s *secrets) end(secret string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(secret))
	at, ok := s.expires[key]
	delete(s.expires, key)
	return ok && now.Before(at)
}

// openToAll marks an operation that needs no token.
const openToAll = "open"

// guard lets through whoever has the admin token or a session. A session is only
// ever used by the server's own pages: other origins are refused before this.
func (a *API) guard(ctx huma.Context, next func(huma.Context)) {
	open := ctx.Operation().Metadata[openToAll] == true
	if r, _ := humago.Unwrap(ctx); open && !loopback.Caller(r) {
		huma.WriteErr(a.huma, ctx, http.StatusUnauthorized, "unauthorized", problem.New(problem.Unauthorized,
			"From another machine a browser logs in by a link, so that the token does not cross the network; mlxbar link prints one on the server's machine."))
		return
	}
	if open || a.authorized(ctx) {
		next(ctx)
		return
	}
	huma.WriteErr(a.huma, ctx, http.StatusUnauthorized, "unauthorized",
		problem.New(problem.Unauthorized, "Send the admin token, which run/admin.token in the data folder holds, as Authorization: Bearer."))
}

func (a *API) authorized(ctx huma.Context) bool {
	r, _ := humago.Unwrap(ctx)
	return a.Authorized(r)
}

// Authorized says whether r has the admin token or a session: whether it comes from the owner's own
// pages or programs.
func (a *API) Authorized(r *http.Request) bool {
	if header := r.Header.Get("Authorization"); header != "" {
		token, ok := strings.CutPrefix(header, "Bearer ")
		return ok && a.isToken(token)
	}
	cookie, err := r.Cookie(cookieName)
	return err == nil && a.sessions.valid(cookie.Value, time.Now())
}

// FromHere serves h to whoever asks from this machine, and to others with the admin token or a session.
func (a *API) FromHere(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !loopback.Caller(r) && !a.Authorized(r) {
			problem.Write(w, r, problem.Newf(problem.Unauthorized, "From another machine %s needs the admin token, as Authorization: Bearer.", r.URL.Path))
			return
		}
		h(w, r)
	}
}

// isToken compares hashes, so that neither content nor length shows in the time.
func (a *API) isToken(given string) bool {
	want, got := sha256.Sum256([]byte(a.Token)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

type loginInput struct {
	Body struct {
		Token string `json:"token" doc:"The token in run/admin.token of the data folder."`
	}
}

type cookieOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

type linkOutput struct {
	Body struct {
		URL string `json:"url" example:"http://127.0.0.1:10242/login?code=ABC"`
	}
}

const (
	loginPath = "/login"
	// expired is where a link leads that no longer logs in: the login page says why.
	expired = "/#login=expired"
)

// LoginLink is the address that logs a browser in once.
func (a *API) LoginLink() string {
	return a.Status().URL + loginPath + "?code=" + a.links.make(time.Now())
}

// enter follows a login link. The code is void once it was used, so that it is worth nothing
// in a history; the pages that come after it are not told of it. What only looks where a link
// leads, with HEAD, does not use it up.
func (a *API) enter(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	code, now, to := r.URL.Query().Get("code"), time.Now(), expired
	switch {
	case r.Method == http.MethodHead:
		if a.links.valid(code, now) {
			to = "/"
		}
	case a.links.end(code, now):
		cookie := sessionCookie(a.sessions.make(now), sessionLife)
		http.SetCookie(w, &cookie)
		to = "/"
	}
	h.Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

type logoutInput struct {
	Session string `cookie:"mlxbar_session"`
}

func (a *API) registerSession() {
	login := post("/api/session", "Log a browser in", http.StatusNoContent)
	login.Metadata = map[string]any{openToAll: true}
	login.Security = []map[string][]string{}
	huma.Register(a.huma, login, func(_ context.Context, in *loginInput) (*cookieOutput, error) {
		if !a.isToken(strings.TrimSpace(in.Body.Token)) {
			return nil, problem.New(problem.Unauthorized, "This is not the admin token; run/admin.token in the data folder holds it.")
		}
		return &cookieOutput{sessionCookie(a.sessions.make(time.Now()), sessionLife)}, nil
	})
	huma.Register(a.huma, post("/api/session/link", "Make a link that logs a browser in once, within ten minutes", http.StatusCreated),
		func(context.Context, *struct{}) (*linkOutput, error) {
			out := &linkOutput{}
			out.Body.URL = a.LoginLink()
			return out, nil
		})
	logout := huma.Operation{OperationID: "deleteApiSession", Method: http.MethodDelete, Path: "/api/session", Summary: "Log a browser out", DefaultStatus: http.StatusNoContent}
	huma.Register(a.huma, logout, func(_ context.Context, in *logoutInput) (*cookieOutput, error) {
		a.sessions.end(in.Session, time.Now())
		return &cookieOutput{sessionCookie("", -time.Second)}, nil
	})
}

func sessionCookie(id string, life time.Duration) http.Cookie {
	return http.Cookie{
		Name: cookieName, Value: id, Path: "/", MaxAge: int(life.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}
