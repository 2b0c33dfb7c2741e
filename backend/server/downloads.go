package server

import (
	"context"
	"errors"
	"os"

	"mlxbar/backend/download"
	"mlxbar/backend/hub"
	"mlxbar/backend/live"
	"mlxbar/backend/settings"
)

// ErrLocalOnly says why nothing is fetched from the Hub: what a person looks for there and takes from there leaves this
// machine as a question does, though no prompt goes with it.
var ErrLocalOnly = errors.New("nothing may leave this machine (local_only), not even the names of models to fetch; turn it off in Settings for as long as the download takes")

// DownloadLimits are what the settings say of downloads.
func DownloadLimits(set settings.Settings) download.Limits {
	l := download.Limits{Parallel: set.Downloads.Parallel, BytesPerSecond: int64(set.Downloads.MaxKBPerSecond) * 1000}
	if set.LocalOnly {
		l.Refused = ErrLocalOnly
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
		OnChange: func(j download.Job) { s.publish(live.Download, j) },
	})
	if err != nil {
		return err
	}
	s.onClose(s.downloads.Close)
	unsubscribe := s.settings.Subscribe(func(_, now settings.Settings) { s.downloads.SetLimits(DownloadLimits(now)) })
	s.onClose(func() error { unsubscribe(); return nil })
	return nil
}
