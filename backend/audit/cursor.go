package audit

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
)

// ErrCursor tells that a cursor is none that a Page gave.
var ErrCursor = errors.New("the cursor is not one that a page of records gave as its next")

// A cursor is the id of the last record seen, in eight bytes of base64: opaque,
// so that nobody builds on its inside.
func formatCursor(id int64) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(id)))
}

// parseCursor returns the id that all records to come are below.
func parseCursor(s string) (int64, error) {
	if s == "" {
		return math.MaxInt64, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 8 {
		return 0, ErrCursor
	}
	id := int64(binary.BigEndian.Uint64(b))
	if id < 1 {
		return 0, ErrCursor
	}
	return id, nil
}
