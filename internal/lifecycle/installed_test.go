package lifecycle

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
)

// recorded does what an install does before it starts anything.
func recorded(t *testing.T, c *config.Cluster) {
	t.Helper()
	step := environment(t, c).recordStep()
	state, err := step.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Needed, state)
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
	state, err = step.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Done, state)
}

// edited is the same cluster after its file was changed.
func edited(t *testing.T, c *config.Cluster, text string) *config.Cluster {
	t.Helper()
	require.NoError(t, os.WriteFile(c.File, []byte("apiVersion: jomctl/v1\ntarget: local\n"+text), 0o600))
	now, err := config.Load(c.File)
	require.NoError(t, err)
	return now
}

func TestWhatCannotBeChangedOnALivingClusterIsRefused(t *testing.T) {
	const c1, a1, a2 = "{name: c1, address: 127.0.10.10, roles: [control]}", "{name: a1, address: 127.0.10.21, roles: [mesos-agent]}", "{name: a2, address: 127.0.10.22, roles: [mesos-agent]}"
	for name, test := range map[string]struct{ text, subject, fix string }{
		"name":           {"name: other\n", "name: other", "set it back to ci"},
		"network":        {"name: ci\nlocal: {address: 127.0.68.0}\n", "local.address: 127.0.68.0", "set it back to 127.0.10.0"},
		"control hosts":  {"name: ci\nlocal: {control: 3}\n", "the control hosts: c1, c2, c3", "set it back to c1"},
		"host renamed":   {"name: ci\nhosts: [" + c1 + ", " + a1 + ", {name: b2, address: 127.0.10.22, roles: [mesos-agent]}]\n", "hosts.b2.name: b2", "set it back to a2"},
		"host moved":     {"name: ci\nhosts: [" + c1 + ", " + a1 + ", {name: a2, address: 127.0.10.32, roles: [mesos-agent]}]\n", "hosts.a2.address: 127.0.10.32", "set it back to 127.0.10.22"},
		"home's host":    {"name: ci\nhosts: [" + c1 + ", " + a2 + ", " + a1 + "]\n", "jenkins.home: ", "hosts/a1/jenkins_home"},
		"host with home": {"name: ci\nhosts: [" + c1 + ", " + a2 + "]\n", "jenkins.home: ", "hosts/a1/jenkins_home"},
		"hosts written":  {"name: ci\nlocal: {address: 127.0.77.0}\nhosts: [" + c1 + ", " + a2 + "]\n", "jenkins.home: ", "hosts/a1/jenkins_home"},
		"home":           {"name: ci\njenkins: {home: {path: /srv/home}}\n", "jenkins.home: /srv/home", "hosts/a1/jenkins_home"},
		"admin":          {"name: ci\njenkins: {admin: {user: boss}}\n", "jenkins.admin.user: boss", "set it back to admin"},
		"real Mesos":     {"name: ci\ncomponents: {mesos: {source: {path: /opt/mesos}}}\n", "components.mesos.source: real", "set it back to stand-in"},
		"real Marathon":  {"name: ci\ncomponents: {marathon: {source: {path: /opt/m}}, mesos: {source: standin}}\n", "components.marathon.source: real", "set it back to stand-in"},
		"real Jenkins":   {"name: ci\njenkins: {war: /srv/jenkins.war}\n", "jenkins.war: real", "set it back to stand-in"},
	} {
		t.Run(name, func(t *testing.T) {
			c := lifecycletest.Local(t, "")
			recorded(t, c)
			findings := environment(t, edited(t, c, test.text)).Preflight()
			require.NotEmpty(t, findings)
			require.Contains(t, findings[0].Subject, c.File+": "+test.subject)
			require.Contains(t, findings[0].Fix, test.fix)
			require.Contains(t, findings[0].Fix, "jomctl destroy")
		})
	}
}

