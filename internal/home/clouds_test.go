package home

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const newCloud = "  <clouds>\n    <org.jenkinsci.plugins.mesos.MesosCloud plugin=\"mesos@1.0.0\">\n      <name>MesosCloud</name>\n      <master>new</master>\n    </org.jenkinsci.plugins.mesos.MesosCloud>\n  </clouds>\n"

const cloudText = "<org.jenkinsci.plugins.mesos.MesosCloud plugin=\"mesos@1.0.0\">\n      <name>MesosCloud</name>\n      <master>new</master>\n    </org.jenkinsci.plugins.mesos.MesosCloud>"

func TestACloudIsPutIntoConfigXMLAndNothingElseChanges(t *testing.T) {
	const head = "<?xml version='1.1' encoding='UTF-8'?>\n<hudson>\n  <description>&#x1b;[1m &#34;clouds&#34; <![CDATA[<clouds>]]></description>\n  <!-- <clouds> -->\n"
	const other = "<org.jenkinsci.plugins.mesos.MesosCloud><name>other</name><master>theirs</master></org.jenkinsci.plugins.mesos.MesosCloud>"
	const old = "<org.jenkinsci.plugins.mesos.MesosCloud plugin=\"mesos@0.18.1\"><slaveInfos><x><name>MesosCloud</name></x></slaveInfos><name>MesosCloud</name></org.jenkinsci.plugins.mesos.MesosCloud>"
	const tail = "  <views><clouds><a/></clouds></views>\n</hudson>\n"
	for name, c := range map[string]struct{ config, want string }{
		"none":         {head + tail, head + strings.TrimSuffix(tail, "</hudson>\n") + "  <clouds>\n    " + cloudText + "\n  </clouds>\n</hudson>\n"},
		"closed":       {head + "  <clouds/>\n" + tail, head + "  <clouds>\n    " + cloudText + "\n  </clouds>\n" + tail},
		"empty":        {head + "  <clouds>\n  </clouds>\n" + tail, head + "  <clouds>\n    " + cloudText + "\n  </clouds>\n" + tail},
		"an old one":   {head + "  <clouds>" + old + "</clouds>\n" + tail, head + "  <clouds>" + cloudText + "</clouds>\n" + tail},
		"another one":  {head + "  <clouds>" + other + "</clouds>\n" + tail, head + "  <clouds>" + other + "  " + cloudText + "\n  </clouds>\n" + tail},
		"both":         {head + "  <clouds>" + other + old + "</clouds>\n" + tail, head + "  <clouds>" + other + cloudText + "</clouds>\n" + tail},
		"it has it":    {head + "  <clouds>" + cloudText + "</clouds>\n" + tail, head + "  <clouds>" + cloudText + "</clouds>\n" + tail},
		"other's only": {head + "  <clouds class=\"x\"><a.Cloud/></clouds>\n" + tail, head + "  <clouds class=\"x\"><a.Cloud/>  " + cloudText + "\n  </clouds>\n" + tail},
	} {
		t.Run(name, func(t *testing.T) {
			merged, err := withCloud([]byte(c.config), []byte(newCloud))
			require.NoError(t, err)
			require.Equal(t, c.want, string(merged))
			again, err := withCloud(merged, []byte(newCloud))
			require.NoError(t, err)
			require.Equal(t, c.want, string(again), "a second start changes nothing")
		})
	}
}

func TestAHomeThatIsThereGetsTheNewCloud(t *testing.T) {
	dir := t.TempDir()
	c := Controller{Home: filepath.Join(dir, "home"), Seed: makeSeed(t, dir), Clouds: filepath.Join(dir, "clouds.xml")}
	write(t, c.Clouds, newCloud)
	config := filepath.Join(c.Home, "config.xml")
	const before = "<?xml version='1.1' encoding='UTF-8'?>\n<hudson><clouds/><x>mine</x></hudson>\n"
	write(t, config, before)
	require.NoError(t, os.Chmod(config, 0o640))
	require.NoError(t, Prepare(c))
	require.Contains(t, read(t, config), "<master>new</master>")
	require.Contains(t, read(t, config), "<x>mine</x>")
	require.Equal(t, before, read(t, filepath.Join(c.Home, beforeStart, "config.xml")), "the one from before is kept")
	info, err := os.Stat(config)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())

	elsewhere := filepath.Join(dir, "disk.xml")
	require.NoError(t, os.Rename(config, elsewhere))
	require.NoError(t, os.Symlink(elsewhere, config))
	write(t, c.Clouds, strings.Replace(newCloud, ">new<", ">newer<", 1))
	require.NoError(t, Prepare(c))
	require.Contains(t, read(t, config), "<master>newer</master>")
	require.NotContains(t, read(t, config), "<master>new</master>")
	target, err := os.Readlink(config)
	require.NoError(t, err, "a link stays one, as Jenkins leaves it")
	require.Equal(t, elsewhere, target)
}

func TestAConfigXMLThatCannotBeReadIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	c := Controller{Home: filepath.Join(dir, "home"), Seed: makeSeed(t, dir), Clouds: filepath.Join(dir, "clouds.xml")}
	config := filepath.Join(c.Home, "config.xml")
	write(t, c.Clouds, newCloud)
	for _, broken := range []string{"<hudson><clouds>", "<hudson></other>", "<hudson/>", "not XML", "<hudson><clouds></clouds ></hudson>"} {
		write(t, config, broken)
		require.ErrorContains(t, Prepare(c), "which is left as it is", broken)
		require.Equal(t, broken, read(t, config))
	}
	write(t, config, "<hudson></hudson>")
	write(t, c.Clouds, "<clouds></clouds>")
	require.ErrorContains(t, Prepare(c), "there is no Mesos cloud in it")
	require.NoError(t, os.Remove(c.Clouds))
	require.ErrorContains(t, Prepare(c), "reading the cloud for config.xml")
}
