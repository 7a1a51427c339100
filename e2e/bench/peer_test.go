package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jomctl/jomctl/e2e/lab"
	"github.com/jomctl/jomctl/e2e/lab/repo"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision/terraform"
)

const suite = "bookworm"

// peerLimits are those of a run beside Ansible.
const (
	firstLimit  = 0.6 // of Ansible's time
	secondLimit = 0.1 // of Ansible's time
	growthLimit = 1.5 // from 3 to 10 hosts
)

// took is how long the first and the second run of one tool took on fresh hosts.
type took struct {
	first, second time.Duration
	// work is that of the first.
	work work
}

// rig is a fresh lab with a repository of the packages that Debian has not, and a folder for a tool's files.
type rig struct {
	b    *testing.B
	lab  *lab.Lab
	dir  string
	line string // of the repository, for apt
	key  string // its key
}

func newRig(b *testing.B, hosts int) *rig {
	b.Helper()
	wanted := []terraform.HostVar{lab.Control("m1")}
	for n := 1; n < hosts; n++ {
		wanted = append(wanted, lab.Agent(fmt.Sprintf("a%d", n)))
	}
	dir, err := os.MkdirTemp("", "jomctl-bench-*")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &rig{b: b, lab: lab.Up(b, wanted...), dir: dir}
	r.publish()
	return r
}

// publish serves the packages of Mesos and Marathon to the lab.
func (r *rig) publish() {
	b := r.b
	b.Helper()
	packages, err := repo.New(filepath.Join(r.dir, "repo"), suite, time.Now())
	r.must(err)
	for layout, version := range map[repo.Layout]string{repo.VendorMesos: "1.11.0-2.0.1", repo.VendorMarathon: "1.11.24-1"} {
		deb, err := repo.BuildPackage(r.dir, layout, version, runtime.GOARCH, filepath.Join(bin, "standin"))
		r.must(err)
		r.must(packages.Add(deb))
	}
	r.must(packages.Publish("", runtime.GOARCH))
	gateway := net.ParseIP(r.lab.Host("m1").Address).To4()
	gateway[3] = 1
	server, err := repo.Serve(filepath.Join(r.dir, "repo"), net.JoinHostPort(gateway.String(), "0"))
	r.must(err)
	b.Cleanup(func() { _ = server.Down() })
	r.key = filepath.Join(r.dir, "repo", repo.KeyFile)
	r.line = server.Line(r.key, suite)
}

func (r *rig) must(err error) {
	r.b.Helper()
	if err != nil {
		r.b.Fatal(err)
	}
}

// timed runs a command to its end.
func (r *rig) timed(dir string, argv ...string) (took time.Duration, output string, seen *watcher) {
	r.b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.WaitDelay = 10 * time.Second // what it has started may hold its output
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	r.must(cmd.Start())
	seen = watch(ctx, "org.jomctl.cluster="+r.lab.Name, cmd.Process.Pid)
	err := cmd.Wait()
	took = time.Since(begin)
	if err != nil {
		r.b.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out.String())
	}
	return took, out.String(), seen
}

// jomctl installs the cluster, and installs it again.
func (r *rig) jomctl() took {
	r.b.Helper()
	var text strings.Builder
	text.WriteString("apiVersion: jomctl/v1\nname: ci\ntarget: hosts\nhosts:\n")
	for _, h := range r.lab.Hosts {
		fmt.Fprintf(&text, "  - {name: %s, address: %s, roles: [%s], reserve: {cpus: 0.1, mem: 256MiB}}\n", h.Name, h.Address, strings.Join(h.Roles, ", "))
	}
	fmt.Fprintf(&text, "ssh: {user: admin, identityFile: %s}\nregistry: {address: 'm1:5000'}\ncomponents:\n  mesos: {source: {apt: mesos, repository: %q}}\n"+
		"  marathon: {source: {apt: marathon, repository: %q}}\njenkins: {war: standin, cloud: {templates: [{label: mesos, idle: 2s}]}}\n", r.lab.KeyFile, r.line, r.line)
	write(r.b, filepath.Join(r.dir, "cluster.yaml"), text.String())
	install := []string{filepath.Join(bin, "jomctl"), "install", "--yes", "--accept-host-keys", "--proof-sleep", "1s"}
	begin := time.Now()
	_, said, seen := r.timed(r.dir, install...)
	r.b.Log(said)
	end := r.carried()
	second, said, _ := r.timed(r.dir, install...)
	if !strings.Contains(said, "nothing to do") {
		r.b.Fatalf("the second install had something to do:\n%s", said)
	}
	return took{end.Sub(begin), second, seen.until(end)}
}

// beyond are the steps of an install that Ansible's playbook has nothing of: the controller and its proof.
var beyond = []string{"controller-app", "controller-ready", "proof"}

