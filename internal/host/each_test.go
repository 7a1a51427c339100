package host

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func locals(t *testing.T, names ...string) []Machine {
	t.Helper()
	var all []Machine
	for _, name := range names {
		m, err := NewLocal(name, "127.0.10.10", t.TempDir(), "/bin/true")
		require.NoError(t, err)
		all = append(all, m)
	}
	return all
}

func TestEachCollectsAllErrors(t *testing.T) {
	machines := locals(t, "a1", "a2", "a3", "a4")
	require.NoError(t, Each(t.Context(), machines, 2, func(context.Context, Machine) error { return nil }))
	require.NoError(t, Each(t.Context(), nil, 0, nil))

	err := Each(t.Context(), machines, 2, func(_ context.Context, m Machine) error {
		switch m.Name() {
		case "a2":
			return fs.ErrNotExist
		case "a4":
			return errors.New("host a4: no")
		}
		return nil
	})
	require.EqualError(t, err, "2 of 4 hosts failed:\nhost a2: file does not exist\nhost a4: no")
	require.ErrorIs(t, err, fs.ErrNotExist)
	var each *EachError
	require.ErrorAs(t, err, &each)
	assert.Equal(t, []string{"a2", "a4"}, each.Hosts)
	assert.EqualError(t, Each(t.Context(), machines[:1], 0, func(context.Context, Machine) error { return errors.New("no") }), "host a1: no")
}

func TestEachKeepsItsBounds(t *testing.T) {
	machines := locals(t, "a1", "a2", "a3", "a4", "a5", "a6")
	var now, most atomic.Int32
	full := make(chan struct{})
	var once sync.Once
	require.NoError(t, Each(t.Context(), machines, 3, func(ctx context.Context, _ Machine) error {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == 3 {
			once.Do(func() { close(full) })
		}
		<-full // three are inside at the same time
		return ctx.Err()
	}))
	assert.Equal(t, int32(3), most.Load())
}

func TestEachBeginsNothingAfterTheEndOfItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var began atomic.Int32
	err := Each(ctx, locals(t, "a1", "a2", "a3"), 1, func(context.Context, Machine) error {
		began.Add(1)
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, int32(1), began.Load())
	var each *EachError
	require.ErrorAs(t, err, &each)
	assert.Equal(t, []string{"a2", "a3"}, each.Hosts)
}
