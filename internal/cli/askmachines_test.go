package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/ui/uitest"
)

// restOfHosts are the questions that follow those about machines, each answered with Enter.
func restOfHosts() []uitest.Step {
	return append(append([]uitest.Step(nil), allDefaults()[4:15]...), agree)
}

func TestTheWizardShapesMachinesThatTerraformMakes(t *testing.T) {
	c, script, err := run(t, WizardOptions{File: "x/cluster.yaml"}, append([]uitest.Step{
		uitest.Enter("Name of the cluster"), uitest.Choose("Target", "aws"), uitest.Refused("Control hosts", "2", "1, 3 or 5"), uitest.Answer("Control hosts", "3"), uitest.Answer("Mesos agents", "4"),
		uitest.Answer("Image", "ami-1"), uitest.Answer("Size", "m7i.large"), uitest.Refused("Private network", "10.0.0.0/28", "/16 to /24"), uitest.Answer("Private network", "10.9.0.0/24"),
		uitest.Answer("Region", "eu-central-1"), uitest.Refused("Networks that may reach", "198.51.100.7", "must be a network"), uitest.Answer("Networks that may reach", "198.51.100.7/32, 203.0.113.0/24"),
	}, restOfHosts()...)...)
	require.NoError(t, err)
	require.Equal(t, &config.Machines{Control: 3, Agents: 4, Image: "ami-1", Flavor: "m7i.large", Network: "10.9.0.0/24", Region: "eu-central-1",
		Admin: []string{"198.51.100.7/32", "203.0.113.0/24"}}, c.Machines)
	require.Len(t, c.Hosts, 7)
	require.Contains(t, script.Transcript(), "reached from 198.51.100.7/32 203.0.113.0/24")
	require.Contains(t, script.Transcript(), "nobody has run this yet")
	require.Contains(t, script.Transcript(), "--target aws --control 3 --agents 4 --machine-image ami-1 --machine-flavor m7i.large --machine-network 10.9.0.0/24 --region eu-central-1 --admin-networks 198.51.100.7/32,203.0.113.0/24 --yes")
}

func TestTheWizardAsksALabForLittle(t *testing.T) {
	c, script, err := run(t, WizardOptions{File: "x/cluster.yaml"}, append([]uitest.Step{
		uitest.Enter("Name of the cluster"), uitest.Choose("Target", "docker"), uitest.Enter("Control hosts"), uitest.Enter("Mesos agents"),
		uitest.Enter("Image"), uitest.Enter("Size"), uitest.Enter("Private network")}, restOfHosts()...)...)
	require.NoError(t, err)
	require.Equal(t, &config.Machines{Control: 1, Agents: 2}, c.Machines, "what is not said is left to the module")
	require.Contains(t, script.Transcript(), "jomctl install --name ci --target docker --yes")
}

func TestAnotherTargetForgetsTheMachines(t *testing.T) {
	steps := []uitest.Step{
		uitest.Enter("Name of the cluster"), uitest.Choose("Target", "docker"), uitest.Answer("Control hosts", "3"), uitest.Back("Mesos agents"), uitest.Back("Control hosts"),
		uitest.Choose("Target", "local"), uitest.Enter("Control hosts"), uitest.Enter("Mesos agents"),
	}
	c, _, err := run(t, WizardOptions{File: "x/cluster.yaml"}, append(append(steps, allDefaults()[4:]...), agree)...)
	require.NoError(t, err)
	require.Equal(t, defaults(), c)
}

func TestNumbersGoWhereTheTargetHasThemWhateverTheOrder(t *testing.T) {
	for _, line := range [][]string{{"--control", "3", "--target", "docker"}, {"--target", "docker", "--control", "3"}} {
		f, err := parseFlags(line...)
		require.NoError(t, err)
		c, err := f.Cluster("cluster.yaml")
		require.NoError(t, err)
		require.Equal(t, 3, c.Machines.Control)
		require.Nil(t, c.Local)
	}
}
