package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
)

func TestTheReleasesPluginsAreKnownBeforeTheyAreFetched(t *testing.T) {
	_, c := lifecycletest.NewReleaseSite(t)
	controller := environment(t, c).controller()
	require.Empty(t, controller.pluginFindings(), "before anything is fetched the lock tells")
	require.True(t, controller.hasPlugin(pluginCasc))
	require.Empty(t, controller.lockNotes())

	require.NoError(t, controller.war.Fetch(t.Context(), lifecycletest.Quiet))
	require.True(t, controller.war.Cached())
	require.Equal(t, controller.war.Plugins.Dir, controller.plugins())
}

func TestPluginsOfOnesOwnAreLeftAlone(t *testing.T) {
	_, c := lifecycletest.NewReleaseSite(t)
	before := environment(t, c).controller().war.Plugins
	require.NotEmpty(t, before.Dir)
	c.Jenkins.Plugins = "./hpi"
	require.Empty(t, environment(t, c).controller().war.Plugins.Dir)
	c.Jenkins.Plugins, c.Jenkins.War = "", "./jenkins.war"
	require.Empty(t, environment(t, c).controller().war.Plugins.Dir)
	c.Jenkins.War, c.Release = "", "legacy"
	require.Empty(t, environment(t, c).controller().war.Plugins.Dir, "an incomplete release brings none")
	require.NotEmpty(t, environment(t, c).controller().pluginFindings())
}
