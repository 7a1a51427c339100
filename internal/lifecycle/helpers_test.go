package lifecycle

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
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

// warFile is a war with a manifest and further entries.
func warFile(t *testing.T, version string, entries ...string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	archive := zip.NewWriter(&buffer)
	manifest, err := archive.Create("META-INF/MANIFEST.MF")
	require.NoError(t, err)
	_, err = manifest.Write([]byte("Manifest-Version: 1.0\r\nJenkins-Version: " + version + "\r\n"))
	require.NoError(t, err)
	for _, entry := range entries {
		_, err := archive.Create(entry)
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	return buffer.Bytes()
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

func quiet(string, ...any) {}

// clusterWith is a local cluster in a folder of its own.
func clusterWith(t *testing.T, more string) *config.Cluster {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	require.NoError(t, os.WriteFile(file, []byte("apiVersion: jomctl/v1\nname: ci\ntarget: local\n"+more), 0o600))
	c, err := config.Load(file)
	require.NoError(t, err)
	return c
}
