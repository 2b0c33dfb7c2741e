package admin

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/audit/export"
	"mlxbar/backend/ledger"
	"mlxbar/backend/prices"
)

// Prices are what providers charge.
type Prices interface {
	Current() *prices.Table
	Path() string
	Problem() error
}

// PeriodInput are the query parameters that choose days.
type PeriodInput struct {
	From string `query:"from" doc:"The first day, such as 2026-01-31; left out, 29 days before the last."`
	To   string `query:"to" doc:"The last day; today if left out."`
	Zone string `query:"zone" doc:"The time zone whose days they are, such as Europe/Berlin; the server's if left out."`
}

func (in *PeriodInput) query(a *API) (ledger.Query, error) {
	p, faults := ledger.ParsePeriod(func(name string) string {
		return map[string]string{"from": in.From, "to": in.To, "zone": in.Zone}[name]
	}, time.Now())
	return ledger.Query{Period: p, Prices: a.Prices.Current(), CompareWith: a.Settings.Current().Ledger.CompareWith}, parameterFaults(faults)
}

type ledgerOutput struct{ Body ledger.Report }

type ledgerExportInput struct {
	PeriodInput
	Format string `query:"format" doc:"csv or jsonl." required:"true"`
	Watch  string `query:"watch" doc:"As for the audit's export."`
}

// PriceList is what providers charge, as it is in force.
type PriceList struct {
	Currency string         `json:"currency" enum:"USD"`
	File     string         `json:"file" doc:"Where a person's own prices stand; they come before the others."`
	Problem  string         `json:"problem" doc:"Why that file is not in force as it stands, or empty."`
	Own      []prices.Price `json:"own" nullable:"false" doc:"Those of the file."`
	BuiltIn  []prices.Price `json:"built_in" nullable:"false" doc:"Those that mlxbar brings along."`
}

type pricesOutput struct{ Body PriceList }

func (a *API) registerLedger() {
	huma.Register(a.huma, get("/api/ledger", "What left this machine and what it cost, by day and provider"), a.readLedger)
	huma.Register(a.huma, getFile("/api/ledger/export", "The ledger as a file, a line for each day and provider"), a.exportLedger)
	huma.Register(a.huma, get("/api/prices", "What providers charge for tokens"), a.listPrices)
}

func (a *API) readLedger(ctx context.Context, in *PeriodInput) (*ledgerOutput, error) {
	q, err := in.query(a)
	if err != nil {
		return nil, err
	}
	a.catchUp(ctx)
	report, err := ledger.Read(ctx, a.Records, q)
	return &ledgerOutput{report}, err
}

func (a *API) exportLedger(ctx context.Context, in *ledgerExportInput) (*huma.StreamResponse, error) {
	q, err := in.query(a)
	if err != nil {
		return nil, err
	}
	format, err := parseDownload(in.Format, in.Watch)
	if err != nil {
		return nil, err
	}
	a.catchUp(ctx)
	report, err := ledger.Read(ctx, a.Records, q)
	if err != nil {
		return nil, err
	}
	return a.download("mlxbar-ledger", format, in.Watch, func(ctx context.Context, w *startedWriter) (int64, error) {
		return export.WriteLedger(ctx, w, format, report)
	}), nil
}

func (a *API) listPrices(context.Context, *struct{}) (*pricesOutput, error) {
	t := a.Prices.Current()
	list := PriceList{
		Currency: "USD", File: a.Prices.Path(), Problem: HealthOf(a.Prices.Problem()).Problem,
		Own: append([]prices.Price{}, t.Own()...), BuiltIn: append([]prices.Price{}, t.BuiltIn()...),
	}
	return &pricesOutput{list}, nil
}
