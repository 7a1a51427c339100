package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/clusterfile"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
)

const ownHostsFile = `# Mine: keep this.
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

func writtenCluster(t *testing.T, text string) *config.Cluster {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	c, err := config.Load(file)
	require.NoError(t, err)
	return c
}

// controlFile is a cluster with so many control hosts, m1 and so on, and one Mesos agent.
func controlFile(n int) string {
	var text strings.Builder
	text.WriteString("apiVersion: jomctl/v1\nname: ci\ntarget: hosts\nhosts:\n")
	for i := range n {
		fmt.Fprintf(&text, "  - {name: m%d, address: 10.0.0.%d, roles: [control]}\n", i+1, i+1)
	}
	return text.String() + "  - {name: a1, address: 10.0.0.50, roles: [mesos-agent]} # the home\nssh: {user: admin}\n"
}

func installedAs(t *testing.T, c *config.Cluster) {
	t.Helper()
	require.NoError(t, os.MkdirAll(c.StateDir(), 0o700))
	require.NoError(t, os.WriteFile(record.InstalledFile(c.StateDir()), config.Show(c), 0o600))
}

// installedCluster is one that was installed as its file says.
func installedCluster(t *testing.T, text string) *config.Cluster {
	t.Helper()
	c := writtenCluster(t, text)
	installedAs(t, c)
	return c
}

func hostsOf(names ...string) []clusterfile.NewHost {
	var news []clusterfile.NewHost
	for _, name := range names {
		news = append(news, clusterfile.NewHost{Name: name, Address: "10.0.1." + name[1:]})
	}
	return news
}
