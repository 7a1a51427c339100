package lifecycle

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/op"
)

// taking is a host that takes files.
type taking struct {
	*host.Local
	took []string
}

func (m *taking) Upload(ctx context.Context, source, name string, mode fs.FileMode) (bool, error) {
	data, err := os.ReadFile(source)
	if err != nil {
		return false, err
	}
	m.took = append(m.took, filepath.Base(name))
	return m.WriteFile(ctx, name, data, mode)
}

func TestWarAndPluginsComeToTheControllersHosts(t *testing.T) {
	env, _, _ := making(t)
	env.Cluster.Images = nil // a plain process
	dir := env.Cluster.Dir()
	plugins := filepath.Join(dir, "plugins")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "jenkins.war"), lifecycletest.War(t, "2.568.2"), 0o600))
	require.NoError(t, os.Mkdir(plugins, 0o700))
	lifecycletest.Plugin(t, plugins, "mesos", "2.0")
	env.Cluster.Jenkins.War = "jenkins.war"
	c := env.controller()
	require.NoError(t, c.war.Fetch(t.Context(), lifecycletest.Quiet))
	local, err := host.NewLocal("a1", "127.0.0.1", t.TempDir(), "/bin/true")
	require.NoError(t, err)
	m := &taking{Local: local}
	c.on, c.dir = []host.Machine{m}, filepath.Join(m.Dir(), "controller")

	bring := func() (here []string) {
		t.Helper()
		all, err := c.toBring()
		require.NoError(t, err)
		lacking, err := c.lacking(t.Context(), all)
		require.NoError(t, err)
		m.took = nil
		for _, one := range lacking {
			require.NoError(t, c.bring(t.Context(), one, all, lifecycletest.Quiet))
		}
		return m.took
	}
	require.Equal(t, []string{"jenkins.war", "mesos.jpi"}, bring())
	require.Equal(t, filepath.Join(c.programDir(), "jenkins.war"), c.run().Argv[slices.Index(c.run().Argv, "-jar")+1])
	require.FileExists(t, filepath.Join(c.programDir(), "plugins", "mesos.jpi"))
	require.Empty(t, bring(), "it is there")
	before, err := c.digest(nil)
	require.NoError(t, err)

	require.NoError(t, os.Remove(filepath.Join(plugins, "mesos.hpi")))
	lifecycletest.Plugin(t, plugins, "git", "5.7.0")
	require.Equal(t, []string{"jenkins.war", "git.jpi"}, bring())
	require.NoFileExists(t, filepath.Join(c.programDir(), "plugins", "mesos.jpi"), "what nobody wants any more goes")
	after, err := c.digest(nil)
	require.NoError(t, err)
	require.NotEqual(t, before, after, "the controller must be started anew to see it")
	require.Equal(t, "git", c.run().PluginLock[0].Name)

	old := c.programDir()
	release := *env.Release
	release.Core.Version = "2.600.1"
	env.Release, c.env = &release, env
	require.NotEqual(t, old, c.programDir())
	require.Equal(t, []string{"jenkins.war", "git.jpi"}, bring(), "another release has its own folder")
	require.FileExists(t, filepath.Join(old, "jenkins.war"), "and the files of the last one stay for the way back")

	env.Cluster.Images = &config.Images{UserID: 1000}
	all, err := env.controller().toBring()
	require.NoError(t, err)
	require.Empty(t, all, "its image has them")
	state := probed(t, op.Step{Probe: env.bringStep().Probe})
	require.Equal(t, op.Later, state, "the programs of the hosts are not known")
}
