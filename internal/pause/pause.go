// Package pause waits between two tries.
package pause

import (
	"context"
	"time"
)

// For waits for d, or returns the context's cause when that ends first.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
