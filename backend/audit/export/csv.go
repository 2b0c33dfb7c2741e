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
	"attempts", "client", "key_id", "cost_usd", "left_to", "bytes_out", "bytes_in", "hint",
}

// newCSV writes the header and returns what writes a line. It writes lines of RFC
// 4180 itself: the standard library's writer would change line ends inside cells.
func newCSV[T any](w *bufio.Writer, header []string, appendLine func([]byte, *T) []byte) (func(*T) error, error) {
	if _, err := w.WriteString(strings.Join(header, ",") + "\r\n"); err != nil {
		return nil, err
	}
	return func(of *T) error {
		_, err := w.Write(appendLine(w.AvailableBuffer(), of))
		return err
	}, nil
}

func appendLine(b []byte, r *audit.Record) []byte {
	b = strconv.AppendInt(b, r.ID, 10)
	b = text(b, r.RequestID)
	b = r.StartedAt.UTC().AppendFormat(append(b, ','), timeLayout)
	for _, s := range [...]string{r.Model, r.ServedModel, string(r.Backend), r.Provider, r.Endpoint} {
		b = text(b, s)
	}
	b = strconv.AppendBool(append(b, ','), r.Stream)
	b = decimal(b, r.DurationMS)
	b = decimal(b, r.TTFTMS)
	b = text(b, string(r.Status))
	b = whole(b, r.HTTPStatus)
	b = text(b, r.ErrorType)
	for _, n := range [...]*int64{r.PromptTokens, r.CompletionTokens, r.TotalTokens, r.CachedTokens} {
		b = whole(b, n)
	}
	b = decimal(b, r.PromptMS)
	b = decimal(b, r.GenerationMS)
	b = strconv.AppendInt(append(b, ','), r.Attempts, 10)
	b = text(b, r.Client)
	b = text(b, r.KeyID)
	b = decimal(b, r.CostUSD)
	b = departures(b, r.Left)
	b = text(b, r.Hint)
	return append(b, '\r', '\n')
}

// departures adds the providers that a record was sent to, a space between them, and the bytes of all.
func departures(b []byte, left []audit.Departure) []byte {
	if len(left) == 0 {
		return append(b, ",,,"...)
	}
	var names []string
	var out, in int64
	for _, d := range left {
		names, out, in = append(names, d.Provider), out+d.BytesOut, in+d.BytesIn
	}
	return whole(whole(text(b, strings.Join(names, " ")), &out), &in)
}

// text adds a cell, a comma before it. One that a spreadsheet would run as a formula is
// made harmless: an apostrophe in front makes it text. Clients choose model names, so
// this is where an attack on whoever opens the file would come from. Numbers are
// written by whole and decimal and keep their minus.
func text(b []byte, s string) []byte {
	b = append(b, ',')
	if s == "" {
		return b
	}
	quoted := needsQuotes(s)
	if quoted {
		b = append(b, '"')
	}
	switch s[0] {
	case '=', '+', '-', '@', '\t', '\r':
		b = append(b, '\'')
	}
	if !quoted {
		return append(b, s...)
	}
	for i := range len(s) {
		if s[i] == '"' {
			b = append(b, '"')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

func needsQuotes(s string) bool {
	for i := range len(s) {
		switch s[i] {
		case '"', ',', '\r', '\n':
			return true
		}
	}
	return false
}

func whole(b []byte, p *int64) []byte {
	b = append(b, ',')
	if p == nil {
		return b
	}
	return strconv.AppendInt(b, *p, 10)
}

func decimal(b []byte, p *float64) []byte {
	b = append(b, ',')
	if p == nil {
		return b
	}
	return strconv.AppendFloat(b, *p, 'f', -1, 64)
}
