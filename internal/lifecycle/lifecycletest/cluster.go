// Package lifecycletest has the clusters and files that tests of lifecycle and of the packages below it share.
package lifecycletest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
)

// OwnHosts is the text of a cluster file as a person writes it, with remarks and hosts in several forms: control host m1, Mesos agents a1 and a2.
const OwnHosts = `# Mine: keep this.
apiVersion: jomctl/v1
name: ci
target: hosts
hosts:
  - {name: m1, address: 10.0.0.1, roles: [control]} # the old box
  # The home is on this one.
  - name: a1
    address: 10.0.0.2
    roles: [mesos-agent]
    attributes:
      rack: r1
  - {name: a2, address: 10.0.0.3,
     roles: [mesos-agent]}

# And this.
ssh: {user: admin}
`

// ControlHosts is the text of a cluster file with n control hosts, m1 at 10.0.0.1 and so on, and one Mesos agent, a1 at 10.0.0.50.
func ControlHosts(n int) string {
	var text strings.Builder
	text.WriteString("apiVersion: jomctl/v1\nname: ci\ntarget: hosts\nhosts:\n")
	for i := range n {
		fmt.Fprintf(&text, "  - {name: m%d, address: 10.0.0.%d, roles: [control]}\n", i+1, i+1)
	}
	return text.String() + "  - {name: a1, address: 10.0.0.50, roles: [mesos-agent]} # the home\nssh: {user: admin}\n"
}

// Written is the cluster of a cluster file with that text, in a folder of its own.
func Written(t testing.TB, text string) *config.Cluster {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	c, err := config.Load(file)
	require.NoError(t, err)
	return c
}

// Installed is a written cluster that was installed as its file says.
func Installed(t testing.TB, text string) *config.Cluster {
	t.Helper()
	c := Written(t, text)
	require.NoError(t, record.WriteInstalled(c))
	return c
}

// Local is a written cluster of target local, with more lines in its file.
func Local(t testing.TB, more string) *config.Cluster {
	t.Helper()
	return Written(t, "apiVersion: jomctl/v1\nname: ci\ntarget: local\n"+more)
}

// Quiet is an op.Say that tells nobody.
func Quiet(string, ...any) {}
