package lifecycletest

import (
	"archive/zip"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles/resolve"
	"github.com/jomctl/jomctl/internal/config"
)

// Plugin writes dir/name.hpi, a plugin with further lines in its manifest.
func Plugin(t testing.TB, dir, name, version string, more ...string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	file, err := os.Create(filepath.Join(dir, name+".hpi"))
	require.NoError(t, err)
	defer file.Close()
	archive := zip.NewWriter(file)
	manifest, err := archive.Create("META-INF/MANIFEST.MF")
	require.NoError(t, err)
	text := "Manifest-Version: 1.0\nShort-Name: " + name + "\nPlugin-Version: " + version + "\n"
	for _, line := range more {
		text += line + "\n"
	}
	_, err = manifest.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, archive.Close())
}

// ReleaseSite serves the war and the plugins of a release, which it keeps as `mine` beside a cluster file.
type ReleaseSite struct {
	// Files are what is served, by their paths; Asked are the paths that were asked for.
	Files map[string][]byte
	Asked []string
	// Lock is that of the release.
	Lock resolve.Lock
	url  string
}

// NewReleaseSite is a site with four plugins, and a cluster that takes war and plugins from the release: on target local the file would have to
// say so. The user's store of downloads is an empty one.
func NewReleaseSite(t *testing.T) (*ReleaseSite, *config.Cluster) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	s := &ReleaseSite{Files: map[string][]byte{"/jenkins.war": War(t, "2.568.3")}, Lock: resolve.Lock{Core: "2.568.3"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Asked = append(s.Asked, r.URL.Path)
		data, ok := s.Files[r.URL.Path]
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
		Plugin(t, dir, name, "2.0")
		data, err := os.ReadFile(filepath.Join(dir, name+".hpi"))
		require.NoError(t, err)
		s.Files["/"+name], plugin.SHA256, plugin.Size = data, SHA256(data), int64(len(data))
		s.Lock.Plugins = append(s.Lock.Plugins, plugin)
	}
	c := Local(t, "release: ./mine\n")
	s.Write(t, c)
	c.Jenkins.War = ""
	return s, c
}

// Write makes the release beside the cluster file what Lock says.
func (s *ReleaseSite) Write(t testing.TB, c *config.Cluster) {
	t.Helper()
	dir := filepath.Join(c.Dir(), "mine")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	bundle := "name: mine\ncore: {version: 2.568.3, url: '" + s.url + "/jenkins.war', sha256: " + SHA256(s.Files["/jenkins.war"]) + "}\njava: [21]\nline: http\ntemplate: app.json.tmpl\n"
	for name, text := range map[string]string{"bundle.yaml": bundle, "plugins.lock": s.Lock.String()} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
}
