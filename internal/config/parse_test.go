package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const threeLines = "apiVersion: jomctl/v1\nname: ci\ntarget: local\n"

// hostsFile uses every section of the file.
const hostsFile = `
apiVersion: jomctl/v1
name: ci
target: hosts
hosts:
  - {name: m1, address: 172.26.1.1, roles: [control]}
  - {name: a1, address: 172.26.1.2, roles: [mesos-agent], attributes: {rack: r1}}
  - {name: a2, address: 172.26.1.3, roles: [mesos-agent], attributes: {rack: r2}, reserve: {cpus: 0.5, mem: 1GiB}}
ssh: {user: ci, port: 2222, identityFile: ~/.ssh/id_ed25519, knownHosts: .jomctl/known_hosts}
components:
  zookeeper: {source: {apt: libzookeeper-java}}
  mesos: {source: {deb: "https://example.org/mesos.deb", sha256: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}}
  marathon: {source: {image: "mesosphere/marathon:v1.11.26"}}
release: default
registry: {address: m1:5000}
images: {base: "debian:trixie-slim", packages: [make]}
jenkins:
  war: ""
  app: {cpus: 1, mem: 2GiB, grace: 10m, constraints: [[rack, CLUSTER, r1]]}
  home: {type: host, path: /var/lib/jomctl/jenkins_home}
  scm: {repository: "git@git.example:ci/jenkins-home.git", branch: main, key: file:~/.ssh/jenkins_sync, debounce: 2s, maxDelay: 15s}
  admin: {user: admin, password: file:.jomctl/secrets/admin}
  cloud:
    line: http
    templates:
      - {label: mesos, cpus: 0.2, mem: 512MiB, idle: 3m, docker: none}
backup: {repository: /srv/backup/jenkins, password: file:.jomctl/secrets/backup, keep: {last: 7, weekly: 4}}
maintenance: {windows: [{days: [sat], start: "22:00", length: 4h, zone: Asia/Shanghai}], reserve: 20m}
`

func parse(t *testing.T, text string) *Cluster {
	t.Helper()
	c, err := Parse([]byte(text), "cluster.yaml")
	require.NoError(t, err)
	return c
}

func TestAWholeFileIsRead(t *testing.T) {
	c := parse(t, hostsFile)
	assert.Equal(t, Host{Name: "a2", Address: "172.26.1.3", Roles: []Role{RoleMesosAgent}, Attributes: map[string]string{"rack": "r2"}, Reserve: &Reserve{CPUs: 0.5, Mem: GiB}}, c.Hosts[2])
	assert.Equal(t, SSH{User: "ci", Port: 2222, IdentityFile: "~/.ssh/id_ed25519", KnownHosts: ".jomctl/known_hosts"}, *c.SSH)
	assert.Equal(t, "mesosphere/marathon:v1.11.26", c.Components.Marathon.Source.Image)
	assert.Equal(t, [][]string{{"rack", "CLUSTER", "r1"}}, c.Jenkins.App.Constraints)
	assert.Equal(t, Secret("file:~/.ssh/jenkins_sync"), c.Jenkins.SCM.Key)
	assert.Equal(t, Keep{Last: 7, Weekly: 4}, c.Backup.Keep)
	assert.Equal(t, "22:00", c.Maintenance.Windows[0].Start)
	assert.Empty(t, c.Jenkins.War)
	assert.Nil(t, c.Local)
}

