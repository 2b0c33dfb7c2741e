package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"mlxbar/backend/audit"
	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/live"
)

func (a *API) registerDeletion() {
	remove := huma.Operation{
		OperationID: operationID("delete", "/api/audit"), Method: http.MethodDelete, Path: "/api/audit", DefaultStatus: http.StatusOK,
		Summary: "Delete all records",
		Description: "They are out of sight at once, and gone for good ten seconds later; until then POST /api/audit/undelete brings them back. " +
			"Requests that run keep their record. A second deletion within that time takes the first one along.",
	}
	huma.Register(a.huma, remove, func(ctx context.Context, _ *struct{}) (*deletionOutput, error) {
		if err := a.flush(ctx); err != nil { // what has ended is to be deleted too
			return nil, problem.New(problem.AuditUnavailable, "The audit cannot be written at present, so nothing was deleted.").Because(err)
		}
		d, err := a.Records.DeleteAll(ctx, time.Now())
		if err != nil {
			return nil, err
		}
		a.refetch()
		return &deletionOutput{d}, nil
	})
	huma.Register(a.huma, post("/api/audit/undelete", "Have deleted records back", http.StatusOK), func(ctx context.Context, _ *struct{}) (*restoredOutput, error) {
		n, err := a.Records.Undelete(ctx, time.Now())
		if errors.Is(err, audit.ErrNothingToRestore) {
			return nil, problem.New(problem.Conflict, "No deleted records can be had back: it has been more than ten seconds, or nothing was deleted.")
		}
		if err != nil {
			return nil, err
		}
		a.refetch()
		out := &restoredOutput{}
		out.Body.Restored = n
		return out, nil
	})
}

// refetch has every page read anew what it shows.
func (a *API) refetch() {
	if err := a.Live.Publish(live.Reset, struct{}{}); err != nil {
		a.Logger.Error("a live event was lost", "cause", err)
	}
}
