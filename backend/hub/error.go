package hub

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// A Kind is one way in which the Hub does not give what was asked for.
type Kind string

// The kinds of failure.
const (
	NotFound     Kind = "not-found"     // no such repository, revision or file, or none that the token may see
	Unauthorized Kind = "unauthorized"  // the token is missing or wrong
	Gated        Kind = "gated"         // the person has to accept the model's terms at the Hub first
	Forbidden    Kind = "forbidden"     // refused for another reason
	RateLimited  Kind = "rate-limited"  // too many requests; RetryAfter says when again
	Failed       Kind = "failed"        // an error of the server's own
	Unreachable  Kind = "unreachable"   // no connection, or a cut one
	Malformed    Kind = "malformed"     // something that is not of the Hub's protocol
	Changed      Kind = "changed"       // the file is another than the one that was asked for
	OutOfRange   Kind = "out-of-range"  // the file has no such place
	Unencrypted  Kind = "not-encrypted" // a token would travel in clear text
)

// ErrLocalOnly says why the Hub is not asked: what a person looks for there and takes from there leaves this machine as a
// question does, though no prompt goes with it.
var ErrLocalOnly = errors.New("nothing may leave this machine (local_only), not even the names of models to fetch; turn it off in Settings for as long as that takes")

// Error is what the Hub, or the way there, had against a request. Its text holds no address and no token, and nothing
// that the server wrote.
type Error struct {
	Kind       Kind
	Host       string
	Status     int
	RetryAfter time.Duration
	// SentToken says whether the request had a token; NoToken why it had none although there may be one.
	SentToken bool
	NoToken   error
	Cause     error
}

// Error is a sentence for a person.
func (e *Error) Error() string {
	text := e.words()
	if e.NoToken != nil && (e.Kind == NotFound || e.Kind == Unauthorized || e.Kind == Gated || e.Kind == Forbidden) {
		text += fmt.Sprintf(" No token was sent: %v.", e.NoToken)
	}
	if e.Cause != nil {
		text += fmt.Sprintf(" (%v)", e.Cause)
	}
	return text
}

func (e *Error) words() string {
	switch e.Kind {
	case NotFound:
		if e.SentToken {
			return e.Host + " has no such repository, revision or file, or does not show it to this token."
		}
		return e.Host + " has no such repository, revision or file, or shows it only with a token (HF_TOKEN)."
	case Unauthorized:
		if e.SentToken {
			return e.Host + " does not take the token in HF_TOKEN or the keychain."
		}
		return e.Host + " wants a token for this, or has no such repository: set HF_TOKEN, or run mlxbar models login."
	case Gated:
		if e.SentToken {
			return "The model's makers let in who has accepted their terms: do so on the model's page at " + e.Host + ", with the account of the token."
		}
		return "The model's makers let in who has accepted their terms: do so on the model's page at " + e.Host + ", then set HF_TOKEN or run mlxbar models login."
	case Forbidden:
		return e.Host + " refuses this to the token, or to everyone."
	case RateLimited:
		return e.Host + " limits requests; try again later."
	case Failed:
		return fmt.Sprintf("%s answered with an error of its own (%d).", e.Host, e.Status)
	case Unreachable:
		return e.Host + " cannot be reached, or the connection broke."
	case Malformed:
		return e.Host + " answered with something that is not of the Hub's protocol."
	case Changed:
		return "The file at " + e.Host + " is no longer the one that was chosen; begin anew."
	case OutOfRange:
		return "The file at " + e.Host + " is shorter than what is here of it."
	case Unencrypted:
		return EndpointVariable + " is not https, so the token would travel in clear text to " + e.Host + "; use https, or unset the token."
	}
	return string(e.Kind)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Passing says whether the same request may well succeed later.
func (e *Error) Passing() bool {
	return e.Kind == RateLimited || e.Kind == Failed || e.Kind == Unreachable
}

// refusal reads an answer that is no success. The Hub says in X-Error-Code what it means.
func refusal(resp *http.Response, sent bool, noToken error) *Error {
	e := &Error{Status: resp.StatusCode, SentToken: sent, NoToken: noToken}
	switch code := resp.Header.Get("X-Error-Code"); {
	case code == "GatedRepo":
		e.Kind = Gated
	case code == "RepoNotFound" && resp.StatusCode == http.StatusUnauthorized:
		e.Kind = Unauthorized // it says so of what it does not show to everyone, too
	case code == "RepoNotFound", code == "EntryNotFound", code == "RevisionNotFound", resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusGone:
		e.Kind = NotFound
	case resp.StatusCode == http.StatusUnauthorized:
		e.Kind = Unauthorized
	case resp.StatusCode == http.StatusForbidden:
		e.Kind = Forbidden
	case resp.StatusCode == http.StatusTooManyRequests:
		e.Kind, e.RetryAfter = RateLimited, retryAfter(resp.Header.Get("Retry-After"), time.Now())
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		e.Kind = OutOfRange
	case resp.StatusCode == http.StatusRequestTimeout, resp.StatusCode >= 500:
		e.Kind, e.RetryAfter = Failed, retryAfter(resp.Header.Get("Retry-After"), time.Now())
	default:
		e.Kind = Malformed
	}
	return e
}

// maxRetryAfter bounds what a server may ask for.
const maxRetryAfter = time.Hour

// retryAfter reads seconds or a date; 0 when there is neither.
func retryAfter(value string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if n, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(n, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
