package doctor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/jenkins"
	"github.com/jomctl/jomctl/internal/status"
)

func TestAHealthyClusterHasNoFindings(t *testing.T) {
	w := healthy()
	w.machines = []host.Machine{&machine{name: "a1", units: []host.Status{{Name: "mesos-agent", Running: true, LogFile: "/log"}},
		runs: map[string]string{"tail -c 65536 /log": "all is well\n", "df -Pk /srv/jomctl": "Filesystem\n/dev/sda 100000000 50000000 50000000 50% /\n"}}}
	for _, result := range Run(context.Background(), w.inputs(t), 4) {
		assert.Empty(t, result.Findings, result.Check)
		assert.Empty(t, result.CouldNot, result.Check)
	}
}

func TestWhatIsDownIsSaidAndNothingIsMadeUp(t *testing.T) {
	w := healthy()
	w.down = true
	w.masters[0] = cluster.MasterHealth{Addr: "10.0.0.1:5050", Err: errDown}
	w.machines = []host.Machine{&machine{name: "a1", err: errors.New("no route to host topsecretvalue")}}
	results := Run(context.Background(), w.inputs(t), 2)
	require.Len(t, results, len(Checks()))
	for _, result := range results {
		switch result.Check {
		case "status", "doors", "backups": // doors and backups that nobody wants
			assert.Empty(t, result.CouldNot)
		case "masters":
			assert.Len(t, result.Findings, 1)
		default:
			assert.Empty(t, result.Findings, result.Check)
			require.NotEmpty(t, result.CouldNot, result.Check)
			for _, text := range result.CouldNot {
				assert.Contains(t, text, ", because: ", result.Check)
				assert.NotContains(t, text, "topsecretvalue")
			}
		}
	}
}

func TestACheckThatPanicsIsAResult(t *testing.T) {
	checks := []Check{{"boom", "it works", func(context.Context, *facts) ([]Finding, error) { panic("oh") }}}
	results := run(context.Background(), healthy().inputs(t), checks, 1)
	require.Contains(t, results[0].CouldNot[0], "the check itself failed: oh")
}

func TestStatusIsNotRepeated(t *testing.T) {
	w := healthy()
	w.report.Findings = []status.Finding{{Severity: status.Error, Subject: "controller", Problem: "has no open agent port"}}
	w.port = 0
	_, text := w.one(t, "status")
	require.Contains(t, text, "has no open agent port")
	require.Empty(t, w.check(t, "agent-port").Findings)
}

