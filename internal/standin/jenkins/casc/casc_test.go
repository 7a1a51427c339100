package casc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/jenkins/cloud"
	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
	"github.com/jomctl/jomctl/internal/standin/jenkins/xmltree"
)

func recorded(t *testing.T, name string) string {
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), "PORT", "8080")
}

func accepted(t *testing.T) *Document {
	d, problems := Parse([]byte(recorded(t, "accepted.yaml")))
	require.Empty(t, problems)
	return d
}

func TestAcceptedYAMLBecomesTheRecordedXML(t *testing.T) {
	d := accepted(t)
	require.Len(t, d.Clouds, 1)
	want := strings.ReplaceAll("\n"+strings.TrimRight(recorded(t, "config-clouds.xml"), "\n"), "\n  ", "\n")
	require.Equal(t, want[1:], string(xmltree.Elem("clouds", d.Clouds[0].XML()).Render("")))
}

func TestXMLIsReadBack(t *testing.T) {
	d := accepted(t)
	require.Equal(t, d.Clouds[0], *cloud.FromXML(d.Clouds[0].XML()))
}

func TestExportIsSpelledAsRecorded(t *testing.T) {
	cfg, err := home.LoadConfig(t.TempDir())
	require.NoError(t, err)
	users, _, err := home.LoadUsers(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, accepted(t).Apply(cfg, users))
	require.True(t, cfg.UseSecurity)
	require.False(t, cfg.AnonymousRead)
	require.Equal(t, 0, cfg.NumExecutors)
	_, _, ok := users.Login("admin", "admin-pw")
	require.True(t, ok)
	data, err := Export(cfg, users.List(), "http://x/")
	require.NoError(t, err)
	var got, want map[string]any
	require.NoError(t, yaml.Unmarshal(data, &got))
	require.NoError(t, yaml.Unmarshal([]byte(recorded(t, "export.yaml")), &want))
	require.Equal(t, want["clouds"], got["jenkins"].(map[string]any)["clouds"])
	again, problems := Parse(data)
	require.Empty(t, problems, "an export is a valid document")
	require.Equal(t, accepted(t).Clouds, again.Clouds)
	require.NotContains(t, string(data), "jbcrypt")
}

func TestProblems(t *testing.T) {
	const mesos = "jenkins: {clouds: [{mesos: {mesosMasterUrl: 'h:1', frameworkId: f, jenkinsURL: 'http://x/', mesosAgentSpecTemplates: [%]}}]}"
	template := func(text string) string { return strings.Replace(mesos, "%", "{label: l, "+text+"}", 1) }
	for text, problem := range map[string]string{
		"nosuch: 1":                                "No configurator for the following root elements nosuch",
		"jenkins: {nosuch: 1}":                     "Invalid configuration elements for type jenkins : nosuch",
		"jenkins: [":                               "YAML",
		"jenkins: 7":                               "want a mapping",
		template("mem: 1, x: 2"):                   "mesosAgentSpecTemplates : x",
		template("cpus: '1'"):                      "mem is required",
		template("mem: 1, mode: Z"):                "no enum constant Z",
		template("mem: 1, domainFilterModel: far"): "no implementation named far",
		template("mem: 1, containerInfo: {networking: X}"):        "no enum constant X",
		template("mem: 1, agentAttributes: 'k'"):                  "Index 1 out of bounds",
		"jenkins: {clouds: [{mesos: {mesosMasterUrl: 'h:1'}}]}":   "is not a URL",
		"jenkins: {securityRealm: {ldap: {}}}":                    "securityRealm : ldap",
		"jenkins: {authorizationStrategy: {roleBased: {}}}":       "roleBased",
		"jenkins: {numExecutors: many}":                           "want a number",
		"jenkins: {securityRealm: {local: {users: [{name: x}]}}}": "id is required",
		"credentials: {system: {}}":                               "root elements credentials",
	} {
		_, problems := Parse([]byte(text))
		require.NotEmpty(t, problems, text)
		require.Contains(t, strings.Join(problems, "\n"), problem, text)
	}
	_, problems := Parse([]byte(template("mem: 64")))
	require.Empty(t, problems, "0/0 executors and idle 0 are not caught, as in the real one")
}

func TestVariablesAndFiles(t *testing.T) {
	t.Setenv("CASC_TEST_PORT", "50123")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("jenkins: {slaveAgentPort: '${CASC_TEST_PORT}', systemMessage: '${NO_SUCH:-def} ^${lit}'}"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b.yml"), []byte("jenkins: {mode: EXCLUSIVE, quietPeriod: 0}"), 0o644))
	files, err := Files(dir, "")
	require.NoError(t, err)
	require.Len(t, files, 2)
	d, problems := Load(files)
	require.Empty(t, problems)
	require.Equal(t, 50123, *d.AgentPort)
	require.Equal(t, "def ${lit}", *d.SystemMessage)
	require.Equal(t, "EXCLUSIVE", *d.Mode)
	none, err := Files("", filepath.Join(dir, "jenkins.yaml"))
	require.NoError(t, err)
	require.Empty(t, none, "the default need not exist")
	_, err = Files(filepath.Join(dir, "nosuch.yaml"), "")
	require.Error(t, err)
	_, err = Files("http://x/casc.yaml", "")
	require.ErrorContains(t, err, "reads no URLs")
}
