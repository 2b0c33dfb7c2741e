package export

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"mlxbar/backend/audit"
	"mlxbar/backend/ledger"
	"mlxbar/backend/storage"
)

// ledgerHeader is the first line of the ledger; its order is a contract with whoever reads the files.
var ledgerHeader = []string{
	"day", "provider", "left_this_machine", "requests", "failed", "prompt_tokens", "completion_tokens", "cached_tokens",
	"bytes_out", "bytes_in", "cost_usd", "unpriced", "would_have_cost_usd",
}

// WriteLedger writes the lines of a ledger to w, the oldest day first, and returns how many. It ends with ctx.
func WriteLedger(ctx context.Context, w io.Writer, format Format, r ledger.Report) (int64, error) {
	buf := bufio.NewWriterSize(w, 64<<10)
	put, err := encoder(buf, format, ledgerHeader, appendLedgerLine)
	lines := slices.Clone(r.Lines)
	slices.SortStableFunc(lines, func(a, b ledger.Line) int { return cmp.Compare(a.Day, b.Day) })
	for i := range lines {
		if err != nil || ctx.Err() != nil {
			break
		}
		err = put(&lines[i])
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = buf.Flush()
	}
	if err != nil {
		return 0, fmt.Errorf("export the ledger: %w", err)
	}
	return int64(len(r.Lines)), nil
}

func appendLedgerLine(b []byte, l *ledger.Line) []byte {
	b = append(b, l.Day...)
	b = text(b, l.Provider)
	b = strconv.AppendBool(append(b, ','), l.Left)
	for _, n := range [...]int64{l.Requests, l.Failed, l.PromptTokens, l.CompletionTokens, l.CachedTokens, l.BytesOut, l.BytesIn} {
		b = whole(b, &n)
	}
	b = decimal(b, l.CostUSD)
	b = whole(b, &l.Unpriced)
	b = decimal(b, l.WouldHaveCostUSD)
	return append(b, '\r', '\n')
}

// ReadLedger reads the ledger from the database at dbPath, whether the server runs or not.
func ReadLedger(ctx context.Context, dbPath string, q ledger.Query) (r ledger.Report, err error) {
	db, err := storage.OpenReadOnly(ctx, dbPath)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return ledger.Read(ctx, audit.NewStore(db), q)
}

// LedgerFile exports the ledger of the database at dbPath to dest, as File does the records.
func LedgerFile(ctx context.Context, dbPath, dest string, format Format, q ledger.Query) (int64, error) {
	r, err := ReadLedger(ctx, dbPath, q)
	if err != nil {
		return 0, err
	}
	return toFile(dest, func(w io.Writer) (int64, error) { return WriteLedger(ctx, w, format, r) })
}
