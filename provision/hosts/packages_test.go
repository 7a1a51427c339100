package hosts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/source"
)

func TestAnotherPackageManagerIsWaitedFor(t *testing.T) {
	r := newRig(t, "a1")
	r.debian.Busy = 3
	var said []string
	ctx := provision.WithSay(t.Context(), func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
	item := Packages{Host: r.machine, Names: []string{"git"}, Pause: time.Microsecond}
	changed, err := item.Apply(ctx)
	require.NoError(t, err)
	assert.True(t, changed)
	require.Len(t, said, 1)
	assert.Contains(t, said[0], "a1: waiting for another package manager to end: Could not get lock")
	assert.Contains(t, said[0], "process 42")

	r.debian.Busy = 1 << 30
	ctx, cancel := context.WithCancel(t.Context())
	ctx = provision.WithSay(ctx, func(string, ...any) { cancel() })
	_, err = Packages{Host: r.machine, Names: []string{"haproxy"}, Pause: time.Hour}.Apply(ctx)
	require.ErrorIs(t, err, context.Canceled)

	r.debian.Busy = 0
	_, err = Packages{Host: r.machine, Names: []string{"git", "no-such"}}.Apply(t.Context())
	require.ErrorContains(t, err, "Unable to locate package no-such")
}

func TestPackagesThatAreThereInAnotherFormAreLeftOut(t *testing.T) {
	real := func(c *config.Cluster) { c.Components.Marathon.Source = config.Source{Archive: "m.tgz"} }
	authenticated := func(c *config.Cluster) {
		c.Components.Mesos = config.MesosComponent{Source: config.Source{Catalog: "clusterd"}, Authentication: true}
	}
	image := func(c *config.Cluster) { c.Components.Marathon.Source = config.Source{Catalog: "marathon-image"} }
	java := func(version, home string) []host.JavaFact { return []host.JavaFact{{Home: home, Version: version}} }
	for name, test := range map[string]struct {
		host   string
		change func(*config.Cluster)
		facts  func(*Facts)
		with   []string
		not    []string
	}{
		"a docker that is not Debian's": {"a1", real, func(f *Facts) { f.Programs["docker"] = "/usr/bin/docker" }, []string{"git"}, []string{"docker.io"}},
		"Debian's own docker":           {"a1", real, func(f *Facts) { f.Programs["docker"], f.Packages["docker.io"] = "/usr/bin/docker", "20.10" }, []string{"docker.io"}, nil},
		"a real Marathon":               {"c1", real, func(*Facts) {}, []string{"openjdk-17-jre-headless"}, []string{"docker.io", "default-jre-headless"}},
		"a real Marathon with Java 11":  {"c1", real, func(f *Facts) { f.Java = java("11", "/usr/lib/jvm/java-11") }, nil, []string{"openjdk-17-jre-headless"}},
		"a Marathon image":              {"c1", image, func(*Facts) {}, []string{"docker.io", "default-jre-headless"}, nil},
		"a Java of one's own":           {"c1", image, func(f *Facts) { f.Java = java("21", "/opt/java21") }, nil, []string{"default-jre-headless"}},
		"a Java that is too new":        {"c1", image, func(f *Facts) { f.Java = java("25", "/opt/java25") }, []string{"default-jre-headless"}, nil},
		"another's registry": {"c1", func(c *config.Cluster) { c.Registry = &config.Registry{Address: "r.example:5000"} }, func(*Facts) {},
			[]string{"haproxy"}, []string{"docker-registry"}},
		"ZooKeeper from an archive":             {"c1", func(c *config.Cluster) { c.Components.ZooKeeper.Source = config.Source{Archive: "z.tgz"} }, func(*Facts) {}, nil, []string{"libzookeeper-java"}},
		"ZooKeeper with its scripts":            {"c1", func(c *config.Cluster) { c.Components.ZooKeeper.Source = config.Source{Apt: "zookeeper"} }, func(*Facts) {}, []string{"zookeeper"}, []string{"libzookeeper-java"}},
		"an agent that authenticates":           {"a1", authenticated, func(*Facts) {}, []string{"libsasl2-modules"}, nil},
		"a master that authenticates on a RHEL": {"c1", authenticated, func(f *Facts) { f.OS.ID, f.OS.Version, f.OS.Codename, f.Packages = "rocky", "9.4", "", nil }, []string{"cyrus-sasl-md5"}, nil},
		"stand-ins that authenticate": {"c1", func(c *config.Cluster) { authenticated(c); c.Components.Mesos.Source = config.Source{Standin: true} }, func(*Facts) {},
			nil, []string{"libsasl2-modules"}},
		"a RHEL 10": {"c1", image, func(f *Facts) { f.OS.ID, f.OS.Version, f.OS.Codename, f.Packages = "almalinux", "10.1", "", nil }, []string{"java-21-openjdk-headless"}, nil},
		"a RHEL 7":  {"c1", real, func(f *Facts) { f.OS.ID, f.OS.Version, f.OS.Codename, f.Packages = "centos", "7", "", nil }, []string{"java-11-openjdk-headless"}, nil},
		"a RHEL":    {"c1", real, func(f *Facts) { f.OS.ID, f.OS.Version, f.OS.Codename, f.Packages = "rocky", "9.4", "", nil }, []string{"java-17-openjdk-headless", "docker-distribution"}, []string{"", "libzookeeper-java"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.host, test.change)
			test.facts(&r.facts)
			names := packagesOf(r.c, r.h, r.facts)
			for _, want := range test.with {
				assert.Contains(t, names, want)
			}
			for _, not := range test.not {
				assert.NotContains(t, names, not)
			}
			assert.True(t, slices.IsSorted(names))
		})
	}
}

