package lab

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision/terraform"
)

func (l *Lab) ssh(user, host, command string) (string, error) {
	out, err := exec.Command("ssh", "-i", l.KeyFile, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "LogLevel=ERROR", "-o", "ConnectTimeout=20", user+"@"+l.Host(host).Address, command).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// made lists what Docker has with the lab's label.
func made(t *testing.T, name string) string {
	var all []string
	for _, argv := range [][]string{{"ps", "-aq"}, {"volume", "ls", "-q"}, {"network", "ls", "-q"}} {
		out, err := exec.Command("docker", append(argv, "--filter", "label=org.jomctl.cluster="+name)...).CombinedOutput()
		require.NoError(t, err, string(out))
		all = append(all, strings.Fields(string(out))...)
	}
	return strings.Join(all, " ")
}

func TestThreeHostsLiveAndEndWithTheTest(t *testing.T) {
	var name string
	t.Run("lab", func(t *testing.T) {
		l := Up(t, Control("m1"), Agent("a1"), Agent("a2"))
		name = l.Name
		for _, h := range l.Hosts {
			out, err := l.ssh("admin", h.Name, "hostname; sudo -n id -un; systemctl is-system-running")
			require.NoError(t, err, out)
			require.Equal(t, h.Name+"\nroot\nrunning", out)
			out, err = l.ssh("root", h.Name, "getent ahostsv4 m1 | awk 'NR == 1 {print $1}'")
			require.NoError(t, err, out)
			require.Equal(t, l.Host("m1").Address, out, "names mean the same everywhere, and no loopback address")
		}
		out, err := l.Run("m1", "sh", "-c", "command -v docker java haproxy")
		require.Error(t, err, "a fresh host has none of what jomctl installs: %s", out)

		packages := cmp.Or(l.variables.Options["apt_cache"], "DIRECT")
		require.Equal(t, packages, l.Exec("m1", "/usr/local/lib/lab/apt-proxy", "http://deb.debian.org/debian"))
		require.Equal(t, "DIRECT", l.Exec("m1", "/usr/local/lib/lab/apt-proxy", "http://10.0.0.1/debian"), "repositories of a test are asked directly")

		d, err := l.driver(t.Context())
		require.NoError(t, err)
		p, err := d.Plan(t.Context())
		require.NoError(t, err)
		require.True(t, p.Empty(), p.Text())

		t.Run("power", func(t *testing.T) { powerComesAndGoes(t, l) })
		t.Run("network", func(t *testing.T) { networkIsCutAndMended(t, l) })
		t.Run("size", func(t *testing.T) { hostsComeAndGo(t, l) })
	})
	if name != "" {
		require.Empty(t, made(t, name), "containers, volumes and network are gone")
	}
}

func powerComesAndGoes(t *testing.T, l *Lab) {
	address := l.Host("a1").Address
	l.Exec("a1", "sh", "-c", "echo kept >/var/lib/kept; echo gone >/run/gone; sync")
	l.PowerOff("a1")
	_, err := l.Run("a1", "true")
	require.Error(t, err)
	l.PowerOn("a1")
	require.Equal(t, "kept", l.Exec("a1", "cat", "/var/lib/kept"))
	_, err = l.Run("a1", "test", "-e", "/run/gone")
	require.Error(t, err, "what is in memory is lost")
	out, err := l.ssh("root", "a1", "ip -4 -o address show eth0")
	require.NoError(t, err, out)
	require.Contains(t, out, address+"/")
}

func networkIsCutAndMended(t *testing.T, l *Lab) {
	reaches := func(from, to string) bool {
		_, err := l.Run(from, "ping", "-c", "1", "-W", "2", l.Host(to).Address)
		return err == nil
	}
	require.True(t, reaches("a1", "m1"))
	l.Cut("a1", "m1")
	require.False(t, reaches("a1", "m1"))
	require.False(t, reaches("m1", "a1"))
	require.True(t, reaches("a1", "a2"), "only what was named is cut")
	l.Cut("a1")
	require.False(t, reaches("a1", "a2"))
	l.Exec("a1", "ping", "-c", "1", "127.0.0.1")
	l.Mend("a1")
	require.True(t, reaches("a1", "m1"))
	require.True(t, reaches("a2", "a1"))
}

func hostsComeAndGo(t *testing.T, l *Lab) {
	before := l.Exec("a1", "cat", "/etc/machine-id")
	kept := l.Host("a1")
	l.Resize(Control("m1"), Agent("a3"), Agent("a1"))
	require.Equal(t, kept, l.Host("a1"))
	require.Equal(t, before, l.Exec("a1", "cat", "/etc/machine-id"), "a host that stays is not touched")
	require.NotEqual(t, before, l.Exec("a3", "cat", "/etc/machine-id"), "every host is one of its own")
	require.Len(t, l.Hosts, 3)
	require.NotContains(t, made(t, l.Name), l.Name+"-a2", "the disk of a host that went is gone")
}

func TestAFailedStartLeavesNothing(t *testing.T) {
	l := Up(t, Control("m1"))
	variables := l.variables
	variables.Cluster, variables.Image, variables.CIDR = l.Name+"-bad", "jomctl-lab:none", strings.Replace(l.variables.CIDR, "10.78.", "10.79.", 1)
	options := terraform.Options{Dir: t.TempDir(), Target: "docker", Variables: variables}
	d, err := terraform.New(t.Context(), options)
	require.NoError(t, err)
	p, err := d.Plan(t.Context())
	require.NoError(t, err)
	err = d.Apply(t.Context(), p)
	require.ErrorContains(t, err, "there is no image jomctl-lab:none")
	require.ErrorContains(t, err, "scripts/lab-image.sh builds")

	// Interrupted while a host starts: Terraform kills the script, and what it made goes all the same.
	options.Variables.Image = l.variables.Image
	d, err = terraform.New(t.Context(), options)
	require.NoError(t, err)
	p, err = d.Plan(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Apply(ctx, p) }()
	container := options.Variables.Cluster + "-m1"
	exists := func(context.Context) bool {
		return exec.Command("docker", "inspect", "--type", "container", container).Run() == nil
	}
	testkit.Eventually(t, 2*time.Minute, "the container is there", exists)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	testkit.Eventually(t, 2*time.Minute, "the container is gone", func(ctx context.Context) bool { return !exists(ctx) })

	end, err := d.PlanDestroy(t.Context())
	require.NoError(t, err)
	require.NoError(t, d.Apply(t.Context(), end))
	require.Empty(t, made(t, options.Variables.Cluster))
}

func TestForeignContainersAndNetworksAreLeftAlone(t *testing.T) {
	l := Up(t, Control("m1"))
	variables := l.variables
	variables.CIDR = strings.Replace(l.variables.CIDR, "10.78.", "10.79.", 1)
	twin := l.Name + "-twin"
	variables.Cluster = twin
	l.must("docker", "network", "create", twin)
	t.Cleanup(func() { l.must("docker", "network", "rm", twin) })
	d, err := terraform.New(t.Context(), terraform.Options{Dir: t.TempDir(), Target: "docker", Variables: variables})
	require.NoError(t, err)
	p, err := d.Plan(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, d.Apply(t.Context(), p), "exists that this cluster did not make; choose another cluster name")
	end, err := d.PlanDestroy(t.Context())
	require.NoError(t, err)
	require.NoError(t, d.Apply(t.Context(), end))
	l.must("docker", "network", "inspect", twin)

	// The network of the first lab.
	variables.Cluster, variables.CIDR = l.Name+"-third", l.variables.CIDR
	d, err = terraform.New(t.Context(), terraform.Options{Dir: t.TempDir(), Target: "docker", Variables: variables})
	require.NoError(t, err)
	p, err = d.Plan(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, d.Apply(t.Context(), p), variables.CIDR+" is in use by another network of this machine; set cidr to a free one")
}

func TestALabWhoseTestWasKilledEnds(t *testing.T) {
	if name := os.Getenv("JOMCTL_LAB_VICTIM"); name != "" {
		l := Up(t, Control("m1"))
		require.NoError(t, os.WriteFile(name, []byte(l.Name), 0o600))
		select {} // until it is killed
	}
	if os.Getenv("JOMCTL_TEST_LAB") != "1" {
		t.Skip("a lab of real hosts needs JOMCTL_TEST_LAB=1")
	}
	file := t.TempDir() + "/name"
	victim := exec.Command(os.Args[0], "-test.run=^TestALabWhoseTestWasKilledEnds$")
	victim.Env = append(os.Environ(), "JOMCTL_LAB_VICTIM="+file)
	require.NoError(t, victim.Start())
	var name string
	testkit.Eventually(t, 10*time.Minute, "the lab is up", func(context.Context) bool {
		data, _ := os.ReadFile(file)
		name = string(data)
		return name != ""
	})
	require.NotEmpty(t, made(t, name))
	require.NoError(t, victim.Process.Kill())
	_ = victim.Wait()
	testkit.Eventually(t, 2*time.Minute, "nothing of the lab is left", func(context.Context) bool { return made(t, name) == "" })
}
