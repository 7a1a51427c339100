package lifecycle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/home"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/provision"
)

// environment is an Env whose programs are names only.
func environment(t *testing.T, c *config.Cluster) *Env {
	t.Helper()
	env, err := open(c, provision.Programs{Jomctl: "/bin/true", Standin: "/opt/j/standin", Jomhome: "/opt/j/it's/jomhome",
		Jenkins: provision.JenkinsProgram{Java: provision.Java{Home: "/opt/jdk", Major: 25}}})
	require.NoError(t, err)
	there, err := secretThere(c.Jenkins.Admin.Password, c)
	require.NoError(t, err)
	if !there {
		require.NoError(t, generate(c.Jenkins.Admin.Password, c))
	}
	return env
}

// write does what the step does, without a machine.
func write(t *testing.T, files []provision.File) {
	t.Helper()
	for _, file := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(file.Path), 0o755))
		require.NoError(t, os.WriteFile(file.Path, file.Data, file.Mode))
	}
}

func document(t *testing.T, c controller) map[string]any {
	t.Helper()
	files, err := c.files()
	require.NoError(t, err)
	data, err := c.document(files)
	require.NoError(t, err)
	var doc map[string]any
	require.NoError(t, json.Unmarshal(data, &doc))
	return doc
}

func TestThePasswordIsGeneratedOnceAndStaysSecret(t *testing.T) {
	c := lifecycletest.Local(t, "")
	env := environment(t, c)
	path, _ := c.Jenkins.Admin.Password.Path(c)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	password, err := c.Jenkins.Admin.Password.Resolve(c)
	require.NoError(t, err)
	require.Len(t, password, 24)
	require.NoError(t, generate(c.Jenkins.Admin.Password, c))
	again, err := c.Jenkins.Admin.Password.Resolve(c)
	require.NoError(t, err)
	require.Equal(t, password, again, "somebody may be using it")

	files, err := env.controller().files()
	require.NoError(t, err)
	for _, file := range files {
		require.NotContains(t, string(file.Data), password, file.Path)
	}
	doc, err := env.controller().document(files)
	require.NoError(t, err)
	require.NotContains(t, string(doc), password)
}

func TestTheFilesAreTheSameAtEveryLook(t *testing.T) {
	c := environment(t, lifecycletest.Local(t, "")).controller()
	files, err := c.files()
	require.NoError(t, err)
	write(t, files)
	again, err := c.files()
	require.NoError(t, err)
	require.Equal(t, files, again, "the password's hash must not be another one each time")
	paths, err := c.stale(t.Context(), again)
	require.NoError(t, err)
	require.Empty(t, paths)

	require.NoError(t, os.WriteFile(c.cascFile(), []byte("jenkins: {}\n"), 0o644))
	paths, err = c.stale(t.Context(), again)
	require.NoError(t, err)
	require.Equal(t, []string{"a1:" + c.cascFile()}, paths)
}

func TestAChangedCloudChangesTheAppAndNothingElse(t *testing.T) {
	cluster := lifecycletest.Local(t, "")
	files, err := environment(t, cluster).controller().files()
	require.NoError(t, err)
	write(t, files)
	one := document(t, environment(t, cluster).controller())
	require.Equal(t, one, document(t, environment(t, cluster).controller()))
	cluster.Jenkins.Cloud.Templates[0].CPUs = 0.5
	two := document(t, environment(t, cluster).controller())
	require.NotEqual(t, one["env"], two["env"], "the controller must be started anew to see it")
	one["env"], two["env"] = nil, nil
	require.Equal(t, one, two)
}

func TestTheAppIsPinnedToItsHome(t *testing.T) {
	doc := document(t, environment(t, lifecycletest.Local(t, "")).controller())
	require.Equal(t, []any{[]any{"hostname", "CLUSTER", "127.0.10.21"}}, doc["constraints"])
	require.Contains(t, doc["cmd"], `exec '/opt/j/it'\''s/jomhome' run --config '`)

	own := document(t, environment(t, lifecycletest.Local(t, "jenkins: {app: {constraints: [[hostname, LIKE, 127.0.10.22]]}}\n")).controller())
	require.Equal(t, []any{[]any{"hostname", "LIKE", "127.0.10.22"}}, own["constraints"])

	shared := document(t, environment(t, lifecycletest.Local(t, "jenkins: {home: {type: shared, path: /srv/home}}\n")).controller())
	require.Empty(t, shared["constraints"])
}

