package lifecycle

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

const authenticated = "components:\n  mesos: {authentication: true}\n  marathon: {basicAuth: {}}\n"

func TestSecretsAreGeneratedAndServicesWaitForThem(t *testing.T) {
	c := lifecycletest.Local(t, authenticated)
	e := environment(t, c)
	master := e.serviceSteps(provision.RoleMesosMaster)[0]
	state, err := master.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Later, state, "its credentials are not there yet")
	_, _, err = e.Marathon.Login()
	require.Error(t, err)
	require.Empty(t, e.secretFindings(), "what is missing is generated")

	step := e.passwordStep()
	require.Equal(t, "Admin password in file:.jomctl/secrets/admin, and 3 more secrets", step.Title)
	require.Equal(t, []string{"generate file:.jomctl/secrets/mesos-agent (mode 0600)", "generate file:.jomctl/secrets/mesos-marathon (mode 0600)",
		"generate file:.jomctl/secrets/marathon (mode 0600)"}, step.Changes(t.Context()))
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
	state, err = step.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Done, state)

	seen := map[string]bool{}
	for _, secret := range c.Generated() {
		path, _ := secret.Path(c)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
		value, err := secret.Resolve(c)
		require.NoError(t, err)
		require.False(t, seen[value], "each is its own")
		seen[value] = true
	}
	user, password, err := e.Marathon.Login()
	require.NoError(t, err)
	require.Equal(t, "admin", user)
	require.True(t, seen[password], "the client that was there before knows it")
	state, err = master.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Needed, state)
}

func TestSecretsThatNobodyWouldTakeAreFound(t *testing.T) {
	c := lifecycletest.Local(t, "components:\n  mesos: {authentication: true}\n  marathon: {basicAuth: {password: env:JOMCTL_TEST_NOT_SET}}\n")
	e := environment(t, c)
	findings := e.secretFindings()
	require.Len(t, findings, 1)
	require.Contains(t, findings[0].String(), "components.marathon.basicAuth.password: read secret env:JOMCTL_TEST_NOT_SET: the environment variable is not set")
	t.Setenv("JOMCTL_TEST_NOT_SET", "hunter2:colon")
	secrets := filepath.Join(c.StateDir(), "secrets")
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "mesos-agent"), []byte("hunter2"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "mesos-marathon"), []byte("long-enough"), 0o600))
	findings = e.secretFindings()
	require.Len(t, findings, 2)
	require.Contains(t, findings[0].Problem, "mesos-agent: must be 8 or more characters")
	require.Contains(t, findings[1].Problem, "without a colon")
	for _, finding := range findings {
		require.NotContains(t, finding.String(), "hunter2")
	}
}

func TestAGeneratedSecretIsNeverTakenForAFlag(t *testing.T) {
	c := lifecycletest.Local(t, "")
	for range 300 { // one in 64 would begin with a dash
		require.NoError(t, generate(c.Jenkins.Admin.Password, c))
		value, err := c.Jenkins.Admin.Password.Resolve(c)
		require.NoError(t, err)
		require.Len(t, value, 24)
		require.NotEqual(t, byte('-'), value[0])
		path, _ := c.Jenkins.Admin.Password.Path(c)
		require.NoError(t, os.Remove(path))
	}
}

func TestWithoutAuthenticationNothingIsGeneratedButTheAdminsPassword(t *testing.T) {
	c := lifecycletest.Local(t, "")
	require.Equal(t, []config.Secret{"file:.jomctl/secrets/admin"}, c.Generated())
	require.Equal(t, "Admin password in file:.jomctl/secrets/admin", environment(t, c).passwordStep().Title)
}
