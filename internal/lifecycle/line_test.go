package lifecycle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/provision"
)

func problems(findings []provision.Finding) (all []string) {
	for _, finding := range findings {
		all = append(all, finding.Problem)
	}
	return all
}

// libmesosCluster is one with everything that the libmesos line needs.
func libmesosCluster(t *testing.T) (*config.Cluster, string) {
	t.Helper()
	c, dir := realWar(t, "2.289.3")
	c.Release, c.Jenkins.Cloud.Line = "legacy", config.LineLibmesos
	c.Components.Mesos.Source = config.Source{Path: "/opt/mesos"}
	lifecycletest.Plugin(t, dir, "mesos", "0.18.1")
	lifecycletest.Plugin(t, dir, "metrics", "4.0.2.7")
	return c, dir
}

func TestTheLibmesosLineIsRendered(t *testing.T) {
	c, dir := libmesosCluster(t)
	env := environment(t, c)
	env.Programs.Mesos = provision.MesosPrograms{Library: "/opt/mesos/lib/libmesos.so", LibraryPath: "/opt/mesos/lib"}
	controller := env.controller()
	require.Empty(t, problems(controller.lineFindings()))
	require.Empty(t, problems(controller.pluginFindings()))
	files, err := controller.files()
	require.NoError(t, err)
	write(t, files)
	loaded, err := home.LoadController(controller.runFile())
	require.NoError(t, err)
	require.Equal(t, []string{"LIBPROCESS_IP=$HOST", "LD_LIBRARY_PATH=/opt/mesos/lib"}, loaded.Env)
	require.NotContains(t, strings.Join(loaded.Argv, " "), "usi.jenkins", "those are the other plugin's")
	require.Empty(t, controller.want().FrameworkID, "Mesos gives the framework another id at each start")

	// An old home keeps what it has, and gets the cloud.
	loaded.Plugins, loaded.PluginLock = "", nil
	require.NoError(t, os.MkdirAll(loaded.Home, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(loaded.Home, "config.xml"), []byte("<?xml version='1.1' encoding='UTF-8'?>\n<hudson>\n  <mine/>\n</hudson>\n"), 0o600))
	require.NoError(t, home.Prepare(loaded))
	data, err := os.ReadFile(filepath.Join(loaded.Home, "config.xml"))
	require.NoError(t, err)
	text := string(data)
	for _, want := range []string{"<mine/>", `plugin="mesos@0.18.1"`, "<nativeLibraryPath>/opt/mesos/lib/libmesos.so</nativeLibraryPath>", "<master>" + provision.ZooKeeperURL(c, "/mesos") + "</master>"} {
		require.Contains(t, text, want)
	}
	require.NoError(t, controller.cloudKept(t.Context()))
	require.NoError(t, os.WriteFile(filepath.Join(loaded.Home, "config.xml"), []byte("<hudson><clouds/></hudson>"), 0o600))
	kept := new(jenkins.CloudError)
	require.ErrorAs(t, controller.cloudKept(t.Context()), &kept, "a boot without the plugin has dropped it")
	require.NoError(t, os.Remove(filepath.Join(loaded.Home, "config.xml")))
	require.ErrorContains(t, controller.cloudKept(t.Context()), "reading back the cloud")

	lifecycletest.Plugin(t, dir, "mesos", "0.9.0")
	require.NoError(t, os.Remove(filepath.Join(dir, "metrics.hpi")))
	require.Equal(t, []string{"the Mesos plugin " + filepath.Join(dir, "mesos.hpi") + " is 0.9.0, and `line: libmesos` is 0.18.1 or 1.0.0", "the Mesos plugin needs the plugin metrics, which was found nowhere"},
		problems(environment(t, c).controller().pluginFindings()))
}

