package hosts

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/source"
)

//go:embed facts.sh
var factsScript string

// Facts are what one look at a host tells. What could not be found out is empty.
type Facts struct {
	Source source.Facts
	// Root says that commands and files are root's.
	Root bool
	// MachineID is that of systemd, the same only for one machine seen twice, or for one that was copied.
	MachineID string
	// Systemd is its version, 0 where the host was not started by it.
	Systemd int
	CPUs    float64
	// Mem is the machine's memory, Available what is free of it now.
	Mem, Available config.Size
	// Disks are the file systems of the paths that were asked for.
	Disks map[string]Disk
	// Resolves are the addresses that a host's name has on this host.
	Resolves map[string][]string
	// Addresses are the host's own.
	Addresses []string
	// Listens are the programs that listen on TCP ports.
	Listens []Listener
	// Javas are the Java installations, newest first.
	Javas []provision.Java
	// Programs are the paths of programs, Jars those of libraries; HAProxy is its version.
	Programs map[string]string
	Jars     []string
	HAProxy  string
	// DockerIO says that the engine is the package docker.io.
	DockerIO bool
	// Leftovers are folders of an old installation, Active the services of one that run.
	Leftovers, Active []string
	// Firewall is the program that keeps a firewall here: firewalld, ufw.
	Firewall string
	// Skew is how far the host's clock is ahead of this machine's, exact to Uncertain.
	Skew, Uncertain time.Duration
}

// Disk is a file system.
type Disk struct {
	Size, Free config.Size
	FreeFiles  int64
}

// Listener is a TCP port that something listens on. Program is NAME (PID), "" when it is not known.
type Listener struct {
	Address string
	Port    int
	Program string
}

// pathsOf are the folders of a host whose disks matter.
func pathsOf(c *config.Cluster, h config.Host) []string {
	paths := []string{host.RemoteDir}
	if h.Is(config.RoleMesosAgent) {
		paths = append(paths, "/var/lib/docker")
		if home := c.Jenkins.Home.Path; home != "" {
			paths = append(paths, home)
		}
	}
	return paths
}

// Look asks a host for its facts. It changes nothing.
func Look(ctx context.Context, c *config.Cluster, h config.Host, m host.Machine) (Facts, error) {
	var names []string
	for _, other := range c.Hosts {
		names = append(names, other.Address)
	}
	out, err := m.Run(ctx, "/bin/sh", "-c", factsScript, "jomctl-facts", strings.Join(pathsOf(c, h), " "), strings.Join(names, " "))
	if err != nil {
		return Facts{}, fmt.Errorf("look at host %s: %w", h.Name, err)
	}
	f, err := parseFacts(out.Stdout)
	if err != nil {
		return f, fmt.Errorf("look at host %s: %w", h.Name, err)
	}
	f.Skew, f.Uncertain, err = clock(ctx, m)
	if err != nil {
		return f, fmt.Errorf("ask host %s for its time: %w", h.Name, err)
	}
	return f, nil
}

// clock compares the clocks, three times, and believes the quickest answer.
func clock(ctx context.Context, m host.Machine) (skew, uncertain time.Duration, err error) {
	for i := range 3 {
		before := time.Now()
		out, err := m.Run(ctx, "date", "+%s.%N")
		half := time.Since(before) / 2
		if err != nil {
			return 0, 0, err
		}
		seconds, err := strconv.ParseFloat(strings.TrimSpace(out.Stdout), 64)
		if err != nil {
			return 0, 0, fmt.Errorf("date said %q", out.Stdout)
		}
		at := time.Unix(0, int64(seconds*1e9))
		if i == 0 || half < uncertain {
			skew, uncertain = at.Sub(before.Add(half)).Round(time.Millisecond), half
		}
	}
	return skew, uncertain, nil
}

func parseFacts(text string) (Facts, error) {
	f := Facts{Disks: map[string]Disk{}, Resolves: map[string][]string{}, Programs: map[string]string{}}
	whole := false
	var os strings.Builder
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
		if rest, isOS := strings.CutPrefix(key, "os."); isOS {
			fmt.Fprintf(&os, "%s=%s\n", rest, value)
			continue
		}
		if key == "end" {
			whole = true
		}
		f.take(key, value, strings.Fields(value))
	}
	if !whole {
		return f, fmt.Errorf("the answer is cut off: %.200q", text)
	}
	arch, cgroup := f.Source.Arch, f.Source.Cgroup
	f.Source = osFacts(os.String())
	f.Source.Arch, f.Source.Cgroup, f.Source.Java = arch, cgroup, -1
	sortJavas(f.Javas)
	if len(f.Javas) > 0 {
		f.Source.Java = f.Javas[0].Major
	}
	return f, nil
}