// TestEveryProblemNamesItsPlace feeds one faulty text per case and expects exactly one problem.
func TestEveryProblemNamesItsPlace(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"empty":              {"", "c.yaml: is empty"},
		"only comments":      {"# nothing\n", "c.yaml: is empty"},
		"not a mapping":      {"- a\n", "c.yaml:1:1: must be a mapping"},
		"a word":             {"hello", "c.yaml:1:1: hello: must be a mapping"},
		"not UTF-8":          {threeLines + "# \xff\n", "c.yaml:4:1: is not UTF-8"},
		"UTF-16":             {"\xff\xfea\x00", "c.yaml:1:1: is not UTF-8"},
		"tab":                {threeLines + "local:\n\tagents: 2\n", "c.yaml:5:1: has a tab"},
		"two documents":      {threeLines + "---\n" + threeLines, "has 2 YAML documents"},
		"open bracket":       {threeLines + "hosts: [", "c.yaml:4:8: is not valid YAML"},
		"too deep":           {threeLines + "hosts: " + strings.Repeat("[", 90000), "nested too deeply"},
		"too deep in dashes": {strings.Repeat("- ", 9000), "nested too deeply"},
		"too large":          {strings.Repeat("# padding\n", 30000), "is larger than 256KiB"},
		"unknown key":        {threeLines + "jenkinss: {}\n", "c.yaml:4:1: jenkinss: unknown key (did you mean jenkins?)"},
		"unknown key below":  {threeLines + "jenkins:\n  app: {memory: 1GiB}\n", "c.yaml:5:9: jenkins.app.memory: unknown key (did you mean mem?)"},
		"misplaced key":      {threeLines + "jenkins: {httpPort: 80}\n", "jenkins.httpPort: unknown key (there is jenkins.app.httpPort)"},
		"strange key":        {threeLines + "zzzzzzzzzzzz: 1\n", "known at the top of the file: apiVersion, backup"},
		"twice":              {threeLines + "name: other\n", "c.yaml:4:1: name: this key was given already in line 2"},
		"anchor":             {threeLines + "release: &a default\n", "c.yaml:4:10: release: anchors and aliases are not allowed"},
		"alias":              {threeLines + "release: *a\n", "release: anchors and aliases are not allowed"},
		"merge":              {threeLines + "local:\n  <<: {agents: 3}\n", "local: merge keys"},
		"tag":                {threeLines + "release: !!binary ZGVm\n", "release: tags are not allowed"},
		"text for number":    {threeLines + "local: {agents: many}\n", "c.yaml:4:17: local.agents: many: must be a whole number"},
		"quoted number":      {threeLines + "local: {agents: \"2\"}\n", "local.agents: 2: must be a whole number, without quotes"},
		"fraction":           {threeLines + "local: {agents: 2.5}\n", "local.agents: 2.5: must be a whole number"},
		"infinite":           {threeLines + "jenkins: {app: {cpus: .inf}}\n", "jenkins.app.cpus: .inf: must be a number such as 0.5 or 2"},
		"list for text":      {threeLines + "release: [a]\n", "release: must be a text"},
		"text for list":      {threeLines + "hosts: a1\n", "hosts: a1: must be a list"},
		"text for mapping":   {threeLines + "jenkins: yes\n", "jenkins: yes: must be a mapping"},
		"size without unit":  {threeLines + "jenkins: {app: {mem: 1024}}\n", "jenkins.app.mem: 1024: has no unit: write 1024MiB"},
		"list for size":      {threeLines + "jenkins: {app: {mem: [1GiB]}}\n", "jenkins.app.mem: must be one value with its unit"},
		"span without unit":  {threeLines + "jenkins: {app: {grace: 60}}\n", "jenkins.app.grace: 60: has no unit"},
		"zero agents":        {threeLines + "local: {agents: 0}\n", "c.yaml:4:17: local.agents: 0: must be more than 0 (leave it out for the default, 2)"},
		"zero idle":          {threeLines + "jenkins: {cloud: {templates: [{label: m, idle: 0s}]}}\n", "jenkins.cloud.templates[0].idle: 0: must be more than 0"},
		"attribute":          {strings.Replace(hostsFile, "{rack: r1}", "{rack: [r1]}", 1), "hosts[1].attributes.rack: must be a text"},
		"source word":        {threeLines + "components: {mesos: {source: real}}\n", "components.mesos.source: real: must be the word standin or a mapping"},
		"invalid section":    {threeLines + "ssh: {user: x}\nregistry:\n  address: m1:5000\n  user: me\n", "c.yaml:5:1: registry: user and password belong together"},
		"invalid value":      {threeLines + "jenkins:\n  home:\n    path: /tmp/jenkins\n", "c.yaml:6:11: jenkins.home.path: /tmp/jenkins: must not be under /tmp"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Parse([]byte(test.text), "c.yaml")
			require.Nil(t, c)
			var problems Problems
			require.ErrorAs(t, err, &problems)
			require.Len(t, problems, 1, err.Error())
			require.Contains(t, err.Error(), test.want)
			require.Equal(t, 2, problems.ExitCode())
		})
	}
}

func TestAllProblemsAtOnceInTheOrderOfTheFile(t *testing.T) {
	_, err := Parse([]byte("apiVersion: jomctl/v2\nname: CI\ntarget: loca\nlocal: {agents: -1}\n"), "c.yaml")
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 3)
	require.Equal(t, "c.yaml:1:13: apiVersion: jomctl/v2: this program reads jomctl/v1 only", lines[0])
	require.Contains(t, lines[1], "c.yaml:2:7: name: CI: must be a DNS label")
	require.Equal(t, "c.yaml:3:9: target: loca: must be one of local, hosts, docker, aws, openstack (did you mean local?)", lines[2])
}

