package hosts

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/source"
)

// The packages, by Debian's names.
const (
	packageZooKeeper = "libzookeeper-java" // all of ZooKeeper; the package zookeeper adds scripts, and a Java with a desktop's libraries
	packageHAProxy   = "haproxy"
	packageDocker    = "docker.io"
	packagePodman    = "podman-docker" // a docker that is podman
	packageRegistry  = "docker-registry"
	packageJava      = "default-jre-headless"
	packageJava17    = "openjdk-17-jre-headless"
	packageGit       = "git"
	packageRestic    = "restic"
	packageSSH       = "openssh-client"
	packageSASL      = "libsasl2-modules" // with CRAM-MD5, which Mesos looks for when it authenticates
)

// redHat is the name that RHEL-like systems of a major version have for a package, empty where they have none, as of ZooKeeper and of
// Docker's engine. Java 17 came with 8 and went with 10.
func redHat(name, major string) string {
	java, java17 := "java-17-openjdk-headless", "java-17-openjdk-headless"
	switch version, err := strconv.Atoi(major); {
	case err != nil:
	case version < 8:
		java, java17 = "java-11-openjdk-headless", "java-11-openjdk-headless"
	case version >= 10:
		java, java17 = "java-21-openjdk-headless", ""
	}
	return map[string]string{packageJava: java, packageJava17: java17, packageRegistry: "docker-distribution",
		packageDocker: "", packageZooKeeper: "", source.ZooKeeper: "", packageHAProxy: packageHAProxy, packageGit: packageGit, packageSSH: "openssh-clients", packageRestic: "", packageSASL: "cyrus-sasl-md5"}[name]
}

