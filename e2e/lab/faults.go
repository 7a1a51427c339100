package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// chain holds the rules of Cut, apart from whatever the host's own Docker Engine has.
const chain = "JOMCTL-LAB"

// Run runs a command on a host as root, without SSH, and returns what it wrote on both outputs.
func (l *Lab) Run(host string, argv ...string) (string, error) {
	out, err := exec.Command("docker", append([]string{"exec", l.container(host)}, argv...)...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s on %s: %w: %s", argv[0], host, err, strings.TrimSpace(string(out)))
	}
	return strings.TrimSpace(string(out)), err
}

// Exec is Run that fails the test when the command fails.
func (l *Lab) Exec(host string, argv ...string) string {
	l.t.Helper()
	out, err := l.Run(host, argv...)
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

// PowerOff takes a host's power away: every process on it dies at once, its disk stays.
func (l *Lab) PowerOff(host string) {
	l.t.Helper()
	l.must("docker", "kill", "--signal", "KILL", l.container(host))
}

// PowerOn gives the power back, with the same address, and waits until systemd has started what is enabled; that some unit failed
// is for the test to find.
func (l *Lab) PowerOn(host string) {
	l.t.Helper()
	l.must("docker", "start", l.container(host))
	ctx, cancel := context.WithTimeout(l.t.Context(), 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		out, _ := l.Run(host, "systemctl", "is-system-running")
		if out == "running" || out == "degraded" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			l.t.Fatalf("%s does not come up: systemd says %q", host, out)
		}
	}
}

// Cut drops every packet between a host and the others named, or all the world where none is named, without telling either side. The
// host's loopback and its containers' traffic among themselves stay. Needs root on this machine.
func (l *Lab) Cut(host string, others ...string) {
	l.t.Helper()
	rules := []string{
		fmt.Sprintf("iptables -w -N %s 2>/dev/null || iptables -w -F %s", chain, chain),
		fmt.Sprintf("for c in INPUT OUTPUT FORWARD; do iptables -w -C $c -j %s 2>/dev/null || iptables -w -I $c -j %s; done", chain, chain),
	}
	if len(others) == 0 {
		rules = append(rules, fmt.Sprintf("iptables -w -A %s -i eth0 -j DROP 2>/dev/null; iptables -w -A %s -o eth0 -j DROP", chain, chain))
	}
	for _, other := range others {
		a := l.Host(other).Address
		rules = append(rules, fmt.Sprintf("iptables -w -A %s -s %s -j DROP; iptables -w -A %s -d %s -j DROP", chain, a, chain, a))
	}
	l.inNetwork(host, strings.Join(rules, "; "))
}

// Shut drops the connections that a machine at the address from begins to a host, except those to the ports; what the host begins stays
// possible. Needs root on this machine.
func (l *Lab) Shut(host, from string, except ...int) {
	l.t.Helper()
	rules := []string{"iptables -w -N " + chain, "iptables -w -I INPUT -j " + chain}
	for _, port := range except {
		rules = append(rules, fmt.Sprintf("iptables -w -A %s -p tcp --dport %d -j RETURN", chain, port))
	}
	rules = append(rules, fmt.Sprintf("iptables -w -A %s -s %s -p tcp --syn -j DROP", chain, from))
	l.inNetwork(host, strings.Join(rules, "; "))
}

// Mend ends Cut and Shut on a host.
func (l *Lab) Mend(host string) {
	l.t.Helper()
	l.inNetwork(host, "iptables -w -F "+chain)
}

// inNetwork runs a shell script of this machine's programs in the host's network, since a fresh host has no iptables.
func (l *Lab) inNetwork(host, text string) {
	l.t.Helper()
	pid := l.must("docker", "inspect", "--format", "{{.State.Pid}}", l.container(host))
	l.must("nsenter", "--target", pid, "--net", "bash", "-euc", "PATH=$PATH:/usr/sbin:/sbin; "+text)
}

func (l *Lab) container(host string) string { return l.Name + "-" + host }

// collect saves what tells why a test failed, and says where.
func (l *Lab) collect() {
	dir, err := os.MkdirTemp("", l.Name+"-failed-")
	if err != nil {
		l.t.Log(err)
		return
	}
	for _, h := range l.Hosts {
		for file, argv := range map[string][]string{
			"journal": {"journalctl", "--no-pager", "--boot", "-n", "5000"},
			"units":   {"systemctl", "--no-pager", "list-units", "--all"},
			"failed":  {"systemctl", "--no-pager", "--failed", "status"},
			"ports":   {"ss", "-tlnp"},
		} {
			out, err := l.Run(h.Name, argv...)
			if err != nil {
				out += "\n" + err.Error()
			}
			if err := os.WriteFile(filepath.Join(dir, h.Name+"-"+file+".txt"), []byte(out+"\n"), 0o600); err != nil {
				l.t.Log(err)
			}
		}
	}
	l.t.Logf("journals and units of the lab's hosts are in %s", dir)
}

func (l *Lab) must(argv ...string) string {
	l.t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}
