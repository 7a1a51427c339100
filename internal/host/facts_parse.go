package host

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// factLines are the lines KEY=VALUE of the script, where a key may come several times.
type factLines map[string][]string

func (l factLines) first(key string) string {
	if len(l[key]) == 0 {
		return ""
	}
	return l[key][0]
}

// number is 0 for what is no number.
func (l factLines) number(key string) int64 { return number(l.first(key)) }

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// fields are the values of a list, each with at least so many fields.
func (l factLines) fields(key string, least int) [][]string {
	var all [][]string
	for _, value := range l[key] {
		fields := strings.Split(value, "\t")
		all = append(all, append(fields, make([]string, max(0, least-len(fields)))...))
	}
	return all
}

// parseFacts reads what facts.sh prints, which was asked and answered at these times of this machine.
func parseFacts(text string, before, after time.Time) (Facts, error) {
	lines := factLines{}
	for line := range strings.Lines(text) {
		if key, value, found := strings.Cut(strings.TrimRight(line, "\n"), "="); found {
			lines[key] = append(lines[key], value)
		}
	}
	if lines.number("time.last") == 0 {
		return Facts{}, errors.New("the answer is cut off")
	}
	kib := func(key string) int64 { return lines.number("mem."+key) << 10 }
	seconds, _ := strconv.ParseFloat(lines.first("uptime"), 64)
	unquoted := func(key string) string { return strings.Trim(lines.first("os."+key), `"'`) }
	f := Facts{
		OS: OS{ID: unquoted("ID"), Like: unquoted("ID_LIKE"), Version: unquoted("VERSION_ID"), Codename: unquoted("VERSION_CODENAME"),
			Name: unquoted("PRETTY_NAME")},
		Arch: lines.first("arch"), Kernel: lines.first("kernel"), Hostname: lines.first("hostname"),
		MachineID: lines.first("machine.id"), Uptime: time.Duration(seconds * float64(time.Second)), CPUs: int(lines.number("cpus")),
		Memory: Memory{Total: kib("MemTotal"), Available: kib("MemAvailable"), Swap: kib("SwapTotal")},
		Clock:  compareClocks(before, after, lines.number("time.first"), lines.number("time.last")),
		User:   lines.first("user"), Root: lines.first("uid") == "0", Sudo: lines.first("sudo.works") == "yes",
		Systemd: Systemctl{Version: int(lines.number("systemd.version")), State: lines.first("systemd.state")},
		Cgroup:  int(lines.number("cgroup.version")), CgroupControllers: strings.Fields(lines.first("cgroup.controllers")),
		Packager: lines.first("packager"), SELinux: lines.first("selinux"), Permissive: lines["selinux.permissive"],
		Firewall: strings.TrimSpace(lines.first("firewall")),
	}
	lines.network(&f)
	lines.software(&f)
	return f, nil
}

// compareClocks narrows the skew down from both sides: the host looked at its clock first after the question was asked, and
// last before the answer came.
func compareClocks(before, after time.Time, first, last int64) Clock {
	most := time.Unix(0, first).Sub(before)
	least := time.Unix(0, last).Sub(after)
	return Clock{Skew: least + (most-least)/2, Error: (most - least) / 2}
}

func (l factLines) network(f *Facts) {
	f.Names = map[string][]netip.Addr{}
	for _, fields := range l.fields("name", 2) {
		f.Names[fields[0]] = addresses(fields[1])
	}
	if own := addresses(l.first("name.self")); f.Hostname != "" {
		f.Names[f.Hostname] = own
	}
	if route := l.fields("route", 2); len(route) > 0 && route[0][0] != "" {
		f.Route.Device = route[0][0]
		f.Route.Address, _ = netip.ParseAddr(route[0][1])
	}
	for _, fields := range l.fields("address", 2) {
		if a, err := netip.ParseAddr(fields[0]); err == nil {
			f.Addresses = append(f.Addresses, Address{Address: a, Device: fields[1]})
		}
	}
	for _, fields := range l.fields("listen", 3) {
		if a, err := listening(fields[0]); err == nil {
			f.Listening = append(f.Listening, Listener{Address: a, Program: fields[1], PID: int(number(fields[2]))})
		}
	}
	for _, value := range l["listen.hex"] {
		if a, err := hexAddress(value); err == nil {
			f.Listening = append(f.Listening, Listener{Address: a})
		}
	}
	slices.SortStableFunc(f.Listening, func(a, b Listener) int { return a.Address.Compare(b.Address) })
}

func addresses(text string) []netip.Addr {
	var all []netip.Addr
	for _, word := range strings.Fields(text) {
		if a, err := netip.ParseAddr(word); err == nil {
			all = append(all, a)
		}
	}
	return all
}

// listening reads an address of ss: 0.0.0.0:22, *:22, [::]:22, 127.0.0.53%lo:53.
func listening(text string) (netip.AddrPort, error) {
	cut := strings.LastIndexByte(text, ':')
	if cut < 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", text)
	}
	address, _, _ := strings.Cut(strings.Trim(text[:cut], "[]"), "%")
	if address == "*" {
		address = "::"
	}
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := strconv.ParseUint(text[cut+1:], 10, 16)
	return netip.AddrPortFrom(a, uint16(port)), err
}

// hexAddress reads an address of /proc/net/tcp and tcp6: words in the processor's order, which is little-endian on all that
// Mesos runs on.
func hexAddress(text string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", text)
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	a, ok := netip.AddrFromSlice(raw)
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil || !ok {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", text)
	}
	return netip.AddrPortFrom(a, uint16(number)), nil
}

func (l factLines) software(f *Facts) {
	for _, d := range l.fields("disk", 8) {
		size, free := blocks(d[2]), blocks(d[3])
		f.Disks = append(f.Disks, Disk{Path: d[0], Existing: d[1], Size: size, Free: free, FreeFiles: number(d[4]), Type: d[5], Mount: d[6],
			ReadOnly: slices.Contains(strings.Split(d[7], ","), "ro")})
	}
	for _, j := range l.fields("java", 2) {
		f.Java = append(f.Java, JavaFact{Home: j[0], Version: j[1]})
	}
	f.Packages = map[string]string{}
	for _, p := range l.fields("package", 2) {
		f.Packages[p[0]] = p[1]
	}
	states := map[string][]string{}
	for _, s := range l.fields("leftover.state", 3) {
		states[s[0]] = s[1:]
	}
	for _, u := range l.fields("leftover.unit", 2) {
		unit := LeftoverUnit{Name: u[0], File: u[1]}
		if state, known := states[unit.Name]; known {
			unit.Enabled, unit.Active = state[0], state[1]
		}
		f.Leftovers.Units = append(f.Leftovers.Units, unit)
	}
	for _, p := range l.fields("leftover.process", 3) {
		f.Leftovers.Processes = append(f.Leftovers.Processes, LeftoverProcess{PID: int(number(p[0])), Command: strings.TrimSpace(p[1]), Unit: p[2]})
	}
	f.Leftovers.Paths = l["leftover.path"]
}

// blocks are bytes from df's KiB.
func blocks(text string) int64 {
	n := number(text)
	if n > math.MaxInt64>>10 {
		return math.MaxInt64
	}
	return n << 10
}