func TestWhyALineCannotBeInstalled(t *testing.T) {
	for want, change := range map[string]func(*config.Cluster){
		"it is libmesos, and release default is of line http": func(c *config.Cluster) { c.Release = "default" },
		"it is http, and release legacy is of line libmesos":  func(c *config.Cluster) { c.Jenkins.Cloud.Line = config.LineHTTP },
		"the stand-in of Jenkins knows line http alone":       func(c *config.Cluster) { c.Jenkins.War = "standin" },
		"line libmesos needs a real Mesos":                    func(c *config.Cluster) { c.Components.Mesos.Source = config.Source{Standin: true} },
		"link to what no core after 2.289.3 has, and the war is 2.303.1": func(c *config.Cluster) {
			require.NoError(t, os.WriteFile(filepath.Join(c.Dir(), "jenkins.war"), lifecycletest.War(t, "2.303.1"), 0o600))
		},
	} {
		c, _ := libmesosCluster(t)
		change(c)
		findings := environment(t, c).controller().lineFindings()
		require.Len(t, findings, 1, want)
		require.Contains(t, findings[0].Problem, want)
		require.NotEmpty(t, findings[0].Fix)
	}
}

// ownRelease is a release of the user's own with files of configuration as code.
func ownRelease(t *testing.T, c *config.Cluster, casc map[string]string) {
	t.Helper()
	dir := filepath.Join(c.Dir(), "mine")
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "casc"), 0o755))
	bundle, err := os.ReadFile("../../bundles/default/bundle.yaml")
	require.NoError(t, err)
	template, err := os.ReadFile("../../bundles/default/app.json.tmpl")
	require.NoError(t, err)
	files := map[string]string{"bundle.yaml": string(bundle), "app.json.tmpl": string(template)}
	for name, text := range casc {
		files["casc/"+name] = text
	}
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	c.Release = "./mine"
}

func TestTheConfigurationAsCodeOfARelease(t *testing.T) {
	c, dir := realWar(t, "2.568.3")
	lifecycletest.Plugin(t, dir, "configuration-as-code", "2082.vdb_db_4622e9fa_")
	ownRelease(t, c, map[string]string{"b.yaml": "jenkins: {systemMessage: hello}\n", "a.yml": "jenkins: {quietPeriod: 5}\n"})
	controller := environment(t, c).controller()
	require.Empty(t, controller.cascFindings())
	casc := filepath.Join(controller.dir, "casc")
	require.Equal(t, []string{"CASC_JENKINS_CONFIG=" + strings.Join([]string{controller.cascFile(), casc + "/a.yml", casc + "/b.yaml"}, ","), "CASC_MERGE_STRATEGY=errorOnConflict"}, controller.run().Env)
	files, err := controller.files()
	require.NoError(t, err)
	before, err := controller.digest(files)
	require.NoError(t, err)
	write(t, files)
	data, err := os.ReadFile(filepath.Join(casc, "b.yaml"))
	require.NoError(t, err)
	require.Equal(t, "jenkins: {systemMessage: hello}\n", string(data))

	ownRelease(t, c, map[string]string{"b.yaml": "jenkins: {systemMessage: goodbye}\n", "a.yml": "jenkins: {quietPeriod: 5}\n"})
	controller = environment(t, c).controller()
	files, err = controller.files()
	require.NoError(t, err)
	after, err := controller.digest(files)
	require.NoError(t, err)
	require.NotEqual(t, before, after, "the controller must be started anew")

	ownRelease(t, c, map[string]string{"x.yaml": "jenkins:\n  numExecutors: 4\n  clouds: []\ncredentials:\n  password: hunter2\n"})
	findings := environment(t, c).controller().cascFindings()
	require.Equal(t, []string{
		"casc/x.yaml:2: jenkins.numExecutors: is in jenkins.yaml of jomctl already, so Jenkins would not start",
		"casc/x.yaml:3: jenkins.clouds: is in jenkins.yaml of jomctl already, so Jenkins would not start",
		"casc/x.yaml:5: credentials.password: has a secret in the file itself",
	}, problems(findings))
	require.NoError(t, os.Remove(filepath.Join(dir, "configuration-as-code.hpi")))
	require.Equal(t, []string{"it brings files of configuration as code, and there is no plugin configuration-as-code"}, problems(environment(t, c).controller().cascFindings()))
}
