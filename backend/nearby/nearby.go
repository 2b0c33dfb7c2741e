// Package nearby notices other programs that serve models on this machine, at the addresses
// that they usually have.
package nearby

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	patience = time.Second
	most     = 4 << 20 // of an answer
)

// Program is one that is looked for, by a question that it alone answers so.
type Program struct {
	Name    string // as its makers write it
	Address string // of this machine, with the port that is usually its
	path    string
	list    string // the member of the answer that lists its models
}

// Ollama and LMStudio are such programs; both speak OpenAI's protocol below /v1.
func Ollama(address string) Program { return Program{"Ollama", address, "/api/tags", "models"} }

// LMStudio is told from other servers by its own API.
func LMStudio(address string) Program { return Program{"LM Studio", address, "/api/v0/models", "data"} }

// Usual are the programs, where they usually are.
var Usual = []Program{Ollama("127.0.0.1:11434"), LMStudio("127.0.0.1:1234")}

// Server is a program that answered.
type Server struct {
	Name    string
	BaseURL string
	Models  int // that it has
}

// client takes no proxy and follows nothing: what is asked stays on this machine.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       patience,
}

// Look asks all of programs at once, and gives those that run, in their order.
func Look(ctx context.Context, programs []Program) []Server {
	found := make([]*Server, len(programs))
	var asks sync.WaitGroup
	for i, p := range programs {
		asks.Go(func() {
			if models, err := p.ask(ctx); err == nil { // that it does not run is no error
				found[i] = &Server{Name: p.Name, BaseURL: "http://" + p.Address + "/v1", Models: models}
			}
		})
	}
	asks.Wait()
	running := []Server{}
	for _, s := range found {
		if s != nil {
			running = append(running, *s)
		}
	}
	return running
}

func (p Program) ask(ctx context.Context) (models int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Address+p.path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return 0, err
	}
	var answer map[string]json.RawMessage
	var list []struct{}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(raw, &answer) != nil || answer[p.list] == nil || json.Unmarshal(answer[p.list], &list) != nil {
		return 0, fmt.Errorf("%s is not what answers at %s", p.Name, p.Address)
	}
	return len(list), nil
}
