package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxProbe is how much of an answer to a probe is read.
const maxProbe = 1 << 20

var (
	// errStranger says that what answers at a child's address is not that child.
	errStranger = errors.New("another program answers at its address")
	// errNameless says that it takes the child's key and does not tell the child's name.
	errNameless = fmt.Errorf("%w: it does not know the engine's name", errStranger)
	// errEmpty says that a child answered without what it is there for.
	errEmpty = errors.New("it answered, but with no token")
)

// prober opens a connection for each question: a child whose connections are all
// taken must not look dead, and no idle connection may outlive its child.
var prober = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// question asks the child once, with its key or without.
func (p *process) question(ctx context.Context, url, body string, keyed bool) (status int, answer []byte, err error) {
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if keyed {
		req.Header.Set("Authorization", "Bearer "+p.spec.APIKey)
	}
	res, err := prober.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, maxProbe))
	return res.StatusCode, answer, err
}

// known holds that the child answers at baseURL, and no other program: it refuses who brings no key – and is not
// given the key before – then takes it, and knows who it is. An errStranger is certain, another error is not.
func (p *process) known(ctx context.Context, baseURL string) error {
	url := baseURL + p.spec.Health
	if p.spec.APIKey != "" {
		status, _, err := p.question(ctx, url, "", false)
		if err != nil {
			return err
		}
		if status < 300 {
			return fmt.Errorf("%w: it asks for no key", errStranger)
		}
	}
	status, answer, err := p.question(ctx, url, "", true)
	switch {
	case err != nil:
		return err
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("%w: it does not take the engine's key", errStranger)
	case status != http.StatusOK:
		return fmt.Errorf("health: status %d", status)
	case !bytes.Contains(answer, []byte(p.spec.Identity)):
		return errNameless
	}
	return nil
}

// turning holds that the work on tokens goes on.
func (p *process) turning(ctx context.Context, baseURL string) error {
	path := p.spec.Turning
	if path == "" {
		path = p.spec.Health
	}
	status, _, err := p.question(ctx, baseURL+path, "", true)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d while it works", status)
	}
	return err
}

// token asks for one, if the child's engine says how.
func (p *process) token(ctx context.Context, baseURL string) error {
	q := p.spec.Token
	if q == nil {
		return nil
	}
	status, answer, err := p.question(ctx, baseURL+q.Path, q.Body, true)
	switch {
	case err != nil:
		return err
	case status != http.StatusOK:
		return fmt.Errorf("status %d instead of a token", status)
	case !q.Answered(answer):
		return errEmpty
	}
	return nil
}