// packagesOf are the packages that a host needs for its roles and that are not there in another form already.
func packagesOf(c *config.Cluster, h config.Host, f Facts) []string {
	var names []string
	need := func(name string) { names = append(names, name) }
	if h.Is(config.RoleControl) {
		need(packageHAProxy)
		if s := c.Components.ZooKeeper.Source; (s.Apt == packageZooKeeper || s.Apt == source.ZooKeeper) && s.Repository == "" {
			need(s.Apt)
		}
		if java := javaPackage(c, f); java != "" {
			need(java)
		}
	}
	if r, own := provision.RegistryHost(c); own && r.Name == h.Name {
		need(packageRegistry)
	}
	if h.Is(config.RoleMesosAgent) {
		need(packageGit)
	}
	if slices.ContainsFunc(provision.ControllerHosts(c), func(one config.Host) bool { return one.Name == h.Name }) {
		if c.Backup != nil {
			need(packageRestic)
		}
		if c.Jenkins.SCM != nil || c.Backup != nil { // of which one may go over SSH
			need(packageSSH)
		}
	}
	if m := c.Components.Mesos; m.Authentication && !m.Source.Standin {
		need(packageSASL)
	}
	if needsDocker(c, h) && (f.Programs["docker"] == "" || f.Packages[packageDocker] != "") {
		need(packageDocker)
	}
	if f.Source().RedHat() {
		for i, name := range names {
			names[i] = redHat(name, f.Source().Suite)
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	}
	slices.Sort(names)
	return names
}

// javaPackage is the package of the Java for ZooKeeper and a real Marathon; "" where there is one that both accept.
func javaPackage(c *config.Cluster, f Facts) string {
	marathon := c.Components.Marathon.Source
	allowed, name := zooKeeperJavas(), packageJava
	if !marathon.Standin && !isImage(marathon) {
		// Debian's default grows with every release, and Marathon knows none above 17.
		allowed, name = marathonJavas(), packageJava17
	}
	for _, java := range f.javas() {
		if slices.Contains(allowed, java.Major) && !strings.HasPrefix(java.Home, "/usr/lib/jvm/") {
			return ""
		}
	}
	if _, found := provision.NewestJava(f.javas(), allowed); found && name == packageJava17 {
		return ""
	}
	return name
}

func zooKeeperJavas() []int { return []int{8, 11, 17, 21} }
func marathonJavas() []int  { return []int{8, 11, 17} }

// Packages are packages of the host's own system.
type Packages struct {
	Host  host.Machine
	Names []string
	// DNF says that they are RPM packages, of which jomctl was not tested with real ones.
	DNF bool
	// With are packages of components: those of which the host has none yet come in the same transaction. They are not looked for alone.
	With []source.Need
	// Pause is the time between two tries while another package manager is at work; 0 means 5 s.
	Pause time.Duration
}

// Title implements provision.Item.
func (i Packages) Title() string { return "packages on " + i.Host.Name() }

// Probe implements provision.Item.
func (i Packages) Probe(ctx context.Context) (bool, []string, error) {
	missing, cutOff, err := i.missing(ctx)
	switch {
	case err != nil:
		return false, nil, err
	case len(missing) > 0:
		return false, []string{i.Host.Name() + ": install " + strings.Join(missing, ", ")}, nil
	case cutOff:
		return false, []string{i.Host.Name() + ": end an installation of packages that was cut off"}, nil
	}
	return true, nil, nil
}

// missing are the packages that are not there; cutOff says that an installation did not come to its end.
func (i Packages) missing(ctx context.Context) (missing []string, cutOff bool, err error) {
	have, err := versions(ctx, i.Host, i.Names, i.DNF)
	if err != nil {
		return nil, false, err
	}
	missing = slices.DeleteFunc(slices.Clone(i.Names), func(name string) bool { return have[name] != "" })
	if len(missing) == 0 && len(i.Names) > 0 && !i.DNF {
		cutOff, err = source.Unfinished(ctx, i.Host)
	}
	return missing, cutOff, err
}

// versions are those of the packages that are installed as a whole.
func versions(ctx context.Context, m host.Machine, names []string, dnf bool) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil //nolint:nilnil // nothing asked, nothing there
	}
	argv := []string{"dpkg-query", "-W", "-f", `${db:Status-Abbrev}\t${Package}\t${Version}\n`}
	if dnf {
		argv = []string{"rpm", "-q", "--qf", `ii\t%{NAME}\t%{VERSION}-%{RELEASE}\n`}
	}
	out, err := host.Ask(ctx, m, append(argv, names...)...)
	if err != nil && out.Code < 1 { // which is also said when one of them is not known
		return nil, fmt.Errorf("ask host %s for its packages: %w", m.Name(), err)
	}
	have := map[string]string{}
	for line := range strings.Lines(out.Stdout) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) == 3 && (strings.HasPrefix(fields[0], "ii") || strings.HasPrefix(fields[0], "hi")) {
			have[fields[1]] = fields[2]
		}
	}
	return have, nil
}

// Apply implements provision.Item.
func (i Packages) Apply(ctx context.Context) (bool, error) {
	missing, cutOff, err := i.missing(ctx)
	if err != nil || len(missing) == 0 && !cutOff {
		return false, err
	}
	installer := source.Installer{Say: func(text string) { provision.Say(ctx, "%s", text) }, Pause: i.pause()}
	if err := installer.System(ctx, i.Host, i.DNF, missing, i.with(missing)...); err != nil {
		return true, fmt.Errorf("install %s on host %s: %w", strings.Join(missing, ", "), i.Host.Name(), err)
	}
	return true, nil
}

// with are the packages that come along, if there is anything to install at all.
func (i Packages) with(missing []string) []source.Need {
	if len(missing) == 0 {
		return nil
	}
	return i.With
}

// pause is nil for the installer's own.
func (i Packages) pause() func(context.Context) error {
	if i.Pause == 0 {
		return nil
	}
	return func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(i.Pause):
			return nil
		}
	}
}

func (i Packages) contents(ctx context.Context) (contents, error) {
	have, err := versions(ctx, i.Host, i.Names, i.DNF)
	return contents{packages: have}, err
}
