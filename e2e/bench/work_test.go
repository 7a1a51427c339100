package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// work is what a run has cost besides its time, up to some moment.
type work struct {
	// packaging is for how long apt or dpkg were at work on any host.
	packaging time.Duration
	// packages, hosts and tool are processor times: of apt and dpkg on all hosts, of everything on all hosts, and of the tool with what it has
	// started on this machine.
	packages, hosts, tool time.Duration
}

// plus adds work up, for a mean.
func (w work) plus(o work) work {
	return work{w.packaging + o.packaging, w.packages + o.packages, w.hosts + o.hosts, w.tool + o.tool}
}

// mean is that of several runs.
func mean(all []work) work {
	var sum work
	for _, one := range all {
		sum = sum.plus(one)
	}
	n := time.Duration(max(1, len(all)))
	return work{sum.packaging / n, sum.packages / n, sum.hosts / n, sum.tool / n}
}

// watcher looks at the processes of this machine, among which are those of the lab's containers, once in a second: a look costs some of
// what is measured.
type watcher struct {
	// hosts are the ids of the containers.
	hosts []string
	tool  int

	mu   sync.Mutex
	seen []sample
	// packages is the processor time of every apt and dpkg that was started by no other one, in ticks.
	packages map[string]int64
	// inside remembers which processes are in one of the containers.
	inside map[string]bool
}

type sample struct {
	at   time.Time
	busy bool
	work
}

// watch begins to look at a tool that runs, until the context ends.
func watch(ctx context.Context, label string, tool int) *watcher {
	out, _ := exec.CommandContext(ctx, "docker", "ps", "-q", "--no-trunc", "--filter", "label="+label).Output() // without them there are no figures of hosts
	w := &watcher{hosts: strings.Fields(string(out)), tool: tool, packages: map[string]int64{}, inside: map[string]bool{}}
	go func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			w.look("/proc")
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	return w
}

// process is what is wanted of /proc/PID/stat. Times are in ticks, with those of children that have ended.
type process struct {
	pid, parent, name, started string
	ticks                      int64
}

// tick is the unit of times in /proc.
const tick = 10 * time.Millisecond

func parseStat(text string) (p process, ok bool) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return p, false
	}
	fields := strings.Fields(text[end+1:])
	if len(fields) < 20 {
		return p, false
	}
	p = process{pid: strings.TrimSpace(text[:open]), name: text[open+1 : end], parent: fields[1], started: fields[19]}
	for _, field := range fields[11:15] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return p, false
		}
		p.ticks += n
	}
	return p, true
}

// look takes one sample from a /proc.
func (w *watcher) look(proc string) {
	all, children := map[string]process{}, map[string][]string{}
	folders, _ := os.ReadDir(proc)
	for _, folder := range folders {
		if _, err := strconv.Atoi(folder.Name()); err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(proc, folder.Name(), "stat"))
		if p, ok := parseStat(string(text)); err == nil && ok {
			all[p.pid] = p
			children[p.parent] = append(children[p.parent], p.pid)
		}
	}
	var family func(pid string) int64
	family = func(pid string) int64 {
		ticks := all[pid].ticks
		for _, child := range children[pid] {
			ticks += family(child)
		}
		return ticks
	}
	packager := func(p process) bool { return strings.HasPrefix(p.name, "apt-") || strings.HasPrefix(p.name, "dpkg") }
	now := sample{at: time.Now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range all {
		if packager(p) && !packager(all[p.parent]) && w.within(proc, p) {
			now.busy = true
			key := p.pid + " " + p.started
			w.packages[key] = max(w.packages[key], family(p.pid))
		}
	}
	for _, ticks := range w.packages {
		now.packages += time.Duration(ticks) * tick
	}
	now.tool = time.Duration(family(strconv.Itoa(w.tool))) * tick
	for _, id := range w.hosts {
		now.hosts += usage(id)
	}
	if n := len(w.seen); n > 0 {
		last := w.seen[n-1]
		now.packaging = last.packaging
		if last.busy {
			now.packaging += now.at.Sub(last.at)
		}
	}
	w.seen = append(w.seen, now)
}

