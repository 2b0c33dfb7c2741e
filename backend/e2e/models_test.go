package e2e

import (
	"errors"
	"slices"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"

	"mlxbar/backend/settings"
)

// listing leads slow-* to a provider that speaks Anthropic's protocol and cut* to one that speaks OpenAI's, which both list
// the upstream's scripts.
func listing(s *settings.Settings) {
	s.Providers = append(s.Providers, settings.Provider{Name: "claude", Kind: settings.KindAnthropic, BaseURL: s.Providers[0].BaseURL, APIKeyEnv: "FAR_KEY"})
	s.Routes = []settings.Route{
		{Model: "gpt-4o-mini", Targets: []settings.Target{{Provider: settings.LocalProvider, Model: local}}},
		{Model: "slow-*", Targets: []settings.Target{{Provider: "claude"}}},
		{Model: "cut*", Targets: []settings.Target{{Provider: "far"}}},
	}
}

var listed = []string{"cut", "cut-clean", "cut-headers", "gpt-4o-mini", "slow-content", "slow-first", "slow-headers", "slow-idle", local}

// Both official Go clients see the same models, each in its own protocol.
func TestTheOfficialGoClientsListModels(t *testing.T) {
	h := newHouse(t, listing)

	o := h.openAI(question{})
	page, err := o.Models.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	owners := map[string]string{}
	for _, m := range page.Data {
		names = append(names, m.ID)
		owners[m.ID] = m.OwnedBy
	}
	if !slices.Equal(names, listed) || owners["cut"] != "far" || owners["slow-idle"] != "claude" || owners["gpt-4o-mini"] != "local" || owners[local] != "mlxbar" {
		t.Errorf("openai-go lists %q of %v", names, owners)
	}
	for _, name := range listed {
		if m, err := o.Models.Get(t.Context(), name); err != nil || m.ID != name {
			t.Errorf("openai-go gets %s: %+v, %v", name, m, err)
		}
	}
	_, err = o.Models.Get(t.Context(), "no-such-model")
	var failure *openai.Error
	if !errors.As(err, &failure) || failure.StatusCode != 404 || failure.Code != "model_not_found" {
		t.Errorf("openai-go, one that is not there: %v", err)
	}
	h.listsForAnthropic(t)
}

func (h *house) listsForAnthropic(t *testing.T) {
	t.Helper()
	a := anthropic.NewClient(anthropicoption.WithBaseURL(h.url), anthropicoption.WithAPIKey(h.secrets.clientKey), anthropicoption.WithMaxRetries(0))
	for _, params := range []anthropic.ModelListParams{{}, {Limit: anthropic.Int(2)}} {
		var names []string
		all := a.Models.ListAutoPaging(t.Context(), params)
		for all.Next() {
			names = append(names, all.Current().ID)
		}
		if all.Err() != nil || !slices.Equal(names, listed) {
			t.Errorf("anthropic-sdk-go lists %q, %v", names, all.Err())
		}
	}
	m, err := a.Models.Get(t.Context(), "slow-idle", anthropic.ModelGetParams{})
	if err != nil || m.ID != "slow-idle" || m.DisplayName != "Upstream's slow-idle" || m.CreatedAt.Unix() != 1767225600 {
		t.Errorf("anthropic-sdk-go gets %+v, %v", m, err)
	}
	_, err = a.Models.Get(t.Context(), "no-such-model", anthropic.ModelGetParams{})
	var failure *anthropic.Error
	if !errors.As(err, &failure) || failure.StatusCode != 404 {
		t.Errorf("anthropic-sdk-go, one that is not there: %v", err)
	}
}
