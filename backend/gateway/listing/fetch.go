package listing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/identity"
	"mlxbar/backend/settings"
)

const (
	maxPage   = 8 << 20 // of one answer, in bytes
	maxPages  = 50
	maxModels = 10000
	maxID     = 256
)

var errLocalOnly = errors.New("nothing may leave this machine (local_only)")

// fetch asks a provider for its list, page by page.
func (b *Book) fetch(ctx context.Context, p settings.Provider) (list []Model, err error) {
	key, err := b.Key(ctx, p)
	if err != nil {
		return nil, err
	}
	at, after := strings.TrimSuffix(p.BaseURL, "/")+"/models", ""
	for range maxPages {
		if !b.May(p) { // looked at before each page: the settings may have changed
			return nil, errLocalOnly
		}
		page := at
		if p.Kind == settings.KindAnthropic {
			page += "?limit=1000"
			if after != "" {
				page += "&after_id=" + url.QueryEscape(after)
			}
		}
		answer, err := b.get(ctx, p.Kind, page, key)
		if err != nil {
			return nil, err
		}
		models, ok := parse(answer)
		if !ok {
			return nil, errors.New("its answer is no list of models")
		}
		if list = append(list, models...); len(list) > maxModels {
			return nil, fmt.Errorf("it lists more than %d models", maxModels)
		}
		last := answer.Get("last_id").Str
		if p.Kind != settings.KindAnthropic || !answer.Get("has_more").Bool() || last == "" || last == after {
			return list, nil
		}
		after = last
	}
	return nil, fmt.Errorf("its list has more than %d pages", maxPages)
}

// get asks for one page. It follows no redirect, which could carry the key elsewhere.
func (b *Book) get(ctx context.Context, kind settings.ProviderKind, at, key string) (gjson.Result, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return gjson.Result{}, err
	}
	req.Header.Set("Accept", "application/json")
	identity.Write(req.Header, kind, key)
	resp, err := b.Send(req)
	if err != nil {
		return gjson.Result{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return gjson.Result{}, fmt.Errorf("it answered with status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	switch {
	case ctx.Err() != nil:
		return gjson.Result{}, ctx.Err()
	case err != nil: // which may quote what was sent
		return gjson.Result{}, errors.New("its answer broke off")
	case len(body) > maxPage:
		return gjson.Result{}, fmt.Errorf("its answer has more than %d MiB", maxPage>>20)
	case !gjson.ValidBytes(body):
		return gjson.Result{}, errors.New("its answer is not JSON")
	}
	return gjson.ParseBytes(body), nil
}

// parse reads a page: OpenAI's and Anthropic's, and the bare array that some servers send. Entries
// without a usable id are left out.
func parse(answer gjson.Result) (list []Model, ok bool) {
	data := answer.Get("data")
	if answer.IsArray() {
		data = answer
	}
	if !data.IsArray() {
		return nil, false
	}
	for _, m := range data.Array() {
		id := m.Get("id")
		if id.Type != gjson.String || !usable(id.Str) {
			continue
		}
		one := Model{ID: strings.Clone(id.Str), Created: max(m.Get("created").Int(), 0)}
		if title := m.Get("display_name").Str; usable(title) {
			one.Title = strings.Clone(title)
		}
		if at, err := time.Parse(time.RFC3339, m.Get("created_at").Str); err == nil {
			one.Created = max(at.Unix(), 0)
		}
		list = append(list, one)
	}
	return list, true
}

func usable(text string) bool {
	return text != "" && len(text) <= maxID && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
