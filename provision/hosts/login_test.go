package hosts

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision"
)

func TestTheLoginOfAHost(t *testing.T) {
	t.Setenv("REGISTRY_PASSWORD", "s3cret")
	r := newRig(t, "a1", func(c *config.Cluster) {
		c.Registry = &config.Registry{Address: "registry.example:443", User: "ci", Password: "env:REGISTRY_PASSWORD"}
	})
	var login provision.Item
	for _, item := range Base(r.c, r.h, r.machine, r.facts, r.helpers, r.keeper) {
		switch i := item.(kept).Item.(type) {
		case Login:
			login = item
		case Engine:
			assert.Empty(t, i.Registry, "a registry that gets a password must prove who it is")
		}
	}
	require.NotNil(t, login)
	done, changes, err := login.Probe(t.Context())
	require.NoError(t, err)
	require.False(t, done)
	require.Equal(t, []string{"a1: write /var/lib/jomctl/docker/config.json"}, changes)
	changed, err := login.Apply(t.Context())
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, `{"auths":{"registry.example:443":{"auth":"Y2k6czNjcmV0"}}}`+"\n", r.machine.Text("/var/lib/jomctl/docker/config.json"))
	record, err := ReadRecord(t.Context(), r.machine)
	require.NoError(t, err)
	require.Equal(t, "600", record.Files["/var/lib/jomctl/docker/config.json"].Mode)
	done, _, err = login.Probe(t.Context())
	require.NoError(t, err)
	require.True(t, done)

	t.Setenv("REGISTRY_PASSWORD", "another")
	done, _, err = login.Probe(t.Context())
	require.NoError(t, err)
	require.False(t, done)
}
