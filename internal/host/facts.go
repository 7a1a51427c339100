package host

import (
	"context"
	_ "embed"
	"fmt"
	"net/netip"
	"time"
)

//go:embed facts.sh
var factsScript string

// Facts are what a host says of itself. What it does not say is left empty.
type Facts struct {
	OS       OS
	Arch     string // x86_64, aarch64
	Kernel   string // 6.1.0-40-amd64
	Hostname string // as uname -n
	// MachineID is the same on two hosts only where one is a careless copy of the other.
	MachineID string
	Uptime    time.Duration
	CPUs      int
	Memory    Memory
	Clock     Clock

	User string // whom commands run as, root where sudo works
	Root bool   // commands run as root
	Sudo bool   // root, or sudo asks for no password

	Systemd Systemctl
	// Cgroup is the version of the control group hierarchy: 1, 2, or 0 when there is none.
	Cgroup            int
	CgroupControllers []string

	Disks []Disk // one for each path that was asked for, in its order
	// Names has the addresses that each asked name resolves to on the host, none when it does not. The host's own name,
	// as it resolves there, is among them.
	Names     map[string][]netip.Addr
	Route     Route     // of the default route
	Addresses []Address // all global ones
	Listening []Listener

	Java     []JavaFact
	Packager string            // dpkg or rpm
	Packages map[string]string // version of each asked package that is installed

	Leftovers Leftovers
	SELinux   string // Enforcing, Permissive, Disabled or ""
	// Permissive are the SELinux domains, as haproxy_t, whose denials are only logged.
	Permissive []string
	Firewall   string // "firewalld running", "ufw active" or the like, "" where there is none of these
}

// OS is /etc/os-release.
type OS struct {
	ID       string // debian, ubuntu, rhel, rocky
	Like     string // what it is like, separated by spaces
	Version  string // 12, 9.4
	Codename string // bookworm
	Name     string // for people
}

// Memory is in bytes.
type Memory struct{ Total, Available, Swap int64 }

// Clock compares the host's clock with this machine's. The true difference lies within Skew plus and minus Error, which is
// half the time that the question took on the way.
type Clock struct {
	Skew  time.Duration // positive when the host is ahead
	Error time.Duration
}

// Apart says for sure that the clocks differ by more than d.
func (c Clock) Apart(d time.Duration) bool { return c.Skew.Abs()-c.Error > d }

// Systemctl is the host's systemd.
type Systemctl struct {
	Version int    // 0 when there is none
	State   string // running, degraded, offline
}

// Disk is the file system on which a path is or would be.
type Disk struct {
	Path string // as asked
	// Existing is the nearest folder above that is there.
	Existing   string
	Size, Free int64 // bytes
	FreeFiles  int64 // inodes, 0 where the file system has no such limit
	Type       string
	Mount      string
	ReadOnly   bool
}

// Route is where packets to the world leave.
type Route struct {
	Device  string
	Address netip.Addr // of the host
}

// Address is an address of the host.
type Address struct {
	Address netip.Addr
	Device  string
}

// Listener is a TCP port that something listens on.
type Listener struct {
	Address netip.AddrPort // with an unspecified address where it is all of them
	Program string         // "" where it is not known
	PID     int
}

// JavaFact is a Java installation.
type JavaFact struct {
	Home    string // has bin/java
	Version string // 17.0.15, 1.8.0_402
}

// Leftovers are traces of installations that jomctl did not make.
type Leftovers struct {
	Units     []LeftoverUnit
	Processes []LeftoverProcess
	Paths     []string
}

// LeftoverUnit is a service of ZooKeeper, Mesos, Marathon, HAProxy or Jenkins which is not jomctl's.
type LeftoverUnit struct {
	Name, File string
	Enabled    string // as systemctl is-enabled says: enabled, disabled, masked, or ""
	Active     string // as systemctl is-active says
}

// LeftoverProcess is a process of such a program outside containers.
type LeftoverProcess struct {
	PID     int
	Command string // its beginning
	Unit    string // of systemd, ""
}

// Question is what GetFacts asks besides what it always asks.
type Question struct {
	Paths    []string // whose disks matter
	Names    []string // to be resolved on the host
	Packages []string
}

// GetFacts asks a host with one command, which changes nothing. A fact that cannot be had is no error.
func GetFacts(ctx context.Context, m Machine, q Question) (Facts, error) {
	if r, ok := m.(interface{ Connect(context.Context) error }); ok {
		if err := r.Connect(ctx); err != nil { // before the clock is looked at, as it takes long
			return Facts{}, err
		}
	}
	argv := append([]string{"/bin/sh", "-c", factsScript, "jomctl"}, q.Paths...)
	argv = append(append(append(argv, "--"), q.Names...), "--")
	argv = append(argv, q.Packages...)
	before := time.Now()
	out, err := Ask(ctx, m, argv...)
	after := time.Now()
	if err != nil {
		return Facts{}, fmt.Errorf("ask host %s for its facts: %w", m.Name(), err)
	}
	facts, err := parseFacts(out.Stdout, before, after)
	if err != nil {
		return Facts{}, fmt.Errorf("ask host %s for its facts: %w", m.Name(), err)
	}
	return facts, nil
}
