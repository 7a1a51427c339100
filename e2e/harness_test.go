// Package e2e runs the built programs as a person does, on real parts.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// bin is the folder of the programs, built once.
var bin string

// network numbers the 127.91.N.0 networks, so that no two clusters of a run meet.
var network atomic.Int32

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "jomctl-e2e-bin-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir+"/", "../cmd/jomctl", "../cmd/jomhome", "../cmd/standin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
		return 1
	}
	bin = dir
	return m.Run()
}

// needs skips without the packages of target local, and in -short runs.
func needs(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a whole cluster takes longer than a short run")
	}
	for _, file := range []string{"/usr/share/java/zookeeper.jar", "/usr/sbin/haproxy"} {
		if _, err := os.Stat(file); err != nil {
			testkit.Missing(t, file)
		}
	}
}

// bench is one folder in which commands are typed; its cluster ends with the test.
type bench struct {
	t       testing.TB
	dir     string
	address string
}

func newBench(t testing.TB) *bench {
	t.Helper()
	// Not t.TempDir: it repeats the test's name, and paths of Unix sockets must stay below 108 bytes.
	dir, err := os.MkdirTemp("", "e2e-*")
	require.NoError(t, err)
	b := &bench{t: t, dir: dir, address: fmt.Sprintf("127.91.%d.0", network.Add(1))}
	t.Cleanup(func() {
		defer os.RemoveAll(dir)
		if t.Failed() {
			b.explain()
		}
		if _, err := os.Stat(b.path(".jomctl", "hosts")); err == nil {
			b.run("destroy", "--yes").ok()
		}
	})
	return b
}

func (b *bench) path(parts ...string) string {
	return filepath.Join(append([]string{b.dir}, parts...)...)
}

// host is the address of the n-th host of the network.
func (b *bench) host(n int) string { return strings.TrimSuffix(b.address, "0") + fmt.Sprint(n) }

func (b *bench) write(text string) {
	b.t.Helper()
	require.NoError(b.t, os.WriteFile(b.path("cluster.yaml"), []byte(text), 0o600))
}

// quick is a cluster file whose proof is over soon.
func (b *bench) quick(name string, more ...string) {
	b.write("apiVersion: jomctl/v1\nname: " + name + "\ntarget: local\nlocal: {address: " + b.address + "}\n" +
		"jenkins: {cloud: {templates: [{label: mesos, idle: 2s}]}}\n" + strings.Join(more, "\n"))
}

// result is how a command ended.
type result struct {
	t           testing.TB
	args        []string
	code        int
	out, errOut string
}

func (b *bench) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "jomctl"), args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	return cmd
}

func (b *bench) run(args ...string) result {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := b.command(ctx, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(b.t, err)
	}
	return result{t: b.t, args: args, code: cmd.ProcessState.ExitCode(), out: out.String(), errOut: errOut.String()}
}

func (r result) exits(code int) result {
	r.t.Helper()
	require.Equal(r.t, code, r.code, "jomctl %s\nstdout: %s\nstderr: %s", strings.Join(r.args, " "), r.out, r.errOut)
	return r
}

func (r result) ok() result { r.t.Helper(); return r.exits(0) }

// json reads stdout, which must be exactly one value.
func (r result) json(into any) result {
	r.t.Helper()
	require.NoError(r.t, json.Unmarshal([]byte(r.out), into), r.out)
	return r
}

// status is the part of `status -o json` that tests ask about.
type status struct {
	Ready bool
	Hosts []struct {
		Name, Address string
		Units         []unit
	}
	Mesos struct {
		Leader string
		Agents []struct {
			Host   string
			Active bool
		}
		Frameworks []struct {
			Name  string
			Tasks []struct{ ID, State string }
		}
	}
	Marathon struct {
		Leader string
		App    *struct{ Task, Host string }
	}
	Controller struct {
		State, Version, Task, Host string
		Ready, Secured             bool
	}
	Components []struct{ Name, Kind string }
	Findings   []struct{ Severity, Subject, Problem, Fix string }
}

type unit struct {
	Name, State string
	PID         int
	Restarts    int
}

func (b *bench) status() status {
	b.t.Helper()
	var s status
	r := b.run("status", "-o", "json")
	require.Contains(b.t, []int{0, 4}, r.code, r.errOut)
	r.json(&s)
	return s
}

// ready waits until the cluster is ready without findings.
func (b *bench) ready(deadline time.Duration) status {
	b.t.Helper()
	var s status
	testkit.Eventually(b.t, deadline, "the cluster is ready without findings", func(context.Context) bool {
		s = b.status()
		return s.Ready && len(s.Findings) == 0
	})
	return s
}

func (s status) unit(t testing.TB, name string) unit {
	t.Helper()
	for _, host := range s.Hosts {
		for _, u := range host.Units {
			if u.Name == name {
				return u
			}
		}
	}
	t.Fatalf("no unit %s in %+v", name, s.Hosts)
	return unit{}
}

// pids are the processes of all units by host and name.
func (s status) pids() map[string]int {
	pids := map[string]int{}
	for _, host := range s.Hosts {
		for _, u := range host.Units {
			pids[host.Name+"/"+u.Name] = u.PID
		}
	}
	return pids
}

func (s status) about(text string) bool {
	for _, finding := range s.Findings {
		if strings.Contains(finding.Subject+" "+finding.Problem, text) {
			return true
		}
	}
	return false
}

func kill(t testing.TB, pid int) {
	t.Helper()
	require.Positive(t, pid)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
}

// processes are the command lines of all processes whose command line or environment names the folder.
func (b *bench) processes() []string {
	entries, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(b.t, err)
	var found []string
	for _, entry := range entries {
		line, _ := os.ReadFile(entry + "/cmdline")
		environ, _ := os.ReadFile(entry + "/environ")
		if bytes.Contains(line, []byte(b.dir+"/.jomctl")) || bytes.Contains(environ, []byte(b.dir+"/.jomctl")) {
			found = append(found, filepath.Base(entry)+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// explain shows what a failed cluster has written, as it is gone afterwards.
func (b *bench) explain() {
	logs, _ := filepath.Glob(b.path(".jomctl", "hosts", "*", "log", "*.log"))
	stderrs, _ := filepath.Glob(b.path(".jomctl", "hosts", "*", "mesos-agent", "work", "slaves", "*", "frameworks", "*", "executors", "*", "runs", "latest", "std*"))
	for _, path := range append(logs, stderrs...) {
		data, err := os.ReadFile(path)
		if err != nil || len(data) == 0 {
			continue
		}
		if len(data) > 2000 {
			data = data[len(data)-2000:]
		}
		b.t.Logf("end of %s:\n%s", strings.TrimPrefix(path, b.dir), data)
	}
	b.t.Logf("status: %s", b.run("status").out)
}

func listening(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
