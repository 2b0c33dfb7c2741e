package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"mlxbar/backend/engine"
	"mlxbar/backend/engine/llamacpp"
	"mlxbar/backend/memory"
	"mlxbar/backend/models"
	"mlxbar/backend/settings"
)

func (s *Server) engines() map[models.Format]engine.Engine {
	return map[models.Format]engine.Engine{models.GGUF: s.llamaCPP(), models.MLX: s.mlx()}
}

func (s *Server) llamaCPP() engine.Engine {
	return llamacpp.New(s.paths.Root, s.llamaCPPOptions)
}

// llamaCPPOptions is how a model is to be run as the settings are now.
func (s *Server) llamaCPPOptions(model string) (llamacpp.Options, error) {
	set := s.settings.Current()
	tuned, each := set.Tuned(model), set.Models.Of(model)
	o := llamacpp.Options{Command: atHome(tuned.Command), ContextSize: tuned.ContextSize, Parallel: tuned.Parallel, Threads: tuned.Threads, Arguments: each.Arguments}
	if each.Draft == "" {
		return o, nil
	}
	draft, err := s.library.Find(each.Draft)
	if err != nil {
		return o, &engine.LoadError{Model: model, Reason: fmt.Sprintf("Its draft model %s, which models.each names, is not there or cannot be used.", each.Draft), Cause: err}
	}
	if draft.Format != models.GGUF {
		return o, &engine.LoadError{Model: model, Reason: fmt.Sprintf("Its draft model %s, which models.each names, is no GGUF model.", each.Draft)}
	}
	o.Draft = draft.Path
	return o, nil
}

// atHome is a path whose ~ is the person's home.
func atHome(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
}

func (s *Server) engineLimits() engine.Limits {
	set := s.settings.Current()
	return engine.Limits{
		Memory: memory.Limit(set), Machine: memory.Machine(),
		Idle: time.Duration(set.Engines.IdleUnloadMinutes) * time.Minute, Queue: set.Engines.Queue,
	}
}

func (s *Server) need(m models.Model) engine.Need {
	return engine.Need(memory.Of(m, s.settings.Current(), s.library.Find))
}

// toPreload is the models that are to be loaded at the start.
func toPreload(set settings.Settings) []string {
	var names []string
	for _, each := range set.Models.Each {
		if each.Preload {
			names = append(names, each.Name)
		}
	}
	return names
}

// runsOtherwise says whether model is to be run in another way than before: pinning it is none.
func runsOtherwise(model string, old, now settings.Settings) bool {
	was, is := old.Models.Of(model), now.Models.Of(model)
	return old.Tuned(model) != now.Tuned(model) || was.Draft != is.Draft || !slices.Equal(was.Arguments, is.Arguments)
}

// followEngineSettings has changed settings of the engines take effect, and returns
// what ends that. A restart waits for requests that run, so it is not waited for.
func (s *Server) followEngineSettings() func() error {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	unveto := s.settings.Prepare(func(old, now settings.Settings) (func(), error) {
		if old.Engines.LlamaCPP.Command != now.Engines.LlamaCPP.Command {
			if err := checkCommand(now.Engines.LlamaCPP.Command); err != nil {
				return nil, err
			}
		}
		return nil, s.checkModels(old, now)
	})
	unsubscribe := s.settings.Subscribe(func(old, now settings.Settings) {
		if reflect.DeepEqual(old.Engines, now.Engines) && reflect.DeepEqual(old.Models, now.Models) {
			return
		}
		s.pool.Reconsider()
		s.awake.Refresh()
		work.Go(func() {
			s.pool.Restart(ctx, func(model string) bool { return runsOtherwise(model, old, now) })
			if mlxOn(old) != mlxOn(now) {
				s.switchMLX(ctx)
			}
			if added := toPreload(now); !slices.Equal(toPreload(old), added) {
				s.pool.Preload(added)
			}
		})
	})
	return func() error {
		unveto()
		unsubscribe() // no work is added from here on
		cancel()
		work.Wait()
		return nil
	}
}

// checkCommand finds fault with a llama-server that cannot be run, when it is set; one that goes later is told by
// the load that fails.
func checkCommand(command string) error {
	if command == "" {
		return nil
	}
	if problem := llamacpp.Unusable(atHome(command)); problem != "" {
		return &settings.Invalid{Fields: []settings.FieldError{{
			Detail: "must be a llama-server that can be run: " + problem, Location: "engines.llamacpp.command", Value: command,
		}}}
	}
	return nil
}
