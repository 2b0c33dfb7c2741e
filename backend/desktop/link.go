package desktop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// LoginLink gives the address of the server's pages with a code that logs a browser in once.
func (h *Host) LoginLink(ctx context.Context) (string, error) {
	var answer struct{ URL string }
	if err := h.Ask(ctx, http.MethodPost, "/api/session/link", nil, &answer); err != nil {
		return "", fmt.Errorf("ask the server for a link: %w", err)
	}
	return answer.URL, nil
}

const maxAnswer = 16 << 20

// Ask asks the admin API of the running server, with body as JSON unless it is nil, and decodes the answer
// into answer, unless that is nil. An error that the server answers with is told in its own words.
func (h *Host) Ask(ctx context.Context, method, path string, body, answer any) error {
	s, err := h.Find(ctx)
	if err != nil {
		return err
	}
	if _, patient := ctx.Deadline(); !patient {
		limited, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		ctx = limited
	}
	resp, err := h.send(ctx, method, s, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said := io.LimitReader(resp.Body, maxAnswer)
	if resp.StatusCode >= 400 {
		var doc struct{ Detail string }
		if err := json.NewDecoder(said).Decode(&doc); err != nil || doc.Detail == "" {
			return fmt.Errorf("the server answers with %s", resp.Status)
		}
		return fmt.Errorf("%s", doc.Detail)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(said).Decode(answer)
}
