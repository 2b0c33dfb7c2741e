package admin

import (
	"context"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/loopback"
	"mlxbar/backend/nearby"
	"mlxbar/backend/settings"
)

// NearbyServer is another program that serves models on this machine and that no provider of the settings leads to.
type NearbyServer struct {
	Name    string `json:"name" example:"Ollama"`
	Kind    string `json:"kind" enum:"openai" doc:"The protocol that it speaks, as a provider's kind."`
	BaseURL string `json:"base_url" example:"http://127.0.0.1:11434/v1"`
	Models  int    `json:"models" doc:"How many models it has."`
}

type nearbyOutput struct {
	Body struct {
		Servers []NearbyServer `json:"servers" nullable:"false"`
	}
}

func (a *API) registerNearby() {
	look := get("/api/providers/nearby", "Other programs that serve models on this machine")
	look.Description = "Ollama and LM Studio are looked for at the ports that they usually have, now and only when this is asked. Those that a provider leads to already are left out. Nothing is added to the settings."
	huma.Register(a.huma, look, func(ctx context.Context, _ *struct{}) (*nearbyOutput, error) {
		out := &nearbyOutput{}
		out.Body.Servers = []NearbyServer{}
		current := a.Settings.Current()
		for _, s := range nearby.Look(ctx, a.Neighbours) {
			if !leadsTo(current.Providers, s.BaseURL) {
				out.Body.Servers = append(out.Body.Servers, NearbyServer{s.Name, string(settings.KindOpenAI), s.BaseURL, s.Models})
			}
		}
		return out, nil
	})
}

// leadsTo says whether one of providers is at the port of an address of this machine, however it writes that.
func leadsTo(providers []settings.Provider, address string) bool {
	at, err := url.Parse(address)
	if err != nil {
		return false
	}
	for _, p := range providers {
		if u, err := url.Parse(p.BaseURL); err == nil && u.Port() == at.Port() && loopback.Host(u.Hostname()) {
			return true
		}
	}
	return false
}
