package linkcheck

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever asks, and when, a name has one symbol, and a symbol one name.
func TestNames(t *testing.T) {
	in := newNames()
	require.Zero(t, in.of(nil))
	require.Zero(t, in.known("a"))
	require.Empty(t, in.text(0))
	const count, askers = 30000, 4
	name := func(i int) string { return fmt.Sprintf("org/example/%d/%s", i, "Long"[:i%5]) }
	var symbols [askers][count]symbol
	var group sync.WaitGroup
	for asker := range askers {
		group.Go(func() {
			for i := range count {
				i = (i + asker*7919) % count
				symbols[asker][i] = in.of([]byte(name(i)))
			}
		})
	}
	group.Wait()
	seen := map[symbol]bool{}
	for i, s := range symbols[0] {
		for _, others := range symbols[1:] {
			require.Equal(t, s, others[i])
		}
		seen[s] = true
		require.Equal(t, name(i), in.text(s))
		require.Equal(t, s, in.known(name(i)))
	}
	assert.Len(t, seen, count)
	assert.Zero(t, in.known("org/example/none"))
	large := string(make([]byte, 2*nameChunk))
	assert.Equal(t, large, in.text(in.of([]byte(large))))
	assert.Equal(t, name(1), in.text(symbols[0][1]))
}
