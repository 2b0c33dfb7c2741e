package export

import (
	"context"
	"errors"

	"mlxbar/backend/audit"
	"mlxbar/backend/storage"
)

// Count tells how many records File would write at this moment.
func Count(ctx context.Context, dbPath string, f audit.Filter) (n int64, err error) {
	db, err := storage.OpenReadOnly(ctx, dbPath)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	stats, err := audit.NewStore(db).Stats(ctx, f)
	return stats.Total, err
}
