package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// one is a valid cluster with one thing made wrong, and what must be said about it.
type one struct {
	spoil func(c *Cluster)
	want  string
}

// mustSay spoils a fresh cluster per case and expects exactly one problem.
func mustSay(t *testing.T, text string, cases map[string]one) {
	t.Helper()
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := parse(t, text)
			test.spoil(c)
			err := Validate(c)
			require.Error(t, err)
			require.Len(t, err.(Problems), 1, err.Error())
			require.Contains(t, err.Error(), test.want)
		})
	}
}

func TestValidateLocal(t *testing.T) {
	mustSay(t, threeLines, map[string]one{
		"no apiVersion":    {func(c *Cluster) { c.APIVersion = "" }, "apiVersion: is required"},
		"old apiVersion":   {func(c *Cluster) { c.APIVersion = "v0" }, "apiVersion: v0: this program reads jomctl/v1 only"},
		"no name":          {func(c *Cluster) { c.Name = "" }, "name: is required"},
		"long name":        {func(c *Cluster) { c.Name = strings.Repeat("a", 64) }, "must be a DNS label"},
		"dash at the end":  {func(c *Cluster) { c.Name = "ci-" }, "name: ci-: must be a DNS label"},
		"no target":        {func(c *Cluster) { c.Target = "" }, "target: is required"},
		"no release":       {func(c *Cluster) { c.Release = " " }, "release"},
		"network":          {func(c *Cluster) { c.Local.Address = "10.0.0.0" }, "local.address: 10.0.0.0: must be a loopback network"},
		"host as network":  {func(c *Cluster) { c.Local.Address = "127.0.10.1" }, "local.address"},
		"even control":     {func(c *Cluster) { c.Local.Control = 2; c.Hosts = c.Local.hosts() }, "1, 3 or 5"},
		"no agents":        {func(c *Cluster) { c.Local.Agents = -1; c.Hosts = c.Local.hosts() }, "local.agents: -1: must be 1 to 200"},
		"too many agents":  {func(c *Cluster) { c.Local.Agents = 201; c.Hosts = c.Local.hosts() }, "local.agents: 201: must be 1 to 200"},
		"reserved CPUs":    {func(c *Cluster) { c.Hosts[1].Reserve = &Reserve{CPUs: 3.5}; c.Hosts[2].Reserve = &Reserve{CPUs: 3.5} }, "jenkins.app.cpus: 1: no Mesos agent has so many: the largest offers 0.5"},
		"count and list":   {func(c *Cluster) { c.Local.Agents = 3 }, "hosts lists 2 Mesos agents"},
		"not loopback":     {func(c *Cluster) { c.Hosts[1].Address = "10.0.0.1" }, "hosts[1].address: 10.0.0.1: must be a loopback address"},
		"agent cpus":       {func(c *Cluster) { c.Local.Resources.CPUs = -1 }, "local.resources.cpus"},
		"agent disk":       {func(c *Cluster) { c.Local.Resources.Disk = 5 }, "local.resources.disk: 5B: must be at least 1MiB"},
		"app too large":    {func(c *Cluster) { c.Jenkins.App.Mem = 3 * GiB }, "jenkins.app.mem: 3GiB: no Mesos agent has so much: the largest offers 2432MiB"},
		"app of many CPUs": {func(c *Cluster) { c.Jenkins.App.CPUs = 5 }, "jenkins.app.cpus: 5: no Mesos agent has so many: the largest offers 4"},
		"template too big": {func(c *Cluster) { c.Jenkins.Cloud.Templates[0].Mem = 2432 * MiB }, "templates[0].mem: 2432MiB and 32MiB for its JVM: no Mesos agent has so much"},
		"all reserved": {func(c *Cluster) {
			c.Hosts[1].Reserve = &Reserve{Mem: 1732 * MiB}
			c.Hosts[2].Reserve = &Reserve{Mem: 1732 * MiB}
		}, "the largest offers 700MiB"},
		"ZooKeeper standin": {func(c *Cluster) { c.Components.ZooKeeper.Source = Source{Standin: true} }, "there is no stand-in for ZooKeeper"},
	})
}

