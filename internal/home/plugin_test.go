package home

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pluginFile writes a plugin with such a manifest.
func pluginFile(t *testing.T, path, manifest string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	file, err := os.Create(path)
	require.NoError(t, err)
	defer file.Close()
	archive := zip.NewWriter(file)
	entry, err := archive.Create("META-INF/MANIFEST.MF")
	require.NoError(t, err)
	_, err = entry.Write([]byte(strings.ReplaceAll(manifest, "\n", "\r\n")))
	require.NoError(t, err)
	require.NoError(t, archive.Close())
}

func TestAPluginSaysWhatItNeeds(t *testing.T) {
	dir := t.TempDir()
	// A manifest's lines end after 72 bytes, in the middle of a word.
	pluginFile(t, dir+"/x.hpi", "Manifest-Version: 1.0\nShort-Name: mesos\nPlugin-Version: 2.0 (private-2026-\n 06-16)\nJenkins-Version: 2.164\n"+
		"Plugin-Dependencies: metrics:4.0.2.5,configuration-as-code:1.36;resoluti\n on:=optional\n\nName: x\nShort-Name: other\n")
	p, err := ReadPlugin(dir + "/x.hpi")
	require.NoError(t, err)
	require.Equal(t, Plugin{File: dir + "/x.hpi", Name: "mesos", Version: "2.0 (private-2026-06-16)", Core: "2.164",
		Needs: []Need{{Name: "metrics", Version: "4.0.2.5"}, {Name: "configuration-as-code", Version: "1.36", Optional: true}}}, p)

	pluginFile(t, dir+"/nameless.hpi", "Manifest-Version: 1.0\n")
	write(t, dir+"/text.hpi", "<html>")
	for file, problem := range map[string]string{"nameless.hpi": "no Short-Name", "text.hpi": "not a valid zip", "none.hpi": "no such file"} {
		_, err := ReadPlugin(filepath.Join(dir, file))
		require.ErrorContains(t, err, problem)
	}
}

func TestAPluginIsLaidDownUnderItsOwnName(t *testing.T) {
	dir := t.TempDir()
	c := Controller{Home: filepath.Join(dir, "home"), Seed: makeSeed(t, dir), Plugins: filepath.Join(dir, "plugins")}
	pluginFile(t, filepath.Join(c.Plugins, "mesos-2.0.hpi"), "Short-Name: mesos\n")
	require.NoError(t, Prepare(c))
	require.FileExists(t, filepath.Join(c.Home, "plugins/mesos.jpi"))
	require.NoFileExists(t, filepath.Join(c.Home, "plugins/mesos-2.0.jpi"), "Jenkins would see two of one name")
}