func TestFindingsAboutTheCluster(t *testing.T) {
	for name, test := range map[string]struct {
		check  string
		damage func(w *world)
		want   []string
	}{
		"masters without majority": {"masters", func(w *world) {
			w.masters = []cluster.MasterHealth{{Addr: "a", Elected: true, Recovered: true}, {Addr: "b", Err: errDown}, {Addr: "c", Err: errDown}}
		}, []string{"1 of 3 answer", "needs 2", "never lower the quorum"}},
		"a master without registry": {"masters", func(w *world) { w.masters[0].Recovered = false }, []string{"has not recovered its registry"}},
		"two leaders":               {"masters", func(w *world) { w.masters = append(w.masters, w.masters[0]) }, []string{"2 of them lead"}},
		"loopback is advertised": {"addresses", func(w *world) { w.leader = "127.0.1.1:5050" },
			[]string{"mesos-master", "advertises 127.0.1.1, which on every other host means that host itself", "--hostname", "json.info_"}},
		"localhost.localdomain is advertised": {"addresses", func(w *world) { w.marathon = "localhost.localdomain:8090" }, []string{"marathon", "that host itself"}},
		"nobody answers where it says":        {"addresses", func(w *world) { w.silent = []string{"10.0.0.2:5051"} }, []string{"mesos-agent a1", "where nobody answers", "connection refused"}},
		"a foreign address":                   {"addresses", func(w *world) { w.state[0].Agents[0].Addr = "172.17.0.2:5051" }, []string{"is the address of no host"}},
		"no scheduler": {"frameworks", func(w *world) {
			w.state[0].Frameworks = []cluster.Framework{{ID: "f1", Name: "old", Used: cluster.Resources{CPUs: 2, Mem: 512}, Tasks: make([]cluster.Task, 2)}}
		}, []string{"framework old", "holds 2.0 cpus and 512 MiB for 2 tasks", "frameworkId=f1", "LIBPROCESS_PORT"}},
		"no way back to the scheduler": {"frameworks", func(w *world) {
			w.state[0].CompletedFrameworks = []cluster.Framework{{Name: "jenkins"}, {Name: "jenkins"}, {Name: "jenkins"}}
		}, []string{"registered and ended 3 times", "LIBPROCESS_IP"}},
		"two schedulers with one id": {"frameworks", func(w *world) {
			again := w.state[0]
			again.Frameworks = []cluster.Framework{{ID: "jenkins-ci-e1", Name: "jenkins-ci", Active: true, Connected: true, Reregistered: 6}}
			w.state = append(w.state, again)
		}, []string{"registered again", "two schedulers use one id"}},
		"an agent out of service": {"drained", func(w *world) { w.state[0].Agents[0].Deactivated = true }, []string{"mesos-agent a1", "jomctl agents undrain a1"}},
		"a stuck deployment": {"deployment", func(w *world) {
			w.deploys, w.waiting = []cluster.Deployment{{ID: "d1", Apps: []string{"/ci/jenkins"}, Step: 1, Steps: 2}}, "it lacks 1.5 GiB memory"
		}, []string{"deployment d1", "/ci/jenkins: it lacks 1.5 GiB memory", "DELETE /v2/deployments/d1"}},
		"nobody listens at the agent port": {"agent-port", func(w *world) { w.silent = []string{"10.0.0.2:50000"} },
			[]string{"announces agent port 50000, and nobody answers at 10.0.0.2:50000", "X-Jenkins-JNLP-Port: 50000"}},
		"another agent port": {"agent-port", func(w *world) { w.port = 40000 }, []string{"has agent port 40000, and the cluster file says 50000"}},
		"nodes left behind": {"offline-nodes", func(w *world) {
			w.state[0].Frameworks[0].Tasks = []cluster.Task{{ID: "jenkins-agent-a-2"}}
			w.nodes = []jenkins.Node{{Name: "(built-in)", Offline: true}, {Name: "jenkins-agent-a-1", Inbound: true, Offline: true, Reason: "gone"},
				{Name: "jenkins-agent-a-2", Inbound: true, Offline: true}, {Name: "jenkins-agent-a-3", Inbound: true}}
		}, []string{"1 offline build agents", "jenkins-agent-a-1: gone"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := healthy()
			test.damage(w)
			_, text := w.one(t, test.check)
			for _, want := range test.want {
				assert.Contains(t, text, want)
			}
		})
	}
}

func TestADeploymentThatHasJustBegunIsNotStuck(t *testing.T) {
	w := healthy()
	w.waiting = "the task is in TASK_STARTING"
	w.deploys = []cluster.Deployment{{ID: "d1", Version: time.Now().UTC().Format(time.RFC3339Nano), Apps: []string{"/ci/jenkins"}}}
	require.Empty(t, w.check(t, "deployment").Findings)
	w.deploys[0].Version = "2020-01-01T00:00:00.000Z"
	require.Len(t, w.check(t, "deployment").Findings, 1)
}

func TestTheSandboxTellsWhyTheControllerFails(t *testing.T) {
	w := healthy()
	w.app.Tasks = nil
	w.app.LastFailure = &cluster.TaskFailure{TaskID: "t9", Host: "10.0.0.2", State: "TASK_FAILED", Message: "Command exited with status 1", Timestamp: "2020-01-01T00:00:00Z"}
	w.logs = map[string]string{"t9/stdout": "", "t9/stderr": "start topsecretvalue\nRunning with Java 17 from /usr/lib/jvm, which is older than the minimum required version (Java 21).\n"}
	f, text := w.one(t, "controller-task")
	assert.Equal(t, status.Error, f.Severity)
	for _, want := range []string{"on a1", "Command exited with status 1", "runs with a Java that is too old", "--executor_environment_variables", "stderr: Running with Java 17"} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "topsecretvalue")

	w.logs = nil
	result := w.check(t, "controller-task")
	require.Len(t, result.Findings, 1, "what Marathon says is there without the sandbox")
	require.Contains(t, result.CouldNot[0], "stderr of task t9, because: not found")

	w.app = healthy().app
	w.app.LastFailure = &cluster.TaskFailure{TaskID: "t9", Timestamp: "2020-01-01T00:00:00Z"}
	require.Empty(t, w.check(t, "controller-task").Findings, "an old failure that was got over")
}

