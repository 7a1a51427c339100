package cli

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

const hostsFile = `apiVersion: jomctl/v1
name: ci
target: hosts
hosts:
  - {name: m1, address: 127.0.99.1, roles: [control]} # mine
  - {name: a1, address: 127.0.99.2, roles: [mesos-agent]}
  - {name: a2, address: 127.0.99.3, roles: [mesos-agent]}
components:
  mesos: {source: standin}
  marathon: {source: standin}
jenkins: {war: standin}
ssh: {user: admin}
`

func TestWhatIsTypedAboutHostsIsChecked(t *testing.T) {
	for line, want := range map[string]struct {
		args []string
		code int
	}{
		"a3 needs an address":          {[]string{"agents", "add", "a3"}, 2},
		"want KEY=VALUE":               {[]string{"agents", "add", "a3", "--address", "10.0.0.1", "--attribute", "rack"}, 2},
		"--address is for one host":    {[]string{"agents", "add", "a3", "a4", "--address", "10.0.0.1"}, 2},
		"a1 is in":                     {[]string{"agents", "add", "a1=127.0.99.9"}, 3},
		"there is no Mesos agent a9":   {[]string{"agents", "remove", "a9"}, 3},
		"m1 is no Mesos agent":         {[]string{"agents", "remove", "m1"}, 3},
		"bear no more failures than 1": {[]string{"control", "add", "m2=10.0.0.2"}, 3},
		"no control host would be":     {[]string{"control", "remove", "m1"}, 3},
		"there is no control host m9":  {[]string{"control", "remove", "m9"}, 3},
		"0 builds: want 1 to 50":       {[]string{"control", "add", "m2=10.0.0.2", "m3=10.0.0.3", "--proof-builds", "0"}, 2},
		"where there are three":        {[]string{"control", "replace", "m1", "m2=10.0.0.2"}, 3},
		"requires at least 1 arg":      {[]string{"agents", "drain"}, 2},
		"accepts 2 arg(s), received 1": {[]string{"control", "replace", "m1"}, 2},
	} {
		t.Run(line, func(t *testing.T) {
			b := newBench(t)
			b.write("cluster.yaml", hostsFile)
			code, out, stderr := b.run(append(want.args, "--yes")...)
			require.Equal(t, want.code, code, stderr)
			require.Contains(t, stderr, line)
			require.Empty(t, out)
			text, err := os.ReadFile(b.path("cluster.yaml"))
			require.NoError(t, err)
			require.Equal(t, hostsFile, string(text), "nothing was changed")
		})
	}
}

func TestAClusterThatDoesNotAnswerHasNoAgentsToList(t *testing.T) {
	b := newBench(t)
	b.write("cluster.yaml", "apiVersion: jomctl/v1\nname: ci\ntarget: local\nlocal: {address: 127.0.98.0}\n")
	code, out, stderr := b.run("agents", "list", "-o", "json")
	require.Equal(t, 1, code, stderr)
	require.Contains(t, decode(t, out), "error")
	require.Contains(t, stderr, "127.0.98.10:5050")
}
