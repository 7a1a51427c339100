package testkit

import (
	"context"
	"testing"
	"time"
)

// Eventually asks the condition every 20 ms until it holds, and fails the test at the deadline naming what was awaited.
func Eventually(t testing.TB, deadline time.Duration, what string, condition func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s in vain: %s", deadline, what)
		case <-tick.C:
		}
	}
}
