package provision

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/testkit"
)

func TestARealEnsembleOfThreeElectsALeader(t *testing.T) {
	c := newConfig(t, func(c *config.Cluster) { c.Local.Control = 3 })
	f := newFleet(t, c, installed(t, c))
	services := f.Services(RoleZooKeeper)
	require.Len(t, services, 3)
	apply(t, services...)
	modes := map[string]int{}
	testkit.Eventually(t, 40*time.Second, "all three serve", func(context.Context) bool {
		clear(modes)
		for _, server := range ZooKeeperServers(c) {
			for line := range strings.Lines(fourLetter(server, "srvr")) {
				if mode, ok := strings.CutPrefix(line, "Mode: "); ok {
					modes[strings.TrimSpace(mode)]++
				}
			}
		}
		return modes["leader"] == 1 && modes["follower"] == 2
	})
	assert.Contains(t, fourLetter(ZooKeeperServers(c)[0], "conf"), "minSessionTimeout=2000")
	assert.Contains(t, logOf(services[0]), "INFO", "the log is written")

	require.NoError(t, services[2].Remove(t.Context()))
	assert.Empty(t, fourLetter(ZooKeeperServers(c)[2], "srvr"))
	_, err := services[2].Host.Stat(t.Context(), services[2].Dirs[0])
	assert.Error(t, err, "its data is gone")
}

func TestASingleServerHasNoEnsemble(t *testing.T) {
	c := newConfig(t)
	s := newFleet(t, c, standins()).Services(RoleZooKeeper)
	require.Len(t, s, 1)
	assert.NotContains(t, string(s[0].Files[0].Data), "server.1")
	for _, file := range s[0].Files {
		assert.NotContains(t, file.Path, "myid")
	}
}
