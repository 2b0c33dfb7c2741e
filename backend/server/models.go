package server

import (
	"context"
	"slices"

	"mlxbar/backend/models"
	"mlxbar/backend/settings"
)

// runnable is the models that a request may name: those that an engine of this server runs.
type runnable struct {
	catalog *models.Catalog
	engines runners
}

func (r runnable) List() ([]models.Model, error) {
	list, err := r.catalog.List()
	return slices.DeleteFunc(slices.Clone(list), func(m models.Model) bool { return r.engines.EngineOf(m.Format) == "" }), err
}

// followModels tells listeners whenever the models of this machine are no longer what they were, until
// ctx ends.
func (s *Server) followModels(ctx context.Context) {
	unsubscribe := s.settings.Subscribe(func(old, now settings.Settings) {
		if !slices.Equal(old.Models.Folders, now.Models.Folders) {
			s.library.Look()
		}
	})
	defer unsubscribe()
	s.library.Watch(ctx, func(now models.Contents) {
		s.log.Info("the models of this machine", "whole", len(now.Models), "broken", len(now.Broken))
		for _, f := range now.Folders {
			if f.Problem != "" {
				s.log.Warn("a folder of models is not seen as a whole", "folder", f.Path, "problem", f.Problem)
			}
		}
		s.tellModels()
	}, func(err error) {
		if err != nil {
			s.log.Error("the models are not watched", "cause", err)
		}
	})
}
