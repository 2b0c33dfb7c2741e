package desktop

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// LoginLink gives the address of the server's pages with a code that logs a browser in once.
func (h *Host) LoginLink(ctx context.Context) (string, error) {
	s, err := h.Find(ctx)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	resp, err := h.request(ctx, http.MethodPost, s, "/api/session/link")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("ask the server for a link: %s", resp.Status)
	}
	var answer struct{ URL string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("ask the server for a link: %w", err)
	}
	return answer.URL, nil
}