func TestAStormOfBuildAgentsIsFound(t *testing.T) {
	w := healthy()
	for i := range stormTasks {
		w.state[0].Frameworks[0].Completed = append(w.state[0].Frameworks[0].Completed,
			cluster.Task{ID: "agent-" + string(rune('a'+i)), State: "TASK_FAILED", Since: float64(time.Now().Unix() - int64(60-i))})
	}
	w.logs = map[string]string{"agent-e/stdout": "", "agent-e/stderr": "SEVERE: http://x/ provided port:50000 is not reachable\n"}
	_, text := w.one(t, "launch-storm")
	for _, want := range []string{"5 build agents have failed", "does not reach the controller's agent port", "quiet mode", "task agent-e"} {
		assert.Contains(t, text, want)
	}
	for i := range w.state[0].Frameworks[0].Completed {
		w.state[0].Frameworks[0].Completed[i].Since = 5
	}
	require.Empty(t, w.check(t, "launch-storm").Findings, "those of long ago")
}

func TestLogsTellWhyAProgramDoesNotStart(t *testing.T) {
	for line, want := range map[string]string{
		"EXIT with status 1: Failed to perform recovery: Incompatible agent info detected.":                              "attributes or resources are not those",
		"java.lang.UnsatisfiedLinkError: libmesos.so: libsvn_delta-1.so.0: cannot open shared object file: No such file": "does not find libmesos",
		"Recovery failed: Failed to recover registrar: Failed to perform fetch within 1mins":                             "no quorum of masters",
		"mesosphere.marathon.core.election: Multiple election participants have the same id: 10.0.0.1:8090":              "its own old session",
		"Failed to locate systemd runtime directory: /run/systemd/system":                                                "needs systemd",
	} {
		w := healthy()
		m := &machine{name: "a1", units: []host.Status{{Name: "mesos-agent", LogFile: "/log"}}, runs: map[string]string{"tail -c 65536 /log": "fine\n" + line + "\n"}}
		w.machines = []host.Machine{m}
		result := w.check(t, "recovery")
		require.NotEmpty(t, result.Findings, line)
		require.Contains(t, result.Findings[0].Problem, want)
		require.Contains(t, result.Findings[0].Evidence[0], line[:30])
		m.units[0].Running = true
		require.Empty(t, w.check(t, "recovery").Findings, "an old line of a program that runs explains nothing")
	}
}

func TestSymptomsAndTheJournal(t *testing.T) {
	w := healthy()
	w.machines = []host.Machine{&machine{name: "a1", units: []host.Status{{Name: "mesos-agent", Running: true, LogFile: "journalctl -u jomctl-mesos-agent"}},
		runs: map[string]string{"journalctl -u jomctl-mesos-agent --no-pager -o short-iso -n 655": "Flags at startup: No space left on device\nwrite: No space left on device\n"}}}
	f, text := w.one(t, "log-lines")
	require.Contains(t, text, "disk full")
	require.Equal(t, []string{"write: No space left on device"}, f.Evidence)
}

func TestDisks(t *testing.T) {
	df := func(name, line string) host.Machine {
		return &machine{name: name, runs: map[string]string{"df -Pk /srv/jomctl": "Filesystem 1024-blocks Used Available Capacity Mounted on\n" + line + "\n"}}
	}
	w := healthy()
	w.machines = []host.Machine{df("a1", "/dev/sda 100000000 99000000 1000000 99% /srv"), df("a2", "/dev/sda 100000000 50000000 50000000 50% /srv"), df("a3", "nonsense")}
	f, text := w.one(t, "disk")
	require.Equal(t, status.Error, f.Severity)
	require.Contains(t, text, "disk of a1\nis 99 % full, 976 MiB are left at /srv")
	require.Contains(t, w.check(t, "disk").CouldNot[0], "the disk of a3, because: ")

	w.target = config.TargetLocal
	w.machines = []host.Machine{df("a1", "/dev/sda 100000000 92000000 8000000 92% /"), df("a2", "/dev/sda 100000000 92000000 8000000 92% /")}
	_, text = w.one(t, "disk")
	require.Contains(t, text, "disk of this machine", "all hosts share it")
}
