package cli

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision"
)

func parseFlags(args ...string) (*InstallFlags, error) {
	f := &InstallFlags{}
	set := pflag.NewFlagSet("install", pflag.ContinueOnError)
	set.SetOutput(&strings.Builder{})
	set.Bool("yes", false, "")
	set.String("file", "", "")
	f.Bind(set)
	return f, set.Parse(args)
}

// shellWords lets the shell say what the arguments of a line are.
func shellWords(t *testing.T, line string) []string {
	t.Helper()
	out, err := exec.Command("sh", "-c", `for a in "$@"; do printf '%s\0' "$a"; done`+"\n", "sh").Output()
	require.NoError(t, err)
	require.Empty(t, strings.TrimRight(string(out), "\x00"))
	out, err = exec.Command("sh", "-c", "set -- "+line+"\nfor a in \"$@\"; do printf '%s\\0' \"$a\"; done").Output()
	require.NoError(t, err, line)
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestOneLineMakesTheSameCluster(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	valid := 0
	for range 60 {
		want := randomCluster(r)
		config.Default(want)
		line := OneLine(want)
		words := shellWords(t, line)
		require.Equal(t, []string{"jomctl", "install"}, words[:2])
		require.Equal(t, "--yes", words[len(words)-1])
		f, err := parseFlags(words[2:]...)
		require.NoError(t, err, line)
		require.True(t, f.Given(), line)
		got := &config.Cluster{APIVersion: config.APIVersion, Name: "ci", Target: config.TargetLocal}
		require.NoError(t, f.Apply(got))
		config.Default(got)
		require.Equal(t, string(config.Show(want)), string(config.Show(got)), line)
		if config.Validate(want) == nil {
			valid++
			_, err := f.Cluster("cluster.yaml")
			require.NoError(t, err)
		}
	}
	require.Greater(t, valid, 20, "most of them must be clusters that can be installed")
}

// randomCluster has values for everything that flags can say.
func randomCluster(r *rand.Rand) *config.Cluster {
	maybe := func(f func()) {
		if r.IntN(3) == 0 {
			f()
		}
	}
	c := &config.Cluster{APIVersion: config.APIVersion, Name: fmt.Sprintf("c%d", r.IntN(9)), Target: []config.Target{config.TargetLocal, config.TargetHosts, config.TargetDocker, config.TargetAWS}[r.IntN(4)]}
	switch {
	case c.Target.FromTerraform():
		maybe(func() { machinesOf(c).Control = 1 + 2*r.IntN(3) })
		maybe(func() { machinesOf(c).Agents = 1 + r.IntN(9) })
		maybe(func() { machinesOf(c).Image, machinesOf(c).Flavor = "an image", "2x4g" })
		maybe(func() { machinesOf(c).Network, machinesOf(c).Region = "10.9.0.0/16", "north" })
		maybe(func() { machinesOf(c).Admin = []string{"198.51.100.7/32", "203.0.113.0/24"} })
	case c.Target == config.TargetLocal:
		maybe(func() { localOf(c).Agents = 1 + r.IntN(9) })
		maybe(func() { localOf(c).Control = 1 + 2*r.IntN(3) })
		maybe(func() { localOf(c).Address = "127.1.2.0" })
		maybe(func() { localOf(c).Resources.Mem = config.Size(4+r.IntN(9)) * config.GiB })
		maybe(func() { localOf(c).Resources.CPUs = float64(4 + r.IntN(9)) })
		maybe(func() { c.Components.Mesos.Source = config.Source{Path: "/opt/my mesos"} })
		maybe(func() {
			c.Hosts = []config.Host{{Name: "x", Address: "127.0.5.1", Roles: config.Roles()}}
			c.Local = nil
		})
	default:
		c.Hosts = []config.Host{{Name: "m1", Address: "fd00::1", Roles: []config.Role{config.RoleControl}}}
		for i := range 1 + r.IntN(3) {
			c.Hosts = append(c.Hosts, config.Host{Name: fmt.Sprintf("a%d", i), Address: fmt.Sprintf("a%d.example", i), Roles: []config.Role{config.RoleMesosAgent}})
		}
		maybe(func() { c.SSH = &config.SSH{User: "ci", IdentityFile: "~/.ssh/it's mine"} })
		maybe(func() { c.Components.Marathon.Source = config.Source{Standin: true} })
		maybe(func() { c.Jenkins.Home = config.Home{Type: config.HomeShared, Path: "/mnt/$HOME/jenkins"} })
	}
	maybe(func() { c.Release = "./my release" })
	maybe(func() { c.Jenkins.War = "https://example.org/jenkins.war?a=1&b=2" })
	maybe(func() { c.Jenkins.Plugins, c.Jenkins.Java = "/srv/plugins", "/opt/java" })
	maybe(func() { c.Jenkins.App.CPUs = float64(1+r.IntN(30)) / 10 })
	maybe(func() { c.Jenkins.App.Mem = config.Size(1+r.IntN(9)) * 300 * config.MiB })
	maybe(func() {
		c.Jenkins.SCM = &config.SCM{Repository: "git@git.example:ci/home.git", Branch: "live", Key: "file:~/.ssh/id"}
	})
	maybe(func() { c.Jenkins.Admin.User = "me" })
	maybe(func() {
		c.Jenkins.Cloud.Templates = []config.Template{{Label: "x", CPUs: 0.5, Mem: config.Size(1+r.IntN(9)) * 100 * config.MiB, Idle: config.Duration(1+r.IntN(9)) * 60e9}}
	})
	return c
}

func TestOneLineIsShort(t *testing.T) {
	require.Equal(t, "jomctl install --name ci --target local --yes", OneLine(defaults()))
	c := &config.Cluster{APIVersion: config.APIVersion, Name: "ci", Target: config.TargetLocal, Local: &config.Local{Agents: 3}}
	require.Equal(t, "jomctl install --name ci --target local --agents 3 --yes", OneLine(c))
	c.Backup = &config.Backup{Repository: "/srv/backup"}
	c.File = "my clusters/cluster.yaml"
	require.Equal(t, "jomctl install --file 'my clusters/cluster.yaml' --yes", OneLine(c), "flags know no backup")
}

func TestFlagsAreCheckedAtOnce(t *testing.T) {
	for _, args := range []string{"--agents 0", "--agents two", "--app-mem 512", "--app-mem 0MiB", "--agent-cpus -1", "--idle 5", "--idle 0s", "--host m1", "--host =x:control", "--host m1=:control", "--war="} {
		_, err := parseFlags(strings.Fields(args)...)
		require.Error(t, err, args)
	}
	f, err := parseFlags("--name", "C I", "--control", "2")
	require.NoError(t, err)
	_, err = f.Cluster("cluster.yaml")
	require.ErrorContains(t, err, "name: C I: must be a DNS label")
	require.ErrorContains(t, err, "local.control: 2: must be 1, 3 or 5")
}

func TestFlagsWithoutAFileWriteIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cluster.yaml")
	f, err := parseFlags("--agents", "3")
	require.NoError(t, err)
	c, written, err := f.Ensure(file)
	require.NoError(t, err)
	require.True(t, written)
	require.Equal(t, 3, c.Local.Agents)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "\n  agents: 3\n")

	again, written, err := f.Ensure(file)
	require.NoError(t, err, "the same command line can be given again")
	require.False(t, written)
	require.Equal(t, c, again)

	loaded, _, err := (&InstallFlags{}).Ensure(file)
	require.NoError(t, err)
	require.Equal(t, c, loaded)

	other, err := parseFlags("--agents", "4", "--name", "ci", "--idle", "9m")
	require.NoError(t, err)
	_, _, err = other.Ensure(file)
	require.ErrorContains(t, err, "differs from the flags: --agents, --idle;")
	require.Equal(t, exitUsage, exitCode(err))
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(text), string(kept))

	_, _, err = (&InstallFlags{}).Ensure(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestHostsOnTheCommandLine(t *testing.T) {
	for value, want := range map[string]config.Host{
		"m1=10.0.0.1:control":             {Name: "m1", Address: "10.0.0.1", Roles: []config.Role{config.RoleControl}},
		"m1=[fd00::1]:control":            {Name: "m1", Address: "fd00::1", Roles: []config.Role{config.RoleControl}},
		"x=x.example:control,mesos-agent": {Name: "x", Address: "x.example", Roles: config.Roles()},
	} {
		got, err := parseHost(value)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, value, formatHost(got))
	}
}

func TestRealProgramsAreFound(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "jenkins.war"), nil, 0o600))
	machine := provision.Real{Mesos: "/opt/mesos", War: "/usr/share/jenkins/jenkins.war"}
	require.Equal(t, Found{Mesos: []string{"/opt/mesos"}, Wars: []string{"/usr/share/jenkins/jenkins.war", "./jenkins.war"}}, foundPrograms(machine, dir))
	machine.War = filepath.Join(dir, "jenkins.war")
	require.Equal(t, []string{machine.War}, foundPrograms(machine, dir).Wars, "one war is not offered twice")
	require.Equal(t, Found{}, foundPrograms(provision.Real{}, t.TempDir()))
}
