package server

import (
	"context"
	"os"
	"sync"

	"mlxbar/backend/download"
	"mlxbar/backend/hub"
	"mlxbar/backend/live"
	"mlxbar/backend/settings"
)

// DownloadLimits are what the settings say of downloads.
func DownloadLimits(set settings.Settings) download.Limits {
	l := download.Limits{Parallel: set.Downloads.Parallel, BytesPerSecond: int64(set.Downloads.MaxKBPerSecond) * 1000}
	if set.LocalOnly {
		l.Refused = hub.ErrLocalOnly
	}
	return l
}

// NewHub makes a client of the Hub that the environment names.
func NewHub() (*hub.Client, error) {
	return hub.New(hub.Options{Endpoint: os.Getenv(hub.EndpointVariable), Token: hub.Token, Agent: "mlxbar/" + Version})
}

// openDownloads goes on with what a person had asked for before the last end.
func (s *Server) openDownloads(context.Context) error {
	client, err := NewHub()
	if err != nil {
		return err
	}
	s.hfHub = client
	s.onClose(func() error { client.Close(); return nil })
	s.downloads, err = download.Open(download.Config{
		Dir: s.paths.Models, Hub: client, Limits: DownloadLimits(s.settings.Current()), Adopt: true, Log: s.log,
		OnChange: func(j download.Job) {
			s.publish(live.Download, j)
			if s.underway.note(j) {
				s.publishState()
			}
		},
	})
	if err != nil {
		return err
	}
	s.onClose(s.downloads.Close)
	unsubscribe := s.settings.Subscribe(func(_, now settings.Settings) { s.downloads.SetLimits(DownloadLimits(now)) })
	s.onClose(func() error { unsubscribe(); return nil })
	return nil
}

// underway knows which downloads are, by what was told of them.
type underway struct {
	mu  sync.Mutex
	ids map[string]bool
}

// note takes in what is told of one, and says whether there are more or fewer now.
func (u *underway) note(j download.Job) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	before := len(u.ids)
	if j.Status.Resting() {
		delete(u.ids, j.ID)
	} else {
		if u.ids == nil {
			u.ids = map[string]bool{}
		}
		u.ids[j.ID] = true
	}
	return len(u.ids) != before
}

func (u *underway) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.ids)
}