func TestAnInstallationOfPackagesThatWasCutOffIsEnded(t *testing.T) {
	r := newRig(t, "a1")
	const policy = "/usr/sbin/policy-rc.d"
	item := Packages{Host: r.machine, Names: []string{"git"}}
	r.machine.Broken = func(operation, what string) error {
		if operation == "remove" && what == policy {
			return errors.New("connection lost")
		}
		return nil
	}
	_, err := item.Apply(t.Context())
	require.ErrorContains(t, err, "connection lost")
	assert.Contains(t, r.debian.Installed, "git")
	r.machine.Broken = nil
	done, changes, err := item.Probe(t.Context())
	require.NoError(t, err)
	assert.False(t, done, "services cannot be started there")
	assert.Equal(t, []string{"a1: end an installation of packages that was cut off"}, changes)
	_, err = item.Apply(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, r.machine.Paths(), policy)
	done, _, err = item.Probe(t.Context())
	require.NoError(t, err)
	assert.True(t, done)

	r.machine.Put(policy, "#!/bin/sh\nexit 0\n", 0o755)
	done, _, err = item.Probe(t.Context())
	require.NoError(t, err)
	assert.True(t, done, "the host's own stays")
}

func TestWhatIsMissingIsInstalledAsTheSystemDoes(t *testing.T) {
	c := cluster(t, 1, 1, func(c *config.Cluster) { c.Components.ZooKeeper.Source = config.Source{Archive: "z.tgz"} })
	h, _ := c.Host("c1")
	bare := goodFacts(h)
	bare.Programs, bare.Jars, bare.Java = map[string]string{}, nil, nil
	fixes := func(f Facts) string {
		var all []string
		_, found := Programs(c, h, f, Installed{})
		for _, one := range found {
			all = append(all, one.Fix)
		}
		return strings.Join(all, "\n")
	}
	assert.Contains(t, fixes(bare), "apt-get install -y haproxy, or use")
	bare.OS = host.OS{ID: "rocky", Like: "rhel centos fedora", Version: "9.4"}
	assert.Contains(t, fixes(bare), "dnf install -y docker-distribution, or use a registry of your own")
	assert.Contains(t, fixes(bare), "use another source in components.zookeeper.source")
	assert.NotContains(t, fixes(bare), "apt-get")

	good := goodFacts(h)
	found, findings := Programs(c, h, good, Installed{ZooKeeper: source.Programs{Jar: "/opt/jomctl/zookeeper-1/apache-zookeeper-3.8.4-bin/lib/zookeeper-3.8.4.jar"}})
	require.Empty(t, findings)
	assert.Equal(t, "/opt/jomctl/zookeeper-1/apache-zookeeper-3.8.4-bin/lib/*", found.ZooKeeper.Classpath)
	assert.Contains(t, Foreign(true), "docker-distribution")
}

func TestUploadsAreApartFromTheRest(t *testing.T) {
	r := newRig(t, "a1")
	var apart, rest []string
	for _, item := range Base(r.c, r.h, r.machine, r.facts, r.helpers, r.keeper) {
		if Apart(item) {
			apart = append(apart, item.Title())
		} else {
			rest = append(rest, item.Title())
		}
	}
	assert.Equal(t, []string{BinPath("standin") + " on a1", BinPath("jomhome") + " on a1"}, apart)
	assert.Equal(t, []string{"services of packages masked on a1", "packages on a1", "Docker Engine on a1"}, rest, "in order")
}
