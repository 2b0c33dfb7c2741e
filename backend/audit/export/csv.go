package export

import (
	"bufio"
	"strconv"
	"strings"

	"mlxbar/backend/audit"
)

// timeLayout is RFC 3339 with the milliseconds that a record has, always three.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// header is the first line; its order is a contract with whoever reads the files.
var header = []string{
	"id", "request_id", "started_at", "model", "served_model", "backend", "provider", "endpoint", "stream",
	"duration_ms", "ttft_ms", "status", "http_status", "error_type",
	"prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "prompt_ms", "generation_ms",
	"attempts", "client", "key_id", "cost_usd",
}

// newCSV writes the header and returns what writes a record.
func newCSV(w *bufio.Writer) (func(*audit.Record) error, error) {
	if err := writeLine(w, header); err != nil {
		return nil, err
	}
	cells := make([]string, 0, len(header))
	return func(r *audit.Record) error {
		cells = appendCells(cells[:0], r)
		return writeLine(w, cells)
	}, nil
}

// writeLine writes one line of RFC 4180. The standard library's writer would
// change line ends inside cells.
func writeLine(w *bufio.Writer, cells []string) error {
	for i, cell := range cells {
		if i > 0 {
			w.WriteByte(',')
		}
		if strings.ContainsAny(cell, "\",\r\n") {
			cell = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
		}
		w.WriteString(cell)
	}
	_, err := w.WriteString("\r\n") // a bufio.Writer keeps its first error
	return err
}

func appendCells(cells []string, r *audit.Record) []string {
	return append(cells,
		strconv.FormatInt(r.ID, 10), text(r.RequestID), r.StartedAt.UTC().Format(timeLayout),
		text(r.Model), text(r.ServedModel), text(string(r.Backend)), text(r.Provider), text(r.Endpoint), strconv.FormatBool(r.Stream),
		decimal(r.DurationMS), decimal(r.TTFTMS), text(string(r.Status)), whole(r.HTTPStatus), text(r.ErrorType),
		whole(r.PromptTokens), whole(r.CompletionTokens), whole(r.TotalTokens), whole(r.CachedTokens),
		decimal(r.PromptMS), decimal(r.GenerationMS),
		strconv.FormatInt(r.Attempts, 10), text(r.Client), text(r.KeyID), decimal(r.CostUSD))
}

// text makes a cell that a spreadsheet would run as a formula harmless: an
// apostrophe in front makes it text. Clients choose model names, so this is
// where an attack on whoever opens the file would come from. Numbers are written
// by whole and decimal and keep their minus.
func text(s string) string {
	if s == "" {
		return s
	}
	switch s[0] {
	case '=', '+', '-', '@', '\t', '\r':
		return "'" + s
	}
	return s
}

func whole(p *int64) string {
	if p == nil {
		return ""
	}
	return strconv.FormatInt(*p, 10)
}

func decimal(p *float64) string {
	if p == nil {
		return ""
	}
	return strconv.FormatFloat(*p, 'f', -1, 64)
}