func TestValidateHosts(t *testing.T) {
	mustSay(t, hostsFile, map[string]one{
		"no control":     {func(c *Cluster) { c.Hosts = c.Hosts[1:] }, "hosts: 0 with role control: there must be 1, 3 or 5"},
		"no agent":       {func(c *Cluster) { c.Hosts = c.Hosts[:1] }, "at least one Mesos agent"},
		"unknown role":   {func(c *Cluster) { c.Hosts[0].Roles = append(c.Hosts[0].Roles, "master") }, "hosts[0].roles[1]: master: must be one of control, mesos-agent"},
		"role twice":     {func(c *Cluster) { c.Hosts[1].Roles = []Role{RoleMesosAgent, RoleMesosAgent} }, "is there twice"},
		"same name":      {func(c *Cluster) { c.Hosts[2].Name = "a1" }, "hosts[2].name: a1: is that of hosts[1] already"},
		"same address":   {func(c *Cluster) { c.Hosts[2].Address = "172.26.1.2" }, "hosts[2].address: 172.26.1.2: is that of hosts[1] already"},
		"bad name":       {func(c *Cluster) { c.Hosts[1].Name = "a_1" }, "hosts[1].name: a_1: must be a DNS label"},
		"no host name":   {func(c *Cluster) { c.Hosts[1].Name = "" }, "hosts[1].name: is required"},
		"no address":     {func(c *Cluster) { c.Hosts[1].Address = "" }, "hosts[1].address: is required"},
		"mistyped IP":    {func(c *Cluster) { c.Hosts[1].Address = "172.26.1.300" }, "must be an IP address or a DNS name"},
		"any address":    {func(c *Cluster) { c.Hosts[1].Address = "0.0.0.0" }, "must be an IP address or a DNS name"},
		"no roles":       {func(c *Cluster) { c.Hosts = append(c.Hosts, Host{Name: "x", Address: "x.example"}) }, "hosts[3].roles: at least one is required"},
		"attribute":      {func(c *Cluster) { c.Hosts[1].Attributes = map[string]string{"rack": "r1;r2"} }, "hosts[1].attributes: rack: r1;r2"},
		"reserve":        {func(c *Cluster) { c.Hosts[2].Reserve.CPUs = -1 }, "hosts[2].reserve.cpus"},
		"ssh port":       {func(c *Cluster) { c.SSH.Port = 70000 }, "ssh.port: 70000: must be a port"},
		"ssh user":       {func(c *Cluster) { c.SSH.User = "a b" }, "ssh.user: a b: must be a user name"},
		"ssh key":        {func(c *Cluster) { c.SSH.IdentityFile = "a\nb" }, "ssh.identityFile: a?b: must be a path"},
		"registry":       {func(c *Cluster) { c.Registry.Address = "https://m1:5000" }, "registry.address: https://m1:5000: must be HOST:PORT"},
		"registry user":  {func(c *Cluster) { c.Registry.User = "x" }, "user and password belong together"},
		"registry colon": {func(c *Cluster) { c.Registry.User, c.Registry.Password = "x:y", "env:Z" }, "registry.user: x:y: must have no colon"},
		"image base":     {func(c *Cluster) { c.Images.Base = "" }, "images.base: must be the name of an image"},
		"image Java":     {func(c *Cluster) { c.Images.Java = "openjdk 21" }, "images.java: openjdk 21: must be the name of a Debian package"},
		"image package":  {func(c *Cluster) { c.Images.Packages = []string{"make; id"} }, "images.packages[0]: make; id: must be the name of a Debian package"},
		"image user":     {func(c *Cluster) { c.Images.UserID = -1 }, "images.userID: -1: must be from 1 to 65533"},
		"docker access":  {func(c *Cluster) { c.Jenkins.Cloud.Templates[0].Docker = "sock" }, "docker: sock: must be one of none, socket, dind"},
		"home path":      {func(c *Cluster) { c.Jenkins.Home.Path = "jenkins" }, "must be an absolute path"},
		"unclean home":   {func(c *Cluster) { c.Jenkins.Home.Path = "/srv//jenkins/" }, "write /srv/jenkins"},
		"root as home":   {func(c *Cluster) { c.Jenkins.Home.Path = "/" }, "must not be the root"},
		"shared home":    {func(c *Cluster) { c.Jenkins.Home = Home{Type: HomeShared} }, "jenkins.home.path: is required for a shared home"},
		"home type":      {func(c *Cluster) { c.Jenkins.Home.Type = "nfs" }, "jenkins.home.type: nfs: must be one of host, shared"},
		"grace":          {func(c *Cluster) { c.Jenkins.App.Grace = 5 }, "jenkins.app.grace: 5ns: must be at least 1s"},
		"http port":      {func(c *Cluster) { c.Jenkins.App.HTTPPort = 0 }, "jenkins.app.httpPort: 0: must be a port"},
		"same ports":     {func(c *Cluster) { c.Jenkins.App.AgentPort = 8080 }, "is the httpPort already"},
		"agent's port":   {func(c *Cluster) { c.Jenkins.App.HTTPPort = 5051 }, "is used by the Mesos agent"},
		"SSH's port":     {func(c *Cluster) { c.Jenkins.App.AgentPort = 2222 }, "is used by SSH"},
		"both roles":     {func(c *Cluster) { c.Hosts[0].Roles = Roles() }, "jenkins.app.httpPort: 8080: is used by Marathon of a host with both roles (take another one, for example 8088)"},
		"admin":          {func(c *Cluster) { c.Jenkins.Admin.User = "a/b" }, "jenkins.admin.user"},
		"war":            {func(c *Cluster) { c.Jenkins.War = "ftp://x/jenkins.war" }, "jenkins.war: ftp://x/jenkins.war: must be a path or an https:// or http:// URL"},
		"war checksum":   {func(c *Cluster) { c.Jenkins.SHA256 = "12" }, "jenkins.sha256: 12: must be 64 hexadecimal digits"},
		"keep nothing":   {func(c *Cluster) { c.Backup.Keep = Keep{} }, "backup.keep: last 0, weekly 0: must keep at least one"},
		"no repository":  {func(c *Cluster) { c.Backup.Repository = "" }, "backup.repository: is required"},
		"backup secret":  {func(c *Cluster) { c.Backup.Password = "abc" }, "backup.password: must be env:NAME or file:PATH"},
		"no backup word": {func(c *Cluster) { c.Backup.Password = "" }, "backup.password: is required"},
	})
}

