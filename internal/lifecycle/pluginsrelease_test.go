package lifecycle

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles/resolve"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
)

// releaseSite serves a war and plugins, and keeps a release of them beside the cluster file.
type releaseSite struct {
	files map[string][]byte
	lock  resolve.Lock
	asked []string
	url   string
}

// newReleaseSite is a cluster that takes war and plugins from the release: on target local the file would have to say so.
func newReleaseSite(t *testing.T) (*releaseSite, *config.Cluster) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	s := &releaseSite{files: map[string][]byte{"/jenkins.war": lifecycletest.War(t, "2.568.3")}, lock: resolve.Lock{Core: "2.568.3"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked = append(s.asked, r.URL.Path)
		data, ok := s.files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	dir := t.TempDir()
	for _, name := range []string{"configuration-as-code", "instance-identity", "mesos", "metrics"} {
		plugin := resolve.Plugin{Name: name, Version: "2.0", RequiredCore: "2.164", URL: s.url + "/" + name}
		if name == "mesos" {
			plugin.Needs = []resolve.Need{{Name: "metrics", Version: "2.0"}}
		}
		pluginFile(t, dir, name, "2.0")
		data, err := os.ReadFile(filepath.Join(dir, name+".hpi"))
		require.NoError(t, err)
		s.files["/"+name], plugin.SHA256, plugin.Size = data, lifecycletest.SHA256(data), int64(len(data))
		s.lock.Plugins = append(s.lock.Plugins, plugin)
	}
	c := lifecycletest.Local(t, "release: ./mine\n")
	s.write(t, c)
	c.Jenkins.War = ""
	return s, c
}

func (s *releaseSite) write(t *testing.T, c *config.Cluster) {
	t.Helper()
	dir := filepath.Join(c.Dir(), "mine")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	bundle := "name: mine\ncore: {version: 2.568.3, url: '" + s.url + "/jenkins.war', sha256: " + lifecycletest.SHA256(s.files["/jenkins.war"]) + "}\njava: [21]\nline: http\ntemplate: app.json.tmpl\n"
	for name, text := range map[string]string{"bundle.yaml": bundle, "plugins.lock": s.lock.String()} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
}

func TestTheReleasesPluginsComeWithItsWar(t *testing.T) {
	s, c := newReleaseSite(t)
	controller := environment(t, c).controller()
	require.Empty(t, controller.pluginFindings(), "before anything is fetched the lock tells")
	require.True(t, controller.hasPlugin(pluginCasc))
	require.Empty(t, controller.lockNotes())
	w := controller.war
	require.False(t, w.Cached())
	require.Len(t, w.Changes(), 2)
	require.Contains(t, w.Changes()[1], "copy 4 plugins of the release")

	require.NoError(t, w.Fetch(t.Context(), lifecycletest.Quiet))
	require.True(t, w.Cached())
	require.Empty(t, w.Changes())
	require.Len(t, s.asked, 5)
	require.Equal(t, w.Plugins.Dir, controller.plugins())
	files, err := filepath.Glob(filepath.Join(controller.plugins(), "*.hpi"))
	require.NoError(t, err)
	require.Len(t, files, 4)
	data, err := os.ReadFile(filepath.Join(controller.plugins(), "mesos.hpi"))
	require.NoError(t, err)
	require.Equal(t, s.files["/mesos"], data)

	require.NoError(t, os.RemoveAll(w.Plugins.Dir))
	require.False(t, w.Cached(), "the war alone is not enough")
	require.NoError(t, w.Fetch(t.Context(), lifecycletest.Quiet))
	require.Len(t, s.asked, 5, "what was downloaded once is kept")
	info, err := os.Stat(files[0])
	require.NoError(t, err)
	require.Zero(t, info.ModTime().Unix(), "and it does not look new")
}

func TestAPluginThatIsNotTheReleasesIsRefused(t *testing.T) {
	s, c := newReleaseSite(t)
	s.files["/metrics"] = []byte("malware")
	w := environment(t, c).controller().war
	err := w.Fetch(t.Context(), lifecycletest.Quiet)
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, err.Error(), lifecycletest.SHA256([]byte("malware")))
	require.False(t, w.Cached())
	require.NoDirExists(t, w.Plugins.Dir)
	left, err := os.ReadDir(filepath.Dir(w.Plugins.Dir))
	require.NoError(t, err)
	require.Empty(t, left)
	delete(s.files, "/metrics")
	require.ErrorContains(t, w.Fetch(t.Context(), lifecycletest.Quiet), "404")
}

func TestPluginsOfOnesOwnAreLeftAlone(t *testing.T) {
	_, c := newReleaseSite(t)
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

func TestAnotherLockIsAnotherFolder(t *testing.T) {
	s, c := newReleaseSite(t)
	before := environment(t, c).controller().war
	require.NoError(t, before.Fetch(t.Context(), lifecycletest.Quiet))
	s.lock.Plugins[0].SHA256 = strings.Repeat("0", 64)
	s.write(t, c)
	after := environment(t, c).controller().war
	require.NotEqual(t, before.Plugins.Dir, after.Plugins.Dir)
	require.True(t, before.Cached())
	require.False(t, after.Cached())
}