// take reads one line.
func (f *Facts) take(key, value string, words []string) {
	number, _ := strconv.ParseInt(value, 10, 64)
	switch key {
	case "uid":
		f.Root = value == "0"
	case "arch":
		f.Source.Arch = source.DebianArch(value)
	case "machine":
		f.MachineID = value
	case "systemd":
		f.Systemd = max(int(number), 1)
	case "cgroup":
		f.Source.Cgroup = int(number)
	case "cpus":
		f.CPUs = float64(number)
	case "mem":
		f.Mem = config.Size(number) * config.KiB
	case "available":
		f.Available = config.Size(number) * config.KiB
	case "addresses":
		f.Addresses = words
	case "dockerio":
		f.DockerIO = true
	case "haproxy":
		f.HAProxy = value
	case "jar":
		f.Jars = append(f.Jars, value)
	case "leftover":
		f.Leftovers = append(f.Leftovers, value)
	case "active":
		f.Active = append(f.Active, value)
	case "firewall":
		f.Firewall = value
	default:
		f.takeWords(key, words)
	}
}

func (f *Facts) takeWords(key string, words []string) {
	if len(words) == 0 {
		return
	}
	switch key {
	case "resolves":
		f.Resolves[words[0]] = words[1:]
	case "program":
		f.Programs[words[0]] = words[len(words)-1]
	case "disk":
		if len(words) == 4 {
			var n [3]int64
			for i := range n {
				n[i], _ = strconv.ParseInt(words[i+1], 10, 64)
			}
			f.Disks[words[0]] = Disk{Size: config.Size(n[0]) * config.KiB, Free: config.Size(n[1]) * config.KiB, FreeFiles: n[2]}
		}
	case "java":
		if len(words) == 2 {
			f.Javas = append(f.Javas, provision.Java{Version: words[0], Major: provision.JavaMajor(words[0]), Home: words[1]})
		}
	case "listens":
		if l, ok := parseListener(words); ok {
			f.Listens = append(f.Listens, l)
		}
	}
}

// parseListener reads ss: 127.0.0.1:53 users:(("named",pid=12,fd=3)).
func parseListener(words []string) (Listener, bool) {
	at := strings.LastIndex(words[0], ":")
	if at < 0 {
		return Listener{}, false
	}
	port, err := strconv.Atoi(words[0][at+1:])
	if err != nil {
		return Listener{}, false
	}
	address, _, _ := strings.Cut(strings.Trim(words[0][:at], "[]"), "%")
	l := Listener{Address: address, Port: port}
	if len(words) > 1 {
		_, rest, _ := strings.Cut(words[1], `(("`)
		name, rest, found := strings.Cut(rest, `",pid=`)
		pid, _, _ := strings.Cut(rest, ",")
		if found {
			l.Program = name + " (" + pid + ")"
		}
	}
	return l, true
}

// IP is the address that the host's name has on itself; "" when it has none that is its own.
func (f Facts) IP(h config.Host) string {
	own := map[string]bool{}
	for _, address := range f.Addresses {
		own[address] = true
	}
	if net.ParseIP(h.Address) != nil {
		return h.Address
	}
	for _, ip := range f.Resolves[h.Address] {
		if parsed := net.ParseIP(ip); parsed != nil && !parsed.IsLoopback() && own[ip] {
			return ip
		}
	}
	return ""
}

// osFacts reads /etc/os-release.
func osFacts(text string) source.Facts {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[key] = strings.Trim(value, `"'`)
		}
	}
	f := source.Facts{System: values["ID"], Like: strings.Fields(values["ID_LIKE"]), Suite: values["VERSION_CODENAME"]}
	if f.RedHat() || f.Suite == "" {
		f.Suite, _, _ = strings.Cut(values["VERSION_ID"], ".")
	}
	return f
}

func sortJavas(all []provision.Java) {
	slices.SortStableFunc(all, func(a, b provision.Java) int { return b.Major - a.Major })
}
