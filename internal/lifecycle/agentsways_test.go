package lifecycle

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAnAgentThatIsLateIsExplainedByTheWaysFromItsHost(t *testing.T) {
	asked := 0
	var problem error
	l := &lateness{blocked: func(context.Context) ([]string, error) {
		asked++
		return []string{"a2 cannot reach TCP 2181 of m1 (no answer)"}, problem
	}}
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	after := func(d time.Duration) error { at = at.Add(d); return l.explain(t.Context(), at) }

	require.Equal(t, errUnregistered, after(0))
	require.Equal(t, errUnregistered, after(9*time.Second))
	require.Zero(t, asked, "it is not late yet")
	err := after(time.Second)
	require.ErrorIs(t, err, errUnregistered)
	require.ErrorContains(t, err, "a2 cannot reach TCP 2181 of m1 (no answer); open them")
	require.Equal(t, err, after(9*time.Second), "the host is not asked for ever")
	require.Equal(t, 1, asked)
	problem = errors.New("no connection")
	require.Equal(t, err, after(time.Second), "what was found stays as long as nothing else is")
	require.Equal(t, 2, asked)
	require.Equal(t, errUnregistered, after(11*time.Second), "a new wait begins anew")

	l = &lateness{} // target local
	require.Equal(t, errUnregistered, l.explain(t.Context(), at))
	require.Equal(t, errUnregistered, l.explain(t.Context(), at.Add(10*time.Second)))
}
