package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// records are the kinds and steps of all records in the bench's journals.
func (b *bench) records() map[string]bool {
	seen := map[string]bool{}
	files, _ := filepath.Glob(b.path(".jomctl", "journal", "*.jsonl"))
	for _, file := range files {
		data, _ := os.ReadFile(file)
		for _, line := range bytes.Split(data, []byte("\n")) {
			var record struct{ Kind, Step string }
			if json.Unmarshal(line, &record) == nil && record.Kind != "" {
				seen[record.Kind+" "+record.Step] = true
			}
		}
	}
	return seen
}

// TestAnInstallThatIsKilledAfterEveryRecordCompletes kills the program as soon as it has written a record that no run
// before it has written, again and again, until there is nothing left to write.
func TestAnInstallThatIsKilledAfterEveryRecordCompletes(t *testing.T) {
	needs(t)
	b := newBench(t)
	b.quick("killed")
	kills := 0
	for {
		require.Less(t, kills, 100, "it never ends")
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		cmd := b.command(ctx, "install", "--yes", "--proof-sleep", "1s")
		var errOut bytes.Buffer
		cmd.Stderr = &errOut
		before := len(b.records())
		require.NoError(t, cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		finished, err := killAtNextRecord(b, before, cmd.Process.Kill, ended)
		cancel()
		if finished {
			require.NoError(t, err, errOut.String())
			break
		}
		kills++
	}
	require.Greater(t, kills, 20, "every record must have been a place to be killed at: %v", b.records())
	t.Logf("killed %d times", kills)

	s := b.ready(time.Minute)
	require.Len(t, s.Mesos.Agents, 2)
	supervisors := map[string]int{}
	for _, process := range b.processes() {
		if _, spec, found := strings.Cut(process, " supervise "); found {
			supervisors[strings.TrimSpace(spec)]++
		}
	}
	require.Len(t, supervisors, 6, "zookeeper, master, marathon, edge and two agents: %v", supervisors)
	for spec, count := range supervisors {
		require.Equal(t, 1, count, "%s was started twice", spec)
	}
}

// killAtNextRecord waits for one more record than before and kills, or returns how the program ended by itself.
func killAtNextRecord(b *bench, before int, kill func() error, ended <-chan error) (finished bool, err error) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return true, err
		case <-tick.C:
			if len(b.records()) > before {
				_ = kill() // it may have ended in between, which the exit status tells
				err := <-ended
				return err == nil, err
			}
		}
	}
}

func TestTheSecondOfTwoInstallsIsRefused(t *testing.T) {
	needs(t)
	b := newBench(t)
	b.quick("twice")
	first := b.command(context.Background(), "install", "--yes", "--proof-sleep", "1s")
	require.NoError(t, first.Start())
	testkit.Eventually(t, 30*time.Second, "the first install works", func(context.Context) bool { return len(b.records()) > 0 })
	second := b.run("install", "--yes").exits(5)
	require.Contains(t, second.errOut, fmt.Sprintf("pid %d", first.Process.Pid))
	require.Contains(t, second.errOut, "started")
	require.NoError(t, first.Wait(), "the first one is not disturbed")
}

func TestWhatIsKilledIsNamedAndComesBack(t *testing.T) {
	needs(t)
	b := newBench(t)
	b.quick("faults")
	b.run("install", "--yes", "--proof-sleep", "1s").ok()
	for _, name := range []string{"zookeeper", "mesos-master", "marathon", "mesos-agent", "edge"} {
		t.Run(name, func(t *testing.T) {
			before := b.ready(90 * time.Second)
			was := before.unit(t, name)
			kill(t, was.PID)
			testkit.Eventually(t, time.Minute, name+" has been started again", func(context.Context) bool {
				now := b.status().unit(t, name)
				return now.State == "running" && now.PID != was.PID
			})
			after := b.ready(90 * time.Second)
			require.Equal(t, before.Controller.Task, after.Controller.Task, "the controller's task outlives its keepers")
		})
	}
	t.Run("controller", func(t *testing.T) {
		before := b.ready(90 * time.Second)
		kill(t, b.controller(t))
		testkit.Eventually(t, time.Minute, "the missing controller is a finding", func(context.Context) bool {
			s := b.status()
			return !s.Ready && s.about("controller")
		})
		after := b.ready(90 * time.Second)
		require.NotEqual(t, before.Controller.Task, after.Controller.Task, "Marathon started it again")
		b.run("prove", "--yes", "--sleep", "1s").ok()
	})
}

// controller is the pid of the Jenkins process.
func (b *bench) controller(t *testing.T) int {
	for _, process := range b.processes() {
		if strings.Contains(process, "standin jenkins ") {
			var pid int
			_, err := fmt.Sscan(process, &pid)
			require.NoError(t, err)
			return pid
		}
	}
	t.Fatalf("no controller in %v", b.processes())
	return 0
}

func TestBadInputIsRefusedBeforeAnythingStarts(t *testing.T) {
	needs(t)
	occupied, err := net.Listen("tcp", "127.93.7.10:2181")
	require.NoError(t, err)
	defer occupied.Close()
	head := "apiVersion: jomctl/v1\nname: bad\ntarget: local\n"
	cases := map[string]struct {
		file string
		code int
		want []string
	}{
		"port taken":       {head + "local: {address: 127.93.7.0}\n", 3, []string{"127.93.7.10:2181", "fix:"}},
		"tabs":             {"apiVersion: jomctl/v1\nname: bad\ntarget: local\njenkins:\n\tapp: {cpus: 1}\n", 2, []string{"cluster.yaml:5", "tab"}},
		"unknown key":      {head + "jenkin: {}\n", 2, []string{"cluster.yaml:4", "jenkin", "jenkins"}},
		"no DNS label":     {"apiVersion: jomctl/v1\nname: Bad_Name\ntarget: local\n", 2, []string{"name", "Bad_Name"}},
		"size, no unit":    {head + "jenkins: {app: {mem: 1024}}\n", 2, []string{"jenkins.app.mem", "1024"}},
		"negative":         {head + "jenkins: {app: {cpus: -1}}\n", 2, []string{"jenkins.app.cpus", "-1"}},
		"app too large":    {head + "local: {resources: {cpus: 2, mem: 2GiB, disk: 1GiB}}\njenkins: {app: {mem: 4GiB}}\n", 2, []string{"jenkins.app.mem", "4GiB"}},
		"home under /tmp":  {head + "jenkins: {home: {path: /tmp/home}}\n", 2, []string{"jenkins.home.path", "/tmp/home"}},
		"unreadable war":   {head + "local: {address: 127.93.8.0}\njenkins: {war: ./missing.war}\n", 3, []string{"missing.war"}},
		"missing programs": {head + "local: {address: 127.93.9.0}\ncomponents: {mesos: {source: {path: ./nowhere}}}\n", 3, []string{"nowhere", "mesos-master"}},
		"several at once":  {"apiVersion: jomctl/v1\nname: Bad\ntarget: moon\n", 2, []string{"name", "target", "moon"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write(c.file)
			r := b.run("install", "--yes").exits(c.code)
			for _, want := range c.want {
				require.Contains(t, r.errOut, want)
			}
			require.NoDirExists(t, b.path(".jomctl", "hosts"), "nothing was begun")
			require.Empty(t, b.processes())
		})
	}
}
