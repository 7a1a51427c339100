package testkit

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestZooKeeperComesBackOnItsAddress(t *testing.T) {
	z := StartZooKeeper(t)
	z.Kill()
	require.Empty(t, fourLetter(z.Addr, "srvr"))
	z.Start()
	require.Contains(t, fourLetter(z.Addr, "srvr"), "Zookeeper version")
}
