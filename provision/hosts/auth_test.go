package hosts

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
)

func TestAuthenticationThatEndsLeavesNoDrift(t *testing.T) {
	r, before := withServices(t, "c1")
	require.NotEmpty(t, before)
	secrets := filepath.Join(r.c.StateDir(), "secrets")
	require.NoError(t, os.MkdirAll(secrets, 0o700))
	for _, name := range []string{"mesos-agent", "mesos-marathon", "marathon"} {
		require.NoError(t, os.WriteFile(filepath.Join(secrets, name), []byte("secret-"+name), 0o600))
	}
	apply := func() {
		for _, item := range r.services(t) {
			_, err := item.Apply(t.Context())
			require.NoError(t, err)
			done, changes, err := item.Probe(t.Context())
			require.NoError(t, err)
			require.True(t, done, "%v", changes)
		}
		found, err := r.keeper.Drift(t.Context(), r.machine)
		require.NoError(t, err)
		require.Empty(t, found)
	}
	r.c.Components.Mesos.Authentication = true
	r.c.Components.Marathon.BasicAuth = &config.BasicAuth{User: "admin", Password: "file:.jomctl/secrets/marathon"}
	apply()
	record, err := r.keeper.Read(t.Context(), r.machine)
	require.NoError(t, err)
	assert.Equal(t, "600", record.Files["/var/lib/jomctl/mesos-master/credentials.json"].Mode)
	assert.NotContains(t, r.machine.Text(RecordPath), "secret-")

	r.c.Components.Mesos.Authentication, r.c.Components.Marathon.BasicAuth = false, nil
	apply()
	assert.Empty(t, r.machine.Text("/var/lib/jomctl/mesos-master/credentials.json"))
}
