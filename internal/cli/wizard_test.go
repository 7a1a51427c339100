package cli

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/ui"
	"github.com/jomctl/jomctl/internal/ui/uitest"
)

// allDefaults are the questions for target local, each answered with Enter, up to and without the summary.
func allDefaults() []uitest.Step {
	return []uitest.Step{
		uitest.Enter("Name of the cluster"), uitest.Choose("Target", ""), uitest.Enter("Control hosts"), uitest.Enter("Mesos agents"),
		uitest.Choose("Mesos", ""), uitest.Choose("Marathon", ""), uitest.Choose("Jenkins", ""), uitest.Enter("Git repository"), uitest.Enter("First account"),
		uitest.Enter("CPUs of the controller"), uitest.Enter("Memory of the controller"),
		uitest.Enter("Label of the build agents"), uitest.Enter("CPUs of a build agent"), uitest.Enter("Memory of a build agent"), uitest.Enter("How long a build agent"),
		uitest.Enter("CPUs that each Mesos agent"), uitest.Enter("Memory that each Mesos agent"),
	}
}

// with replaces the step at the place and puts more behind it.
func with(at int, steps ...uitest.Step) []uitest.Step {
	all := allDefaults()
	return append(append(append([]uitest.Step(nil), all[:at]...), steps...), all[at+1:]...)
}

var agree = uitest.Choose("Install this", optionGo)

func run(t *testing.T, options WizardOptions, steps ...uitest.Step) (*config.Cluster, *uitest.Script, error) {
	t.Helper()
	script := uitest.New(t, steps...)
	c, err := Wizard(context.Background(), script, options)
	return c, script, err
}

func defaults() *config.Cluster {
	c := &config.Cluster{APIVersion: config.APIVersion, Name: "ci", Target: config.TargetLocal, File: "x/cluster.yaml"}
	config.Default(c)
	return c
}

func TestEnterAllTheWayIsTheSmallestFile(t *testing.T) {
	c, script, err := run(t, WizardOptions{File: "x/cluster.yaml"}, append(allDefaults(), agree)...)
	require.NoError(t, err)
	require.Equal(t, defaults(), c)
	require.Contains(t, script.Transcript(), "Mesos              stand-in (not the real program)")
	require.Contains(t, script.Transcript(), "only behaves like the real one")
	require.Contains(t, script.Transcript(), "The same without questions: jomctl install --name ci --target local --yes")
}

func TestEveryAnswerArrives(t *testing.T) {
	found := Found{Mesos: []string{"/opt/mesos"}, Marathon: []string{"/opt/marathon"}, Wars: []string{"/srv/jenkins.war"}}
	c, script, err := run(t, WizardOptions{Found: found},
		uitest.Answer("Name", "blue"), uitest.Choose("Target", "local"), uitest.Answer("Control hosts", "3"), uitest.Answer("Mesos agents", "5"),
		uitest.Choose("Mesos", "/opt/mesos"), uitest.Choose("Marathon", "/opt/marathon"), uitest.Choose("Jenkins", "/srv/jenkins.war"),
		uitest.Answer("Git repository", "git@git.example:ci/home.git"), uitest.Answer("First account", "root"),
		uitest.Answer("CPUs of the controller", "2"), uitest.Answer("Memory of the controller", "2GiB"),
		uitest.Answer("Label", "docker"), uitest.Answer("CPUs of a build", "0.5"), uitest.Answer("Memory of a build", "1GiB"), uitest.Answer("How long", "90s"),
		uitest.Answer("CPUs that each", "8"), uitest.Answer("Memory that each", "8GiB"), agree)
	require.NoError(t, err)
	require.Equal(t, "blue", c.Name)
	require.Len(t, c.Hosts, 8)
	require.Equal(t, "/opt/mesos", c.Components.Mesos.Source.Path)
	require.Equal(t, "/opt/marathon", c.Components.Marathon.Source.Path)
	require.Equal(t, "/srv/jenkins.war", c.Jenkins.War)
	require.Equal(t, "git@git.example:ci/home.git", c.Jenkins.SCM.Repository)
	require.Equal(t, "root", c.Jenkins.Admin.User)
	require.Equal(t, 2*config.GiB, c.Jenkins.App.Mem)
	require.Equal(t, config.Template{Label: "docker", CPUs: 0.5, Mem: config.GiB, Idle: 90e9, Docker: config.DockerNone}, c.Jenkins.Cloud.Templates[0])
	require.Equal(t, config.Resources{CPUs: 8, Mem: 8 * config.GiB, Disk: 20 * config.GiB}, c.Local.Resources)
	require.NotContains(t, script.Transcript(), "only behaves like the real one", "nothing is a stand-in")
	require.Contains(t, script.Transcript(), "1m30s becomes 2m")
}

