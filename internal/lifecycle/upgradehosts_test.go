package lifecycle

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/host/hostfake"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/provision"
)

func TestUpgradeRehearsesOnAHostAsTheControllerRuns(t *testing.T) {
	env, _, address := making(t)
	env.Cluster.Jenkins.Admin.Password = config.Secret("file:" + filepath.Join(t.TempDir(), "admin"))
	require.NoError(t, env.SettleImages(t.Context(), lifecycletest.Quiet))
	u := &Upgrade{New: env}
	const dir = "/var/lib/jomctl/jenkins_home.upgrades/r/rehearsal"
	_, files, err := u.rehearsalOf(dir, "http://127.0.0.1:20001")
	require.NoError(t, err)
	texts := map[string]string{}
	for _, file := range files {
		require.True(t, strings.HasPrefix(file.Path, dir+"/"), file.Path)
		texts[filepath.Base(file.Path)] = string(file.Data)
	}
	var run home.Controller
	require.NoError(t, json.Unmarshal([]byte(texts["controller.json"]), &run))
	require.Equal(t, dir+"/home", run.Home)
	require.False(t, run.AgentPort)
	require.Nil(t, run.History)
	require.Empty(t, run.Owner)
	require.Contains(t, texts["jenkins.yaml"], "clouds: []")
	require.Contains(t, texts["jenkins.yaml"], "slaveAgentPort: -1")
	require.Contains(t, strings.Join(run.Argv, " "), "-Djomctl.standin.plugins="+dir+"/plugins.json")

	c := env.controller()
	argv, err := c.rehearsalCommand(dir, "20001")
	require.NoError(t, err)
	text := strings.Join(argv, " ")
	require.True(t, strings.HasPrefix(text, "docker run --rm --name jomctl-rehearsal --network host --memory "), text)
	require.Contains(t, text, "--env HOST=127.0.0.1 --env PORT0=20001")
	require.Contains(t, text, "--volume "+c.dir+":"+c.dir+":ro")
	require.NotContains(t, text, "--volume "+c.home+":", "the home itself is not there")
	require.Regexp(t, "--entrypoint /bin/sh "+address+"/jomctl/rehearsal-controller@sha256:[0-9a-f]{64} -c exec '/usr/local/bin/jomhome' 'run'", text)

	env.Cluster.Images = nil // a plain process
	argv, err = env.controller().rehearsalCommand(dir, "20001")
	require.NoError(t, err)
	require.Equal(t, "env", argv[0])
	require.Contains(t, rehearsalIn(dir, dir+"/log", 512), "--property=MemoryMax=512M")
}

func TestUpgradeChecksTheHostsForRoom(t *testing.T) {
	env, _, address := making(t)
	pushTo(t, address+"/big:1", "")
	m := hostfake.New("a1", "10.0.0.2")
	m.On("sh", func([]string) (host.Output, error) { return hostfake.Said("0\n") })
	err := env.roomForImages(t.Context(), m, []string{address + "/nobody/knows:1"})
	require.NoError(t, err, "what cannot be known stands against nothing")
	m.On("sh", func([]string) (host.Output, error) { return hostfake.Said("no disk\n") })
	require.ErrorContains(t, env.roomForImages(t.Context(), m, nil), "room of its Docker Engine")

	u := &Upgrade{New: env}
	env.Cluster.Jenkins.App.Mem = 1 << 30
	m.On("awk", func([]string) (host.Output, error) { return hostfake.Said("2097152\n") })
	require.NoError(t, u.roomToRehearse(t.Context(), m))
	m.On("awk", func([]string) (host.Output, error) { return hostfake.Said("524288\n") })
	require.ErrorContains(t, u.roomToRehearse(t.Context(), m), "a1 has 512 MiB left")
}

func TestUpgradeAsksTwoHostsForTheRegistryAndAllForTheImages(t *testing.T) {
	env, _, address := making(t)
	require.NoError(t, env.SettleImages(t.Context(), lifecycletest.Quiet))
	u := &Upgrade{New: env, Store: &upgrade.Store{}}
	m := env.Fleet.Machine("a1").(*hostfake.Machine)
	reached, missing := true, ""
	m.On("timeout", func([]string) (host.Output, error) {
		if reached {
			return hostfake.Said("")
		}
		return hostfake.Failed(1, "", "connection refused")
	})
	m.On("sh sh", func([]string) (host.Output, error) { return hostfake.Said(missing) })
	said := func() string {
		var all []string
		u.checkImages(t.Context(), func(subject, problem, _ string) { all = append(all, subject+": "+problem) })
		return strings.Join(all, "\n")
	}
	require.Empty(t, said())
	_, own := provision.RegistryHost(env.Cluster)
	require.True(t, own, address)
	reached = false
	require.Contains(t, said(), "registry: a1 does not reach "+provision.RegistryAddress(env.Cluster))
	reached, missing = true, "x@sha256:1"
	require.Empty(t, said(), "before they are brought, nothing is missing")
	u.Store.State.FirstBackup = "b"
	require.Contains(t, said(), "x@sha256:1")
}
