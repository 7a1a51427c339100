package pause

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestForEndsWithTheTime(t *testing.T) {
	require.NoError(t, For(t.Context(), time.Millisecond))
}

func TestForEndsWithTheContextAndSaysWhy(t *testing.T) {
	why := errors.New("the lock is lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	require.ErrorIs(t, For(ctx, time.Hour), why)
}
