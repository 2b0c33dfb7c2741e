package server

import (
	"context"
	"fmt"

	"mlxbar/backend/engine"
	"mlxbar/backend/engine/mlx"
	"mlxbar/backend/live"
	"mlxbar/backend/models"
	"mlxbar/backend/settings"
)

func (s *Server) mlx() engine.Engine {
	return mlx.New(s.paths.Root, func(model string) (mlx.Options, error) {
		set := s.settings.Current()
		each := set.Models.Of(model)
		o := mlx.Options{Off: !mlxOn(set), ContextSize: set.Tuned(model).ContextSize, Parallel: each.Parallel}
		if field, _ := notOfMLX(each); field != "" { // as when it was set before the model came
			return o, &engine.LoadError{Model: model, Reason: fmt.Sprintf("Its %s in models.each is not for the engine mlx, which has no such thing; take it out.", field)}
		}
		return o, nil
	})
}

// notOfMLX is the field of what is set for a model that the engine mlx cannot do, and what is wrong with it; "" for none.
func notOfMLX(each settings.ModelSettings) (field, wrong string) {
	switch {
	case each.Draft != "":
		return "draft", "must be left out: this model is run by the engine mlx, which runs no draft model"
	case len(each.Arguments) > 0:
		return "arguments", "must be left out: they are llama-server's, and this model is run by the engine mlx"
	}
	return "", ""
}

// checkModels finds fault with what is newly set for a model whose engine cannot do it. A model that is not there is judged when it is loaded.
func (s *Server) checkModels(old, now settings.Settings) error {
	var faults []settings.FieldError
	for i, each := range now.Models.Each {
		field, wrong := notOfMLX(each)
		if before, _ := notOfMLX(old.Models.Of(each.Name)); field == "" || field == before {
			continue
		}
		if m, err := s.library.Find(each.Name); err == nil && m.Format == models.MLX {
			faults = append(faults, settings.FieldError{Detail: wrong, Location: fmt.Sprintf("models.each[%d].%s", i, field)})
		}
	}
	if len(faults) > 0 {
		return &settings.Invalid{Fields: faults}
	}
	return nil
}

func mlxOn(set settings.Settings) bool { return set.Engines.MLX.Enabled.Or(mlx.Suits()) }

// Runs says whether a server with these settings has an engine for a format; who reads beside a server asks.
func Runs(format models.Format, set settings.Settings) bool {
	return format == models.GGUF || format == models.MLX && mlxOn(set)
}

// runners are the engines of the pool that are switched on.
type runners struct {
	*engine.Pool
	settings func() settings.Settings
}

func (s *Server) runners() runners { return runners{s.pool, s.settings.Current} }

// EngineOf names the engine that runs models of a format, "" if none does.
func (r runners) EngineOf(format models.Format) string {
	if !Runs(format, r.settings()) {
		return ""
	}
	return r.Pool.EngineOf(format)
}

// switchMLX ends what the engine runs, or has it forget that it was off, and tells listeners which models there are now.
func (s *Server) switchMLX(ctx context.Context) {
	for _, state := range s.pool.States() {
		if state.Engine == mlx.Name {
			if err := s.pool.Unload(ctx, state.Model); err != nil {
				s.log.Error("a model could not be unloaded", "model", state.Model, "cause", err)
			}
		}
	}
	s.tellModels()
}

// tellModels tells listeners of the models of this machine.
func (s *Server) tellModels() {
	list, err := s.admin.Models()
	if err != nil {
		s.log.Error("the models could not be told", "cause", err)
		return
	}
	s.publish(live.Models, list)
}
