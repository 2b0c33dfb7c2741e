package settings

import (
	"context"
	"fmt"

	"mlxbar/backend/filewatch"
)

// UnwatchedError is the Problem of a file that cannot be watched at present.
type UnwatchedError struct{ Cause error }

func (e *UnwatchedError) Error() string {
	return fmt.Sprintf("Edits of settings.json by hand take no effect at present, because its folder cannot be watched (%v); mlxbar tries again and again", e.Cause)
}

// Unwrap gives the cause.
func (e *UnwatchedError) Unwrap() error { return e.Cause }

// Watch puts edits of the file in force until ctx ends. An edit that is refused
// shows in Problem and the settings in force stay. A watch that ends shows there as
// an *UnwatchedError until it is back.
func (m *Manager) Watch(ctx context.Context) {
	filewatch.Follow(ctx, m.path, m.reload, func(err error) {
		if err == nil {
			m.setUnwatched(nil)
			return
		}
		m.setUnwatched(&UnwatchedError{err})
	})
}