func TestAnswersAreCheckedWhereTheyAreGiven(t *testing.T) {
	for name, test := range map[string]struct {
		at      int
		answer  uitest.Step
		instead uitest.Step
	}{
		"name":     {0, uitest.Refused("Name", "C I", "DNS label"), uitest.Enter("Name")},
		"control":  {2, uitest.Refused("Control", "2", "1, 3 or 5"), uitest.Enter("Control")},
		"agents":   {3, uitest.Refused("Mesos agents", "201", "1 to 200"), uitest.Enter("Mesos agents")},
		"none":     {3, uitest.Refused("Mesos agents", "0", "whole number from 1"), uitest.Enter("Mesos agents")},
		"git":      {7, uitest.Refused("Git", "git://x/y", "cannot be pushed to"), uitest.Enter("Git")},
		"password": {7, uitest.Refused("Git", "https://me:pw@x/y", "must not contain a password"), uitest.Enter("Git")},
		"admin":    {8, uitest.Refused("First", "a b", "user name"), uitest.Enter("First")},
		"cpus":     {9, uitest.Refused("CPUs of the", "many", "number of CPUs"), uitest.Enter("CPUs of the")},
		"memory":   {10, uitest.Refused("Memory of the", "2", "has no unit"), uitest.Enter("Memory of the")},
		"label":    {11, uitest.Refused("Label", "a b", "one label"), uitest.Enter("Label")},
		"idle":     {14, uitest.Refused("How long", "0s", "more than 0"), uitest.Enter("How long")},
		"too small": {16, uitest.Refused("Memory that each", "512MiB", "no Mesos agent has so much: the largest offers 512MiB"),
			uitest.Enter("Memory that each")},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, err := run(t, WizardOptions{File: "x/cluster.yaml"}, append(with(test.at, test.answer, test.instead), agree)...)
			require.NoError(t, err)
			require.Equal(t, defaults(), c, "what was refused leaves no trace")
		})
	}
}

func TestGoingBack(t *testing.T) {
	steps := []uitest.Step{
		uitest.Back("Name of the cluster"), // nothing is before it: it is asked again
		uitest.Answer("Name of the cluster", "one"), uitest.Back("Target"), uitest.Answer("Name of the cluster", "two"),
		uitest.Choose("Target", ""), uitest.Enter("Control"), uitest.Answer("Mesos agents", "4"), uitest.Back("Mesos"), uitest.Answer("Mesos agents", "3"),
	}
	rest := allDefaults()[4:]
	steps = append(append(steps, rest[:6]...), uitest.Back("Memory of the controller"), uitest.Back("CPUs of the controller"), uitest.Enter("First account"))
	steps = append(append(steps, rest[5:]...), agree)
	c, _, err := run(t, WizardOptions{}, steps...)
	require.NoError(t, err)
	require.Equal(t, "two", c.Name)
	require.Equal(t, 3, c.Local.Agents)
}

func TestTheSummaryCanBeChanged(t *testing.T) {
	c, _, err := run(t, WizardOptions{}, append(allDefaults(),
		uitest.Choose("Install this", optionChange), uitest.Choose("Which one", "Admin user"), uitest.Answer("First account", "me"),
		uitest.Choose("Install this", optionChange), uitest.Back("Which one"),
		uitest.Back("Install this"), uitest.Choose("Which one", "Jenkins"), uitest.Choose("Jenkins", "another jenkins.war"), uitest.Refused("File or URL", "", "must not be empty"),
		uitest.Answer("File or URL", "./my.war"), agree)...)
	require.NoError(t, err)
	require.Equal(t, "me", c.Jenkins.Admin.User)
	require.Equal(t, "./my.war", c.Jenkins.War)
}