func TestAValueInPlaceOfASecretIsNeverPrinted(t *testing.T) {
	for _, text := range []string{
		"jenkins: {admin: {password: hunter2}}\n",
		"jenkins: {admin: {password: [hunter2]}}\n",
		"jenkins: {admin: {pasword: hunter2}}\n",
		"jenkins: {admin: {password: !x hunter2}}\n",
		"jenkins: {admin: {password: file:x, password: hunter2}}\n",
		"jenkins: {scm: {repository: \"https://me:hunter2@git.example/x.git\"}}\n",
		"jenkins: {war: \"https://me:hunter2@example.org/jenkins.war\"}\n",
		"backup: {repository: \"rest:https://me:hunter2@example.org/x\"}\n",
	} {
		_, err := Parse([]byte(threeLines+text), "c.yaml")
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), "hunter2", text)
	}
}

func TestValuesAreTakenAsTheyAreWritten(t *testing.T) {
	c := parse(t, threeLines+"local: # shape\n  agents: 3 # three\nrelease: 1.10 # not 1.1\njenkins:\n  sha256: 0000000000000000000000000000000000000000000000000000000000000001 # looks like a number\n"+
		"  app: {cpus: 1.0, mem: 1.5GiB} # size\n  admin: {user: yes}\n")
	assert.Equal(t, 3, c.Local.Agents)
	assert.Equal(t, "1.10", c.Release)
	assert.Len(t, c.Jenkins.SHA256, 64)
	assert.Equal(t, App{CPUs: 1, Mem: 1536 * MiB, Grace: Duration(300e9), HTTPPort: 8080, AgentPort: 50000}, c.Jenkins.App)
	assert.Equal(t, "yes", c.Jenkins.Admin.User)
}

func TestEmptySectionsAndAByteOrderMarkAreFine(t *testing.T) {
	c := parse(t, "\xef\xbb\xbf---\r\napiVersion: jomctl/v1\r\nname: ci\r\ntarget: local\r\nlocal:\r\nhosts:\r\njenkins: {}\r\n")
	require.Equal(t, parse(t, threeLines), c)
}

// An editor on Windows ends lines otherwise, and each problem still names its line.
func TestPlacesInAFileOfWindows(t *testing.T) {
	for _, text := range []string{
		"# a\n# b\n\nrelease: default # c\nlocal: {agents: many} # d\njenkinss: {}\n", "local:\n  # x\n\n  agents: many\n", "jenkins:\n  app:\n    mem: 5 # no unit\n\n  home: {path: /tmp/x}\n",
		"jenkins:\n  admin:\n    user: |\n      a\n      b\n  app: {mem: 5}\n", "local: {ü: 1, agents: many} # 😀\nname: ci\n", "local: &a {agents: 2} # x\nrelease: *a # y\n", "# x\n---\n# y\nname: a\n", "# x\nlocal:\n\tagents: 2\n", "# x\na: [\n",
	} {
		_, want := Parse([]byte(threeLines+text), "c.yaml")
		require.Error(t, want)
		_, got := Parse([]byte(strings.ReplaceAll(threeLines+text, "\n", "\r\n")), "c.yaml")
		require.EqualError(t, got, want.Error())
	}
}

func TestLoadSaysWhyAFileCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(filepath.Join(dir, "none.yaml"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "there is no such file")
	_, err = Load(dir)
	require.ErrorContains(t, err, "is a folder")
	file := filepath.Join(dir, "cluster.yaml")
	require.NoError(t, os.WriteFile(file, []byte(threeLines), 0o600))
	_, err = Load(filepath.Join(file, "below"))
	require.ErrorContains(t, err, "cannot be opened")
	require.Equal(t, 2, err.(interface{ ExitCode() int }).ExitCode())
	c, err := Load(file)
	require.NoError(t, err)
	require.Equal(t, file, c.File)
	if os.Getuid() != 0 {
		require.NoError(t, os.Chmod(file, 0))
		_, err = Load(file)
		require.ErrorContains(t, err, "may not be read by this user")
	}
}

func TestProblemsAt(t *testing.T) {
	p := Problems{{Path: "hosts"}, {Path: "hosts[0].name"}, {Path: "name"}, {Path: "names"}}
	require.Len(t, p.At("hosts"), 2)
	require.Len(t, p.At("name"), 1)
	require.Len(t, p.At(""), 4)
	require.Empty(t, p.At("host"))
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{threeLines, hostsFile, "a: [", "a: &x {b: *x}", "? a\n: b", "%YAML 1.2\n---\n", "a: |\n  x\n", "\"\\", "- - - -", "{{{"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, "c.yaml")
		if err != nil {
			var problems Problems
			require.True(t, errors.As(err, &problems) && len(problems) > 0)
			return
		}
		text, err := Marshal(c)
		require.NoError(t, err)
		back, err := Parse(text, "c.yaml")
		require.NoError(t, err)
		require.Equal(t, string(Show(c)), string(Show(back)))
	})
}

func TestAPipeIsRefusedInsteadOfWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	for _, path := range []string{path, "/dev/null"} {
		_, err := Load(path)
		require.ErrorContains(t, err, "is a pipe or a device")
	}
}