// carried is when the last step that Ansible does, too, had ended: hosts, programs, services.
func (r *rig) carried() time.Time {
	r.b.Helper()
	journals, err := filepath.Glob(filepath.Join(r.dir, ".jomctl", "journal", "*.jsonl"))
	r.must(err)
	if len(journals) != 1 {
		r.b.Fatalf("%d journals", len(journals))
	}
	data, err := os.ReadFile(journals[0])
	r.must(err)
	var last time.Time
	begun := map[string]time.Time{}
	for line := range bytes.Lines(data) {
		var record op.Record
		r.must(json.Unmarshal(line, &record))
		switch {
		case record.Kind == op.KindBegin:
			begun[record.Step] = record.Time
		case record.Kind == op.KindEnd && !slices.Contains(beyond, record.Step):
			last = record.Time
		}
		if record.Kind == op.KindEnd {
			r.b.Logf("%-40s %6.2f s", record.Step, record.Time.Sub(begun[record.Step]).Seconds())
		}
	}
	if last.IsZero() {
		r.b.Fatalf("no step has ended in %s", journals[0])
	}
	return last
}

// ansible has the playbook do the same, and do it again.
func (r *rig) ansible() took {
	r.b.Helper()
	dir := filepath.Join(r.dir, "ansible")
	r.must(os.CopyFS(dir, os.DirFS("ansible")))
	inventory := map[string]string{}
	var scan []string
	for _, h := range r.lab.Hosts {
		inventory[h.Roles[0]] += fmt.Sprintf("%s ansible_host=%s\n", h.Name, h.Address)
		scan = append(scan, h.Address)
	}
	write(r.b, filepath.Join(dir, "hosts.ini"), fmt.Sprintf("[control]\n%s\n[agents]\n%s\n[all:vars]\nansible_user=admin\nansible_ssh_private_key_file=%s\n",
		inventory["control"], inventory["mesos-agent"], r.lab.KeyFile))
	url, _, _ := strings.Cut(r.line[strings.Index(r.line, "http"):], " ")
	vars, err := json.Marshal(map[string]string{"programs": bin, "repository_key": r.key, "repository_url": url, "repository_suite": suite})
	r.must(err)
	write(r.b, filepath.Join(dir, "vars.json"), string(vars))
	keys, err := exec.Command("ssh-keyscan", append([]string{"-t", "ed25519"}, scan...)...).Output()
	r.must(err)
	write(r.b, filepath.Join(dir, "known_hosts"), string(keys))
	play := []string{"ansible-playbook", "-i", "hosts.ini", "-e", "@vars.json", "site.yml"}
	first, said, seen := r.timed(dir, play...)
	end := time.Now()
	r.b.Log(said)
	second, said, _ := r.timed(dir, play...)
	if changed := regexp.MustCompile(`changed=[1-9]`).FindString(said); changed != "" {
		r.b.Fatalf("the second run of the playbook has %s:\n%s", changed, said)
	}
	return took{first, second, seen.until(end)}
}

// BenchmarkInstallBesideAnsible installs the same cluster on fresh lab hosts by Ansible and by jomctl, in turn. JOMCTL_BENCH_HOSTS has the
// numbers of hosts, JOMCTL_BENCH_ROUNDS how often for each of them.
func BenchmarkInstallBesideAnsible(b *testing.B) {
	hosts, rounds := numbers(b, "JOMCTL_BENCH_HOSTS", 3, 10), numbers(b, "JOMCTL_BENCH_ROUNDS", 3, 1)
	if len(rounds) != len(hosts) {
		b.Fatalf("%d numbers of hosts and %d of rounds", len(hosts), len(rounds))
	}
	var t table
	var least, most peers
	for i, n := range hosts {
		p := peers{hosts: n}
		for round := range rounds[i] {
			if !p.round(b, round+1) {
				b.FailNow()
			}
		}
		p.judge(&t)
		if i == 0 {
			least = p
		}
		most = p
	}
	if least.hosts != most.hosts {
		grown := fmt.Sprintf("growth from %d to %d hosts: ", least.hosts, most.hosts)
		for run, name := range []string{"first run", "second run"} {
			if len(least.ansible[run]) > 0 && len(most.ansible[run]) > 0 {
				t.note(grown+"Ansible, "+name, median(most.ansible[run])/median(least.ansible[run]), "")
			}
			t.figure(grown+"jomctl, "+name, median(most.jomctl[run])/median(least.jomctl[run]), growthLimit, "")
		}
		t.note(grown+"jomctl, first run while neither apt nor dpkg are at work", most.apart()/least.apart(), "")
		t.note(grown+"processor time of jomctl itself, for each host", most.own()/least.own(), "")
	}
	t.judge(b)
}

// peers are the times of both on so many hosts: of the first runs, and of the second ones.
type peers struct {
	hosts           int
	ansible, jomctl [2][]time.Duration
	// works are what the first runs were made of.
	ansibleWorks, jomctlWorks []work
}

