package desktop

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const flushTimeout = 5 * time.Second // an audit that cannot be written says so within two

// FlushAudit has the server, if one runs, put all ended requests into the database, so that a
// reader of the file sees them. An error means that the latest may be missing there.
func (h *Host) FlushAudit(ctx context.Context) error {
	s, err := h.Find(ctx)
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	resp, err := h.request(ctx, http.MethodPost, s, "/api/audit/flush")
	if err == nil {
		err = discard(resp, http.StatusNoContent)
	}
	if err != nil {
		return fmt.Errorf("the latest records may be missing: %w", err)
	}
	return nil
}