func TestAHomeMustOutliveTheMachinesStart(t *testing.T) {
	for _, path := range []string{"/tmp", "/tmp/x", "/var/tmp/x", "/dev/shm/x", "/run/x", "/var/run/x", "/proc/x", "/sys/x"} {
		c := parse(t, hostsFile)
		c.Jenkins.Home.Path = path
		require.ErrorContains(t, Validate(c), "jenkins.home.path: "+path+": must not be under /")
	}
	for _, path := range []string{"/tmpfiles", "/srv/tmp", "/runner/jenkins"} {
		c := parse(t, hostsFile)
		c.Jenkins.Home.Path = path
		require.NoError(t, Validate(c))
	}
}

func TestValidateConstraints(t *testing.T) {
	cases := map[string]one{}
	for text, want := range map[string]string{
		"rack": "must be [field, operator]", "rack SAME x": "constraints[0][1]: SAME: must be one of UNIQUE", "rack UNIQUE x": "UNIQUE takes no value",
		"rack LIKE": "LIKE needs a value", "rack LIKE [": "must be a regular expression", "rack MAX_PER two": "must be a number from 1", "rack GROUP_BY 0": "number from 1",
	} {
		cases[text] = one{func(c *Cluster) { c.Jenkins.App.Constraints = [][]string{strings.Fields(text)} }, want}
	}
	mustSay(t, threeLines, cases)
	c := parse(t, threeLines)
	for _, ok := range []string{"hostname UNIQUE", "rack CLUSTER r1", "rack GROUP_BY", "rack GROUP_BY 2", "hostname LIKE a[12]", "rack MAX_PER 2", "rack IS r1"} {
		c.Jenkins.App.Constraints = append(c.Jenkins.App.Constraints, strings.Fields(ok))
	}
	require.NoError(t, Validate(c))
}

