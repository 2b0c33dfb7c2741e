//go:build !linux && !darwin

package awake

import (
	"context"
	"errors"
)

func hold(context.Context) (release func() error, err error) {
	return nil, errors.New("not known how, on this system")
}
