package testkit

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFreeAddrsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range blockSize / 2 {
		addr := FreeAddr(t, "127.0.0.1")
		assert.False(t, seen[addr], addr)
		seen[addr] = true
		listener, err := net.Listen("tcp", addr)
		require.NoError(t, err)
		require.NoError(t, listener.Close())
	}
}

func TestFreeAddrLeavesOutWhatIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", FreeAddr(t, "127.0.0.1"))
	require.NoError(t, err)
	defer taken.Close()
	for range 2 * blockSize {
		assert.NotEqual(t, taken.Addr().String(), FreeAddr(t, "127.0.0.1"))
	}
}

func TestProcessesDoNotShareABlock(t *testing.T) {
	var mine, other block
	a, err := mine.take()
	require.NoError(t, err)
	defer mine.claim.Close()
	b, err := other.take()
	require.NoError(t, err)
	defer other.claim.Close()
	assert.NotEqual(t, (a-firstPort)/blockSize, (b-firstPort)/blockSize)
}