func TestARealWarRunsWithJavaAndItsPlugins(t *testing.T) {
	cluster := lifecycletest.Local(t, "jenkins: {war: ./jenkins.war, app: {mem: 2000MiB}}\n")
	require.NoError(t, os.WriteFile(filepath.Join(cluster.Dir(), "jenkins.war"), lifecycletest.War(t, "2.568.2", "WEB-INF/detached-plugins/instance-identity.hpi"), 0o600))
	env := environment(t, cluster)
	findings := env.Preflight()
	require.Len(t, findings, 1)
	require.Contains(t, findings[0].Problem, "mesos.hpi")

	plugins := filepath.Join(cluster.Dir(), "plugins")
	require.NoError(t, os.Mkdir(plugins, 0o755))
	lifecycletest.Plugin(t, plugins, "mesos", "2.0")
	require.Empty(t, env.Preflight())
	c := env.controller()
	run := c.run()
	require.Equal(t, plugins, run.Plugins)
	require.Equal(t, []string{"/opt/jdk/bin/java", "-Xmx1200m"}, run.Argv[:2])
	require.Contains(t, run.Argv, "-Dusi.jenkins.connection-retries=-1")
	require.Contains(t, run.Argv, "-Dusi.jenkins.connection-max-backoff=1s")
	require.Empty(t, run.Env, "without the JCasC plugin the cloud is in config.xml")
	require.NotContains(t, strings.Join(run.Argv, " "), "standin")

	lifecycletest.Plugin(t, plugins, "configuration-as-code", "2082.vdb_db_4622e9fa_")
	require.Equal(t, []string{"CASC_JENKINS_CONFIG=" + c.cascFile()}, c.run().Env)
	require.NoError(t, c.war.Fetch(t.Context(), lifecycletest.Quiet))
	require.Equal(t, "2.568.2", c.version(), "what must come up is what the war says, not what the release says")
}

func TestTheControllerFileIsOneThatJomhomeTakes(t *testing.T) {
	c := environment(t, lifecycletest.Local(t, "")).controller()
	files, err := c.files()
	require.NoError(t, err)
	write(t, files)
	loaded, err := home.LoadController(c.runFile())
	require.NoError(t, err)
	require.Equal(t, c.home, loaded.Home)
	require.FileExists(t, filepath.Join(loaded.Seed, "config.xml"))
	require.NoFileExists(t, filepath.Join(loaded.Seed, "jenkins.yaml"), "it would never be replaced in a home that has one")
	require.FileExists(t, c.cascFile())
}

func TestWhatTargetLocalCannotCarryIsRefused(t *testing.T) {
	env := environment(t, lifecycletest.Local(t, "jenkins: {cloud: {line: libmesos, templates: [{label: x, image: \"repo/agent:1\"}]}}\n"))
	var subjects []string
	for _, finding := range env.Preflight() {
		require.NotEmpty(t, finding.Fix)
		subjects = append(subjects, finding.Subject)
	}
	require.Equal(t, []string{"jenkins.cloud.templates[0]", "jenkins.cloud.line", "jenkins.cloud.line"}, subjects)

	c := lifecycletest.Local(t, "")
	c.Target = config.TargetAWS
	_, err := Look(c)
	require.ErrorContains(t, err, "the machines of cluster ci are not known yet")
	c = lifecycletest.Local(t, "release: nonesuch\n")
	_, err = open(c, provision.Programs{})
	require.ErrorContains(t, err, `release "nonesuch" is not shipped`)
}

func TestWhatIsNotActedUponIsSaid(t *testing.T) {
	env := environment(t, lifecycletest.Local(t, "jenkins: {scm: {repository: /srv/git/home}}\nbackup: {repository: /srv/backup}\n"))
	notes := strings.Join(env.Notes(), "\n")
	require.NotContains(t, notes, "jenkins.scm", "target local keeps the history")
	require.Contains(t, notes, "backup is acted upon by `jomctl backup`, and nothing runs that by itself")
	require.NotContains(t, notes, "maintenance")
	require.Contains(t, notes, "lies under /tmp", "test folders do")
}