func TestValidateSCMAndCloud(t *testing.T) {
	cases := map[string]one{
		"branch":         {func(c *Cluster) { c.Jenkins.SCM.Branch = "a..b" }, "jenkins.scm.branch"},
		"key":            {func(c *Cluster) { c.Jenkins.SCM.Key = "~/.ssh/id" }, "jenkins.scm.key: must be env:NAME or file:PATH"},
		"delays":         {func(c *Cluster) { c.Jenkins.SCM.MaxDelay = Duration(time.Second) }, "must not be shorter than debounce, 2s"},
		"no label":       {func(c *Cluster) { c.Jenkins.Cloud.Templates[0].Label = "" }, "templates[0].label: is required"},
		"two labels":     {func(c *Cluster) { c.Jenkins.Cloud.Templates[0].Label = "a b" }, "must be one label"},
		"label twice":    {func(c *Cluster) { t := c.Jenkins.Cloud.Templates; c.Jenkins.Cloud.Templates = append(t, t[0]) }, "is the label of templates[0] already"},
		"template cpus":  {func(c *Cluster) { c.Jenkins.Cloud.Templates[0].CPUs = 0 }, "templates[0].cpus"},
		"template mem":   {func(c *Cluster) { c.Jenkins.Cloud.Templates[0].Mem = 0 }, "templates[0].mem"},
		"idle":           {func(c *Cluster) { c.Jenkins.Cloud.Templates[0].Idle = Duration(time.Millisecond) }, "idle: 1ms: must be at least 1s"},
		"docker":         {func(c *Cluster) { c.Jenkins.Cloud.Templates[0].Docker = "sock" }, "docker: sock: must be one of none, socket, dind (did you mean socket?)"},
		"line":           {func(c *Cluster) { c.Jenkins.Cloud.Line = "v2" }, "jenkins.cloud.line: v2: must be one of http, libmesos"},
		"admin password": {func(c *Cluster) { c.Jenkins.Admin.Password = "" }, "jenkins.admin.password: is required"},
	}
	for text, want := range map[string]string{
		"": "jenkins.scm.repository: is required", "git://h/x": "cannot be pushed to", "https://h": "must be a git repository", "ftp://h/x": "must be a git repository",
		"just-a-name": "begin a path with / or ./", "git@h:a b": "must be a git repository", "--upload-pack=x": "must be a git repository", "https://u:p@h/x": "https://...@h/x: must not contain a password",
	} {
		cases["repository "+text] = one{func(c *Cluster) { c.Jenkins.SCM.Repository = text }, want}
	}
	mustSay(t, hostsFile, cases)
	for _, ok := range []string{"git@git.example:ci/home.git", "ssh://git@git.example:22/ci/home.git", "https://git.example/x.git", "https://me@git.example/x.git", "file:///srv/x.git", "/srv/x.git", "./x.git", "~/x.git", "host:x.git"} {
		c := parse(t, hostsFile)
		c.Jenkins.SCM.Repository = ok
		require.NoError(t, Validate(c), ok)
	}
}

