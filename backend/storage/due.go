package storage

import (
	"context"
	"time"
)

const retryDue = 10 * time.Second

// WhenDue calls work now, whenever it said that it is due, and when wake tells of something new, until ctx ends. work
// gives when it is due next, zero for never; if it fails, failed hears of it and it is tried again in a while.
func WhenDue(ctx context.Context, wake <-chan struct{}, work func(context.Context, time.Time) (due time.Time, err error), failed func(error)) {
	for {
		due, err := work(ctx, time.Now())
		var alarm <-chan time.Time
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failed(err)
			alarm = time.After(retryDue)
		case !due.IsZero():
			alarm = time.After(time.Until(due))
		}
		select {
		case <-ctx.Done():
			return
		case <-alarm:
		case <-wake:
		}
	}
}
