package server

import (
	"context"

	"mlxbar/backend/engine"
	"mlxbar/backend/engine/mlx"
	"mlxbar/backend/live"
	"mlxbar/backend/models"
	"mlxbar/backend/settings"
)

func (s *Server) mlx() engine.Engine {
	return mlx.New(s.paths.Root, func(model string) mlx.Options {
		set := s.settings.Current()
		return mlx.Options{Off: !mlxOn(set), ContextSize: set.Tuned(model).ContextSize}
	})
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