func TestValidateSources(t *testing.T) {
	const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	cases := map[string]one{}
	for want, s := range map[string]Source{
		"must be standin or have one of apt":                     {},
		"apt and path: must have exactly one of":                 {Apt: "a", Path: "/b"},
		"path: must have exactly one of":                         {Standin: true, Path: "/b"},
		"source.sha256: is required for a download":              {Deb: "https://x/y.deb"},
		"source.sha256: abc: must be 64 hexadecimal digits":      {Archive: "https://x/y.tgz", SHA256: "abc"},
		"belongs to deb, rpm and archive only":                   {Path: "/opt/mesos", SHA256: sum},
		"belongs to apt and yum only":                            {Path: "/opt/mesos", Repository: "deb https://x stable main"},
		"must be the URL of the folder that has repodata":        {Yum: "mesos", Repository: "/srv/el9", GPGKey: "/k"},
		"source.gpgkey: is required":                             {Yum: "mesos", Repository: "https://x/el9/"},
		"belongs to yum with a repository":                       {Apt: "mesos", GPGKey: "/k"},
		"gpgkey: ftp://x/k: must be a path or an https:":         {Yum: "mesos", Repository: "https://x/el9/", GPGKey: "ftp://x/k"},
		"must be a line of sources.list":                         {Apt: "mesos", Repository: "https://x"},
		"must be one name":                                       {Apt: "mesos marathon"},
		"source.rpm: ftp://x/y.rpm: must be a path or an https:": {RPM: "ftp://x/y.rpm", SHA256: sum},
	} {
		cases[want] = one{func(c *Cluster) { c.Components.Mesos.Source = s }, "components.mesos.source"}
		c := parse(t, threeLines)
		c.Components.Mesos.Source = s
		require.ErrorContains(t, Validate(c), want)
	}
	mustSay(t, threeLines, cases)
	for _, ok := range []Source{{Deb: "./mesos.deb"}, {Archive: "https://x/y.tgz", SHA256: sum}, {Image: "a/b@sha256:" + sum}, {Path: "~/mesos"}, {Catalog: "clusterd"}, {Yum: "mesos=1.11.1-0.1.el8", Repository: "https://x/el$releasever/$basearch/", GPGKey: "https://x/key"}, {Yum: "mesos"}, {Apt: "mesos=1.11.0-2", Repository: "deb [signed-by=/k] https://x stable main"}} {
		c := parse(t, threeLines)
		c.Components.Mesos.Source = ok
		require.NoError(t, Validate(c), ok.Title())
	}
}

func TestNotes(t *testing.T) {
	c := parse(t, hostsFile)
	require.Equal(t, []string{"one control host: when it is lost, nothing can be changed until it is back"}, Notes(c))
	c.Jenkins.Cloud.Templates[0].Idle = Duration(150 * time.Second)
	require.Contains(t, Notes(c)[0], "2m30s becomes 3m")
	require.Equal(t, 3, c.Jenkins.Cloud.Templates[0].IdleMinutes())
	local := parse(t, threeLines+"local: {agents: 1, resources: {mem: 1100MiB}}\nssh: {user: me}\n")
	require.Contains(t, strings.Join(Notes(local), "\n"), "no room for a build agent (1568MiB are needed, 1100MiB are there)")
	local.Local.Agents = 2
	require.NotContains(t, strings.Join(Notes(local), "\n"), "no room", "the other one has room")
	require.Contains(t, strings.Join(Notes(local), "\n"), "ssh: has no effect on target local")
}

func TestDockerAccessOfBuilds(t *testing.T) {
	const hosts = "apiVersion: jomctl/v1\nname: ci\ntarget: hosts\nhosts: [{name: m1, address: 10.0.0.1, roles: [control, mesos-agent]}]\n"
	require.Nil(t, parse(t, hosts).Images, "plain processes")
	require.Equal(t, &Images{Base: "debian:trixie-slim", UserID: 1000}, parse(t, hosts+"images: {}\n").Images)
	for access, want := range map[string]string{"socket": "every build with the label mesos is root on the Mesos agents' hosts", "dind": "run in privileged containers"} {
		c := parse(t, hosts+"jenkins: {cloud: {templates: [{docker: "+access+"}]}}\n")
		require.NotNil(t, c.Images, "such builds need a container")
		require.NoError(t, Validate(c))
		notes := strings.Join(Notes(c), "\n")
		require.Contains(t, notes, "jenkins.cloud.templates[0].docker: "+access+": ")
		require.Contains(t, notes, want)
		own := parse(t, hosts+"jenkins: {cloud: {templates: [{docker: "+access+", image: \"r/agent:1\"}]}}\n")
		require.Nil(t, own.Images)
		require.Contains(t, strings.Join(Notes(own), "\n"), "r/agent:1 must bring what docker: "+access+" needs itself")
	}
	require.Nil(t, parse(t, threeLines+"jenkins: {cloud: {templates: [{docker: dind}]}}\n").Images)
	require.Contains(t, strings.Join(Notes(parse(t, threeLines+"images: {}\n")), "\n"), "images: has no effect on target local")
}