// within says whether a process is in one of the containers.
func (w *watcher) within(proc string, p process) bool {
	key := p.pid + " " + p.started
	in, known := w.inside[key]
	if !known {
		text, _ := os.ReadFile(filepath.Join(proc, p.pid, "cgroup"))
		in = slices.ContainsFunc(w.hosts, func(id string) bool { return strings.Contains(string(text), id) })
		w.inside[key] = in
	}
	return in
}

// usage is the processor time of a container, by control groups of either version.
func usage(id string) time.Duration {
	for _, file := range []string{"cpuacct/docker/" + id + "/cpuacct.usage", "cpu,cpuacct/docker/" + id + "/cpuacct.usage"} {
		if text, err := os.ReadFile("/sys/fs/cgroup/" + file); err == nil {
			n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			return time.Duration(n)
		}
	}
	for _, file := range []string{"docker/" + id, "system.slice/docker-" + id + ".scope"} {
		text, _ := os.ReadFile("/sys/fs/cgroup/" + file + "/cpu.stat")
		var n int64
		if _, err := fmt.Sscanf(string(text), "usage_usec %d", &n); err == nil {
			return time.Duration(n) * time.Microsecond
		}
	}
	return 0
}

// until is the work from the first sample up to a moment.
func (w *watcher) until(moment time.Time) work {
	w.mu.Lock()
	defer w.mu.Unlock()
	var last work
	for i, s := range w.seen {
		if i > 0 && s.at.After(moment) {
			break
		}
		tool := max(last.tool, s.tool) // which has ended in the last sample
		last = s.work
		last.tool = tool
	}
	if len(w.seen) > 0 {
		last.hosts -= w.seen[0].hosts
	}
	return last
}

// tell prints what a first run of a tool was made of.
func (w work) tell(t *table, name, tool string, first float64) {
	t.note(name+tool+", apt or dpkg at work on a host", w.packaging.Seconds(), "s")
	t.note(name+tool+", neither at work", first-w.packaging.Seconds(), "s")
	t.note(name+"processor time of apt and dpkg on all hosts", w.packages.Seconds(), "s")
	t.note(name+"processor time of everything on all hosts", w.hosts.Seconds(), "s")
	t.note(name+"processor time of "+tool+" itself", w.tool.Seconds(), "s")
}

func TestWorkIsCounted(t *testing.T) {
	proc := t.TempDir()
	put := func(pid int, name string, parent, ticks int, group string) {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		require.NoError(t, os.MkdirAll(dir, 0o700))
		stat := fmt.Sprintf("%d (%s) S %d 1 1 0 -1 0 0 0 0 0 %d 1 2 3 20 0 1 0 77 0\n", pid, name, parent, ticks)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "cgroup"), []byte("1:cpu:/docker/"+group+"/system.slice\n"), 0o600))
	}
	w := &watcher{hosts: []string{"ours"}, tool: 9, packages: map[string]int64{}, inside: map[string]bool{}}
	put(9, "jomctl", 1, 94, "")
	put(20, "apt-get", 1, 94, "ours")
	put(21, "dpkg", 20, 500, "ours")
	put(30, "apt-get", 1, 500, "another lab's")
	put(40, "a (b) c", 1, 500, "ours")
	w.look(proc)
	require.NoError(t, os.RemoveAll(filepath.Join(proc, "21")))
	put(20, "apt-get", 1, 794, "ours") // which has waited for dpkg
	w.look(proc)
	require.NoError(t, os.RemoveAll(filepath.Join(proc, "20")))
	require.NoError(t, os.RemoveAll(filepath.Join(proc, "9")))
	w.look(proc)
	w.look(proc)
	got := w.until(time.Now())
	require.Equal(t, 8*time.Second, got.packages, "with its children, and after its end")
	require.Equal(t, time.Second, got.tool)
	require.Equal(t, w.seen[2].at.Sub(w.seen[0].at), got.packaging)
	require.Equal(t, 6*time.Second+60*time.Millisecond, w.until(w.seen[0].at).packages, "with those that are at work")
}
