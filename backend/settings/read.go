package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Read gives the settings of a file as it stands, the defaults when there is none; for who reads beside a server.
func Read(path string) (Settings, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Defaults(), nil
	}
	if err != nil {
		return Settings{}, fmt.Errorf("read settings: %w", err)
	}
	s, err := Parse(raw)
	if err != nil {
		return Settings{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}
