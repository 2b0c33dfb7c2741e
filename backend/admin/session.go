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

	"mlxbar/backend/gateway/problem"
)

const (
	cookieName  = "mlxbar_session"
	sessionLife = 12 * time.Hour
	maxSessions = 64
)

// sessions are the browsers that gave the admin token. They hold hashes and live
// in memory: a restart logs everybody out.
type sessions struct {
	mu      sync.Mutex
	expires map[[sha256.Size]byte]time.Time
}

func newSessions() *sessions {
	return &sessions{expires: map[[sha256.Size]byte]time.Time{}}
}

func (s *sessions) open(now time.Time) string {
	id := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, at := range s.expires {
		if now.After(at) || len(s.expires) >= maxSessions {
			delete(s.expires, key)
		}
	}
	s.expires[sha256.Sum256([]byte(id))] = now.Add(sessionLife)
	return id
}

func (s *sessions) valid(id string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.expires[sha256.Sum256([]byte(id))]
	return ok && now.Before(at)
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.expires, sha256.Sum256([]byte(id)))
}

// openToAll marks an operation that needs no token.
const openToAll = "open"

// guard lets through whoever has the admin token or a session. A session is only
// ever used by the server's own pages: other origins are refused before this.
func (a *API) guard(ctx huma.Context, next func(huma.Context)) {
	if ctx.Operation().Metadata[openToAll] == true || a.authorized(ctx) {
		next(ctx)
		return
	}
	huma.WriteErr(a.huma, ctx, http.StatusUnauthorized, "unauthorized",
		problem.New(problem.Unauthorized, "Send the admin token, which run/admin.token in the data folder holds, as Authorization: Bearer."))
}

func (a *API) authorized(ctx huma.Context) bool {
	if header := ctx.Header("Authorization"); header != "" {
		token, ok := strings.CutPrefix(header, "Bearer ")
		return ok && a.isToken(token)
	}
	cookie, err := huma.ReadCookie(ctx, cookieName)
	return err == nil && a.sessions.valid(cookie.Value, time.Now())
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
		return &cookieOutput{sessionCookie(a.sessions.open(time.Now()), sessionLife)}, nil
	})
	logout := huma.Operation{OperationID: "deleteApiSession", Method: http.MethodDelete, Path: "/api/session", Summary: "Log a browser out", DefaultStatus: http.StatusNoContent}
	huma.Register(a.huma, logout, func(_ context.Context, in *logoutInput) (*cookieOutput, error) {
		a.sessions.end(in.Session)
		return &cookieOutput{sessionCookie("", -time.Second)}, nil
	})
}

func sessionCookie(id string, life time.Duration) http.Cookie {
	return http.Cookie{
		Name: cookieName, Value: id, Path: "/", MaxAge: int(life.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}