func TestWhatCanBeChangedIsNotRefused(t *testing.T) {
	for _, text := range []string{
		"name: ci\n", "name: ci\nlocal: {agents: 3}\n", "name: ci\nlocal: {agents: 1}\n", "name: ci\nlocal: {resources: {mem: 4GiB}}\n",
		"name: ci\njenkins: {app: {mem: 2GiB, cpus: 2}, cloud: {templates: [{label: big}]}}\n",
		"name: ci\nhosts: [{name: c1, address: 127.0.10.10, roles: [control]}, {name: a1, address: 127.0.10.21, roles: [mesos-agent]}, {name: new, address: 127.0.10.40, roles: [mesos-agent]}]\n",
	} {
		c := lifecycletest.Local(t, "")
		recorded(t, c)
		findings, err := environment(t, edited(t, c, text)).changed()
		require.NoError(t, err)
		require.Empty(t, findings, text)
	}
}

func TestTheRecordIsReadWithoutTheFile(t *testing.T) {
	c := lifecycletest.Local(t, "jenkins: {admin: {password: file:pass}}\n")
	_, err := record.Installed(c.File)
	require.ErrorIs(t, err, fs.ErrNotExist)
	recorded(t, c)
	require.NoError(t, os.Remove(c.File))
	installed, err := record.Installed(c.File)
	require.NoError(t, err)
	require.Equal(t, config.Show(c), config.Show(installed))
	path, _ := installed.Jenkins.Admin.Password.Path(installed)
	require.Equal(t, filepath.Join(c.Dir(), "pass"), path, "relative to the user's file, not to the record")

	require.NoError(t, os.WriteFile(record.InstalledFile(c.StateDir()), []byte("nonsense"), 0o600))
	_, err = record.Installed(c.File)
	require.ErrorContains(t, err, "installed.yaml cannot be used")
	require.NotEmpty(t, environment(t, c).Preflight(), "what is installed is not known: nothing may be started")
}

func TestWhatTheFileNoLongerHasIsStoppedAndRemoved(t *testing.T) {
	c := lifecycletest.Local(t, "local: {agents: 3}\n")
	env := environment(t, c)
	require.Empty(t, env.leftoverStages())
	executable, err := os.Executable()
	require.NoError(t, err)
	for _, name := range []string{"a1", "a3"} {
		m, err := host.NewLocal(name, "", filepath.Join(env.hostsDir(), name), executable)
		require.NoError(t, err)
		unit := host.Unit{Name: "mesos-agent", Argv: []string{"/bin/sleep", "1000"}, Dir: "/", KillMode: host.KillGroup, LogFile: host.Path(m, "log", "x.log")}
		_, err = m.Units().Apply(t.Context(), unit)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Units().Remove(context.Background(), "mesos-agent")) })
	}
	require.Empty(t, env.leftoverStages(), "all is in the file")

	env = environment(t, edited(t, c, "name: ci\n"))
	require.Len(t, env.differs(), 1)
	require.Equal(t, "host a3", env.differs()[0].Subject)
	stages := env.leftoverStages()
	require.Len(t, stages, 1)
	require.Len(t, stages[0].Steps, 1)
	step := stages[0].Steps[0]
	require.Contains(t, step.Changes(t.Context())[0], "host a3")
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
	state, err := step.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, op.Done, state)
	require.NoDirExists(t, filepath.Join(env.hostsDir(), "a3"))
	require.Empty(t, env.leftoverStages())
	units, err := env.Fleet.Machine("a1").Units().List(t.Context())
	require.NoError(t, err)
	require.True(t, units[0].Running, "what the file has is left alone")
}

func TestAHostWithTheHomeIsNeverRemoved(t *testing.T) {
	c := lifecycletest.Local(t, "")
	home := filepath.Join(c.StateDir(), "hosts", "old", "jenkins_home")
	require.NoError(t, os.MkdirAll(home, 0o755))
	c.Jenkins.Home.Path = home
	env := environment(t, c)
	step := env.leftoverStages()[0].Steps[0]
	require.ErrorContains(t, step.Do(t.Context(), lifecycletest.Quiet), "the home "+home+" is there")
	require.DirExists(t, home)
}