func TestStopping(t *testing.T) {
	_, _, err := run(t, WizardOptions{}, append(allDefaults(), uitest.Choose("Install this", optionStop))...)
	require.ErrorIs(t, err, ui.ErrInterrupted)
	for _, cause := range []error{ui.ErrInterrupted, ui.ErrInputEnded, ui.ErrNoTerminal} {
		_, _, err := run(t, WizardOptions{}, uitest.Enter("Name"), uitest.Fail("Target", cause))
		require.ErrorIs(t, err, cause)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Wizard(ctx, uitest.New(t), WizardOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestHostsAreAskedOneByOne(t *testing.T) {
	host := func(label, name, address, role string, more bool) []uitest.Step {
		return []uitest.Step{uitest.Answer(label, name), uitest.Answer("Address of "+name, address), uitest.Choose("Role of "+name, role), uitest.Say("Another host", more)}
	}
	steps := []uitest.Step{uitest.Enter("Name of the cluster"), uitest.Choose("Target", "hosts")}
	steps = append(steps, host("host 1", "m1", "10.0.0.1", roleControl, false)...) // refused: there is no agent yet
	steps = append(steps, uitest.Say("Another host", true),
		uitest.Refused("host 2", "m1", "is that of hosts[0] already"), uitest.Answer("host 2", "wrong"), uitest.Back("Address of wrong"), uitest.Answer("host 2", "a1"),
		uitest.Refused("Address of a1", "10.0.0.1", "is that of hosts[0] already"), uitest.Refused("Address of a1", "10.0.0.999", "must be an IP address"),
		uitest.Answer("Address of a1", "10.0.0.2"), uitest.Choose("Role of a1", ""), uitest.Say("Another host", true),
		uitest.Back("host 3"), uitest.Say("Another host", true))
	steps = append(steps, host("host 3", "a2", "a2.example", roleAgent, false)...)
	steps = append(steps, uitest.Enter("SSH user"), uitest.Enter("private SSH key"), uitest.Choose("Mesos", "catalog"), uitest.Choose("Marathon", "catalog"), uitest.Choose("Jenkins", "of the release"))
	steps = append(steps, allDefaults()[7:15]...)
	c, script, err := run(t, WizardOptions{}, append(steps, agree)...)
	require.NoError(t, err)
	require.Equal(t, []config.Host{
		{Name: "m1", Address: "10.0.0.1", Roles: []config.Role{config.RoleControl}},
		{Name: "a1", Address: "10.0.0.2", Roles: []config.Role{config.RoleMesosAgent}},
		{Name: "a2", Address: "a2.example", Roles: []config.Role{config.RoleMesosAgent}},
	}, c.Hosts)
	require.Contains(t, script.Transcript(), "there must be at least one Mesos agent")
	require.Nil(t, c.Local)
}

// TestHostsThatWereAskedForCanBeInstalled follows the answers into the file, and from there into the one-line command and back.
func TestHostsThatWereAskedForCanBeInstalled(t *testing.T) {
	for name, test := range map[string]struct {
		ssh  []uitest.Step
		want config.SSH
		line string
	}{
		"an account with sudo": {[]uitest.Step{uitest.Refused("SSH user", "a b", "must be a user name"), uitest.Answer("SSH user", "admin"), uitest.Back("private SSH key"),
			uitest.Enter("SSH user"), uitest.Answer("private SSH key", "~/.ssh/id_ed25519")}, config.SSH{User: "admin", IdentityFile: "~/.ssh/id_ed25519"},
			"jomctl install --name ci --target hosts --host m1=10.0.0.1:control --host a1=10.0.0.2:mesos-agent --ssh-user admin --ssh-key '~/.ssh/id_ed25519' --yes"},
		"root and the agent's key": {[]uitest.Step{uitest.Enter("SSH user"), uitest.Enter("private SSH key")}, config.SSH{User: "root"},
			"jomctl install --name ci --target hosts --host m1=10.0.0.1:control --host a1=10.0.0.2:mesos-agent --yes"},
	} {
		t.Run(name, func(t *testing.T) {
			steps := []uitest.Step{uitest.Enter("Name of the cluster"), uitest.Choose("Target", "hosts: existing machines over SSH"),
				uitest.Answer("host 1", "m1"), uitest.Answer("Address", "10.0.0.1"), uitest.Choose("Role", roleControl), uitest.Say("Another host", true),
				uitest.Answer("host 2", "a1"), uitest.Answer("Address", "10.0.0.2"), uitest.Choose("Role", roleAgent), uitest.Say("Another host", false)}
			steps = append(append(steps, test.ssh...), uitest.Choose("Mesos", "catalog"), uitest.Choose("Marathon", "catalog"), uitest.Choose("Jenkins", "of the release"))
			steps = append(append(steps, allDefaults()[7:15]...), agree)
			file := t.TempDir() + "/cluster.yaml"
			asked, script, err := run(t, WizardOptions{File: file}, steps...)
			require.NoError(t, err)
			require.NotContains(t, script.Transcript(), "cannot install")
			require.NotContains(t, script.Transcript(), "stand-in is")
			require.Equal(t, []string{test.want.User, test.want.IdentityFile}, []string{asked.SSH.User, asked.SSH.IdentityFile})

			require.NoError(t, config.Write(file, asked, false))
			loaded, err := config.Load(file)
			require.NoError(t, err)
			require.Equal(t, asked, loaded)

			line := OneLine(loaded)
			require.Equal(t, test.line, line)
			flags, err := parseFlags(shellWords(t, line)[2:]...)
			require.NoError(t, err)
			again, err := flags.Cluster(file)
			require.NoError(t, err)
			require.Equal(t, asked, again)
		})
	}
}

func TestBackFromTheFirstHostKeepsNone(t *testing.T) {
	steps := []uitest.Step{uitest.Enter("Name"), uitest.Choose("Target", "hosts"), uitest.Answer("host 1", "m1"), uitest.Back("Address"), uitest.Back("host 1"),
		uitest.Choose("Target", "local")}
	c, _, err := run(t, WizardOptions{File: "x/cluster.yaml"}, append(append(steps, allDefaults()[2:]...), agree)...)
	require.NoError(t, err)
	require.Equal(t, defaults(), c)
}

func TestTheWizardGoesOnFromWhatIsKnown(t *testing.T) {
	start := &config.Cluster{Name: "blue", Target: config.TargetLocal, Components: config.Components{Mesos: config.MesosComponent{Source: config.Source{Path: "/own"}}}}
	start.Jenkins.War = "/own.war"
	start.Jenkins.SCM = &config.SCM{Repository: "/srv/x.git"}
	steps := with(7, uitest.Answer("Git", "none"))
	c, _, err := run(t, WizardOptions{Start: start}, append(steps, agree)...)
	require.NoError(t, err)
	require.Equal(t, "blue", c.Name)
	require.Equal(t, "/own", c.Components.Mesos.Source.Path)
	require.Equal(t, "/own.war", c.Jenkins.War)
	require.Nil(t, c.Jenkins.SCM)
	require.NotNil(t, start.Jenkins.SCM, "what was handed in is not touched")
}

// TestWhatTheWizardMakesCanBeWritten closes the circle: asked, written, read, the same.
func TestWhatTheWizardMakesCanBeWritten(t *testing.T) {
	file := t.TempDir() + "/cluster.yaml"
	c, _, err := run(t, WizardOptions{File: file}, append(with(3, uitest.Answer("Mesos agents", "4")), agree)...)
	require.NoError(t, err)
	require.NoError(t, config.Write(file, c, false))
	back, err := config.Load(file)
	require.NoError(t, err)
	require.Equal(t, c, back)
}