// apart is how long jomctl's first runs took while neither apt nor dpkg were at work on a host, in seconds.
func (p *peers) apart() float64 {
	return median(p.jomctl[0]) - mean(p.jomctlWorks).packaging.Seconds()
}

// own is jomctl's processor time in a first run for each host, in seconds.
func (p *peers) own() float64 { return mean(p.jomctlWorks).tool.Seconds() / float64(p.hosts) }

// round gives each of them hosts of its own. What they have made must be the same. With -bench Beside/jomctl Ansible's side is left out.
func (p *peers) round(b *testing.B, number int) bool {
	var states [2]map[string]string
	return b.Run(fmt.Sprintf("ansible-%d-hosts-%d", p.hosts, number), func(b *testing.B) {
		r := newRig(b, p.hosts)
		one := r.ansible()
		p.ansible, p.ansibleWorks = r.add(p.ansible, one), append(p.ansibleWorks, one.work)
		states[0] = r.states()
	}) && b.Run(fmt.Sprintf("jomctl-%d-hosts-%d", p.hosts, number), func(b *testing.B) {
		r := newRig(b, p.hosts)
		one := r.jomctl()
		p.jomctl, p.jomctlWorks = r.add(p.jomctl, one), append(p.jomctlWorks, one.work)
		states[1] = r.states()
		for _, h := range r.lab.Hosts {
			if states[0] != nil && states[0][h.Name] != states[1][h.Name] {
				b.Errorf("%s is not the same after both.\nAnsible:\n%s\njomctl:\n%s", h.Name, states[0][h.Name], states[1][h.Name])
			}
		}
	})
}

func (r *rig) add(to [2][]time.Duration, one took) [2][]time.Duration {
	fmt.Printf("# %s: first %.1f s, second %.2f s; load %s\n", r.b.Name(), one.first.Seconds(), one.second.Seconds(), load())
	return [2][]time.Duration{append(to[0], one.first), append(to[1], one.second)}
}

func (p *peers) judge(t *table) {
	for run, what := range []struct {
		name  string
		limit float64
	}{{"first run", firstLimit}, {"second run, nothing to do", secondLimit}} {
		jomctl, name := median(p.jomctl[run]), fmt.Sprintf("%d hosts, %s: ", p.hosts, what.name)
		t.note(name+fmt.Sprintf("jomctl, median of %d", len(p.jomctl[run])), jomctl, "s")
		if run == 0 {
			mean(p.jomctlWorks).tell(t, name, "jomctl", jomctl)
		}
		if len(p.ansible[run]) == 0 {
			continue
		}
		ansible := median(p.ansible[run])
		t.note(name+fmt.Sprintf("Ansible, median of %d", len(p.ansible[run])), ansible, "s")
		if run == 0 {
			mean(p.ansibleWorks).tell(t, name, "Ansible", ansible)
		}
		t.figure(name+"jomctl / Ansible", jomctl/ansible, what.limit, "")
	}
}

// stateScript prints what both tools must have made: every package, running units and how they start, masks, files and their modes. The
// address of the lab's network is left out, and the size of the disk, which they find in different ways.
const stateScript = `plain() { sed -e 's/10\.78\.[0-9]*\./NET./g' -e 's/disk:[0-9]*/disk/' "$@"; }
dpkg-query -W -f '${Package} ${Version}\n'
for unit in zookeeper mesos-master mesos-slave mesos-agent marathon haproxy docker-registry docker; do echo "$unit $(systemctl is-enabled $unit 2>&1) $(systemctl is-active $unit)"; done
for unit in /etc/systemd/system/jomctl-*.service; do
	echo "$unit $(systemctl is-active "${unit##*/}") $(systemctl is-enabled "${unit##*/}")"
	grep -E '^(ExecStart|Restart|RestartSec|TimeoutStopSec|KillMode|Delegate|Limit)' "$unit" | tr -d '"\\' | plain
done
for file in /etc/jomctl/*; do echo "$(stat -c '%a %n' "$file")"; grep -v JOMCTL_ "$file" | plain; done
cd /var/lib/jomctl && stat -c '%a %n' mesos-agent/offer.json 2>/dev/null
for file in bin/* edge/haproxy.cfg registry/config.yml zookeeper/zoo.cfg zookeeper/conf/* mesos-agent/bin/java /etc/docker/daemon.json; do
	[ ! -f "$file" ] || echo "$(stat -c '%a %n' "$file") $(plain "$file" | sha256sum)"
done`

// states are what every host has, by its name.
func (r *rig) states() map[string]string {
	r.b.Helper()
	all := map[string]string{}
	for _, h := range r.lab.Hosts {
		all[h.Name] = r.lab.Exec(h.Name, "sh", "-c", stateScript)
	}
	return all
}
