package lifecycle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
)

// realWar is a cluster with a war of the user's own, and the folder of its plugins.
func realWar(t *testing.T, version string, entries ...string) (c *config.Cluster, plugins string) {
	t.Helper()
	c = lifecycletest.Local(t, "jenkins: {war: ./jenkins.war, plugins: ./hpi}\n")
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir(), "jenkins.war"), lifecycletest.War(t, version, entries...), 0o600))
	return c, filepath.Join(c.Dir(), "hpi")
}

func pluginProblems(t *testing.T, c *config.Cluster) []string {
	t.Helper()
	var problems []string
	for _, finding := range environment(t, c).controller().pluginFindings() {
		require.Equal(t, "jenkins.plugins", finding.Subject)
		require.NotEmpty(t, finding.Fix)
		problems = append(problems, finding.Problem)
	}
	return problems
}

func TestWhatThePluginsLackIsSaidBeforeJenkinsComesUpWithoutThem(t *testing.T) {
	c, dir := realWar(t, "2.568.2-SNAPSHOT (private-11/21/2026 07:16 GMT-me)")
	lifecycletest.Plugin(t, dir, "mesos", "2.0", "Jenkins-Version: 2.164", "Plugin-Dependencies: metrics:4.0.2.5")
	require.Equal(t, []string{
		"mesos 2.0 needs the plugin metrics 4.0.2.5 or newer, which was found nowhere",
		"the war does not bring the plugin instance-identity, without which no build agent can connect",
	}, pluginProblems(t, c))

	lifecycletest.Plugin(t, dir, "instance-identity", "203.v15e81a_1b_7a_38")
	lifecycletest.Plugin(t, dir, "metrics", "4.0.1", "Plugin-Dependencies: jackson2-api:2.9,variant:1.1;resolution:=optional")
	require.Equal(t, []string{
		"mesos 2.0 needs the plugin metrics 4.0.2.5 or newer, and it is 4.0.1",
		"metrics 4.0.1 needs the plugin jackson2-api 2.9 or newer, which was found nowhere",
	}, pluginProblems(t, c))

	lifecycletest.Plugin(t, dir, "metrics", "4.2.37-494.v06f9a_939d33a_", "Plugin-Dependencies: jackson2-api:2.9")
	lifecycletest.Plugin(t, dir, "jackson2-api", "2.21.2-436.v29efdb_7418ff", "Jenkins-Version: 2.568.2")
	require.Empty(t, pluginProblems(t, c))

	lifecycletest.Plugin(t, dir, "unrelated", "1", "Plugin-Dependencies: nonesuch:1")
	require.Empty(t, pluginProblems(t, c), "what the builds do not need stands in nobody's way")
	lifecycletest.Plugin(t, dir, "configuration-as-code", "2082.vdb_db_4622e9fa_", "Jenkins-Version: 2.580.1")
	require.Equal(t, []string{"configuration-as-code 2082.vdb_db_4622e9fa_ needs Jenkins 2.580.1, and the war is 2.568.2-SNAPSHOT (private-11/21/2026 07:16 GMT-me)"},
		pluginProblems(t, c))

	require.NoError(t, os.WriteFile(filepath.Join(dir, "configuration-as-code.hpi"), []byte("<html>"), 0o600))
	problems := pluginProblems(t, c)
	require.Len(t, problems, 1)
	require.Contains(t, problems[0], "configuration-as-code.hpi: zip: not a valid zip")
}

func TestPluginsAreKnownByTheirNameWhereverTheyAre(t *testing.T) {
	c, dir := realWar(t, "2.568.2", "WEB-INF/detached-plugins/instance-identity.hpi")
	env := environment(t, c)
	lifecycletest.Plugin(t, filepath.Join(env.controller().home, "plugins"), "mesos", "1.0.0")
	require.Equal(t, []string{"the Mesos plugin " + env.controller().home + "/plugins/mesos.hpi is 1.0.0, and `line: http` is 2.0"}, pluginProblems(t, c))

	lifecycletest.Plugin(t, dir, "mesos", "2.0")
	require.NoError(t, os.Rename(filepath.Join(dir, "mesos.hpi"), filepath.Join(dir, "mesos-2.0.hpi")))
	require.Empty(t, pluginProblems(t, c), "what is given replaces what the home has")
	require.True(t, env.controller().hasPlugin("mesos"))
	require.False(t, env.controller().hasPlugin("git"))
}

