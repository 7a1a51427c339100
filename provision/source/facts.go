package source

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jomctl/jomctl/internal/host"
)

// Facts are what a source must fit on a host. A field that is empty or 0 is not known, and nothing is refused because of it.
type Facts struct {
	// System is the ID of /etc/os-release: debian, ubuntu, almalinux, ...
	System string `json:"system,omitempty" yaml:"system,omitempty"`
	// Like are the systems that it is derived from (ID_LIKE).
	Like []string `json:"like,omitempty" yaml:"-"`
	// Suite is the codename; on RHEL-like systems the major version.
	Suite string `json:"suite,omitempty" yaml:"suite,omitempty"`
	// Arch is the architecture as Debian names it: amd64, arm64.
	Arch string `json:"arch,omitempty" yaml:"arch,omitempty"`
	// Cgroup is the hierarchy that Mesos would use: 1 or 2.
	Cgroup int `json:"cgroup,omitempty" yaml:"cgroup,omitempty"`
	// Java is the major version of the host's Java; -1 means that there is none.
	Java int `json:"java,omitempty" yaml:"java,omitempty"`
}

// String is SYSTEM/SUITE/ARCH, with ? for what is not known, and any where nothing is.
func (f Facts) String() string {
	if f.System+f.Suite+f.Arch == "" {
		return "any"
	}
	parts := []string{f.System, f.Suite, f.Arch}
	for i, part := range parts {
		if part == "" {
			parts[i] = "?"
		}
	}
	return strings.Join(parts, "/")
}

// Debian says whether packages are handled by dpkg.
func (f Facts) Debian() bool { return f.is("debian", "ubuntu") }

// RedHat says whether packages are handled by rpm.
func (f Facts) RedHat() bool {
	return f.is("rhel", "fedora", "centos", "almalinux", "rocky", "ol", "openeuler")
}

func (f Facts) is(names ...string) bool {
	for _, name := range names {
		if f.System == name {
			return true
		}
		for _, like := range f.Like {
			if like == name {
				return true
			}
		}
	}
	return false
}

// ParseFacts reads SYSTEM/SUITE/ARCH, as in debian/bookworm/amd64.
func ParseFacts(text string) (Facts, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return Facts{}, fmt.Errorf("%q: must be SYSTEM/SUITE/ARCH, as in debian/bookworm/amd64", text)
	}
	f := Facts{System: parts[0], Suite: parts[1], Arch: DebianArch(parts[2])}
	if !f.Debian() && !f.RedHat() {
		return f, fmt.Errorf("%q: %s is not a system that jomctl knows (debian, ubuntu, rhel, centos, almalinux, rocky, fedora)", text, f.System)
	}
	return f, nil
}

// DebianArch is Debian's name of an architecture as `uname -m` or Go tells it.
func DebianArch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return machine
}

// ReadFacts looks at a host.
func ReadFacts(ctx context.Context, m host.Machine) (Facts, error) {
	text, err := m.ReadFile(ctx, "/etc/os-release")
	if err != nil {
		return Facts{}, fmt.Errorf("%s: read /etc/os-release: %w", m.Name(), err)
	}
	f := osRelease(string(text))
	uname, err := m.Run(ctx, "uname", "-m")
	if err != nil {
		return f, fmt.Errorf("%s: ask for the architecture: %w", m.Name(), err)
	}
	f.Arch = DebianArch(strings.TrimSpace(uname.Stdout))
	f.Cgroup = 1
	if _, err := m.Stat(ctx, "/sys/fs/cgroup/cgroup.controllers"); err == nil {
		f.Cgroup = 2
	}
	f.Java = javaVersion(ctx, m)
	return f, nil
}

func osRelease(text string) Facts {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[key] = strings.Trim(value, `"'`)
		}
	}
	f := Facts{System: strings.ToLower(values["ID"]), Like: strings.Fields(values["ID_LIKE"]), Suite: values["VERSION_CODENAME"]}
	if f.RedHat() || f.Suite == "" {
		f.Suite, _, _ = strings.Cut(values["VERSION_ID"], ".")
	}
	return f
}

// javaVersion is the major version of the Java on the path, -1 without one, 0 where it does not tell.
func javaVersion(ctx context.Context, m host.Machine) int {
	out, err := m.Run(ctx, "java", "-version")
	if err != nil {
		return -1
	}
	_, rest, _ := strings.Cut(out.Stderr+out.Stdout, `"`)
	// Java 8 calls itself 1.8.
	first, _, _ := strings.Cut(strings.TrimPrefix(rest, "1."), ".")
	first, _, _ = strings.Cut(first, `"`)
	major, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return major
}