func TestClearlyOlder(t *testing.T) {
	for _, tc := range []struct {
		version, than string
		want          bool
	}{
		{"4.0.1", "4.0.2.5", true}, {"4.2.37-494.v06f9a", "4.0.2.5", false}, {"1.36", "2082.vdb_db", true}, {"2082.vdb_db", "1.36", false},
		{"2.0-SNAPSHOT", "2.0", false}, {"2.0", "", false}, {"", "2", false}, {"2.568", "2.568.2", false}, {"2.555.3", "2.568", true},
	} {
		require.Equal(t, tc.want, clearlyOlder(tc.version, tc.than), "%s than %s", tc.version, tc.than)
	}
}

func TestTheCloudIsReadBackFromARealController(t *testing.T) {
	c, _ := realWar(t, "2.568.2")
	require.Equal(t, "jenkins-ci-e1", environment(t, c).controller().want().FrameworkID)
	require.Empty(t, environment(t, lifecycletest.Local(t, "")).controller().want().FrameworkID)
}

func TestACloudWithoutConfigurationAsCodeIsMergedAtEachStart(t *testing.T) {
	c, dir := realWar(t, "2.568.2")
	controller := environment(t, c).controller()
	require.Equal(t, controller.cloudsFile(), controller.run().Clouds)
	require.Empty(t, controller.run().Env)
	lifecycletest.Plugin(t, dir, "configuration-as-code", "2082.vdb_db_4622e9fa_")
	controller = environment(t, c).controller()
	require.Empty(t, controller.run().Clouds)
	require.Equal(t, []string{"CASC_JENKINS_CONFIG=" + controller.cascFile()}, controller.run().Env)
}

func TestWhatDiffersFromTheLockIsTold(t *testing.T) {
	c, dir := realWar(t, "2.568.3")
	env := environment(t, c)
	mesos, has := env.Release.Lock.Plugin("mesos")
	require.True(t, has)
	lifecycletest.Plugin(t, dir, "mesos", mesos.Version)
	lifecycletest.Plugin(t, dir, "git", "5.0.0")
	notes := strings.Join(env.Notes(), "\n")
	require.Contains(t, notes, "91 of the 93 plugins of release default are not there: antisamy-markup-formatter 173.v680e3a_b_69ff3, ")
	require.Contains(t, notes, " and 71 more; `jomctl release fetch default --to DIR` brings a war with all its plugins")
	require.Contains(t, notes, "plugins in other versions than those of release default: git 5.0.0 (locked 5.10.1)")
	for _, plugin := range env.Release.Lock.Plugins {
		lifecycletest.Plugin(t, dir, plugin.Name, plugin.Version)
	}
	require.NotContains(t, strings.Join(env.Notes(), "\n"), "of release default")

	other, _ := realWar(t, "2.568.2")
	require.NotContains(t, strings.Join(environment(t, other).Notes(), "\n"), "of release default", "the lock is for another core")
}

func TestTheLockedVersionIsWhereAMissingPluginComesFrom(t *testing.T) {
	c, dir := realWar(t, "2.568.3", "WEB-INF/detached-plugins/instance-identity.hpi")
	findings := environment(t, c).controller().pluginFindings()
	require.Len(t, findings, 1)
	require.Contains(t, findings[0].Fix, "mesos 2.0 of release default, https://updates.jenkins.io/download/plugins/mesos/2.0/mesos.hpi")
	require.Contains(t, findings[0].Fix, "jomctl release fetch default")
	lifecycletest.Plugin(t, dir, "mesos", "2.0", "Plugin-Dependencies: metrics:4.0.2.5,nosuch:7,git:99")
	var fixes []string
	for _, finding := range environment(t, c).controller().pluginFindings() {
		fixes = append(fixes, finding.Fix)
	}
	require.Len(t, fixes, 3)
	require.Contains(t, fixes[0], "metrics 4.2.37-494.v06f9a_939d33a_ of release default")
	require.Contains(t, fixes[1], "plugins/nosuch/7/nosuch.hpi", "the release does not have it")
	require.Contains(t, fixes[2], "plugins/git/99/git.hpi", "the release's is too old")

	c.Release = "legacy"
	require.Contains(t, environment(t, c).controller().fetchHint(), "docs/troubleshooting.md")
}
