package jenkins

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/testkit"
)

// standIns are the stand-ins in one folder: a master, a Mesos agent and a controller, each a process of its own.
type standIns struct {
	t      *testing.T
	dir    string
	master string
	base   string
	home   string
}

// run starts one stand-in that ends with the test. What it wrote is shown when the test fails.
func (s *standIns) run(program string, env []string, args ...string) {
	s.t.Helper()
	log, err := os.Create(filepath.Join(s.dir, program+".log"))
	require.NoError(s.t, err)
	cmd := exec.Command(filepath.Join(s.dir, "bin", program), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	cmd.Env = append(append(os.Environ(), "PATH="+s.dir+"/bin:/usr/bin:/bin"), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(s.t, cmd.Start())
	s.t.Cleanup(func() {
		end := syscall.SIGTERM
		if program == "mesos-agent" {
			end = syscall.SIGUSR1 // unregisters and kills its tasks, which outlive a SIGTERM
		}
		_ = cmd.Process.Signal(end)
		_ = cmd.Wait()
		_ = log.Close()
		if s.t.Failed() {
			text, _ := os.ReadFile(log.Name())
			s.t.Logf("%s:\n%s", program, text)
		}
	})
}

func startStandIns(t *testing.T) *standIns {
	s := &standIns{t: t, dir: t.TempDir()}
	bin := filepath.Join(s.dir, "bin")
	require.NoError(t, os.Mkdir(bin, 0o755))
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "standin"), "../../cmd/standin")
	text, err := build.CombinedOutput()
	require.NoError(t, err, string(text))
	for _, program := range []string{"mesos-master", "mesos-agent", "mesos-executor", "jenkins", "java"} {
		require.NoError(t, os.Symlink("standin", filepath.Join(bin, program)))
	}
	s.master = testkit.FreeAddr(t, "127.0.0.1")
	host, port, err := net.SplitHostPort(s.master)
	require.NoError(t, err)
	s.run("mesos-master", nil, "--ip="+host, "--hostname="+host, "--port="+port, "--work_dir="+filepath.Join(s.dir, "master"))
	_, agentPort, err := net.SplitHostPort(testkit.FreeAddr(t, "127.0.0.1"))
	require.NoError(t, err)
	s.run("mesos-agent", nil, "--ip="+host, "--hostname="+host, "--port="+agentPort, "--master="+s.master,
		"--work_dir="+filepath.Join(s.dir, "agent"), "--runtime_dir="+filepath.Join(s.dir, "runtime"), "--launcher=posix",
		"--isolation=posix/cpu,posix/mem", "--containerizers=mesos", "--no-systemd_enable_support", "--launcher_dir="+bin,
		"--resources=cpus:4;mem:6000;disk:2000;ports:[31000-31099]",
		fmt.Sprintf(`--executor_environment_variables={"PATH":"%s:/usr/bin:/bin"}`, bin))
	return s
}

// controller writes a home and starts the controller on it.
func (s *standIns) controller(cloud Cloud) *Client {
	s.t.Helper()
	hash, err := HashPassword("admin-pw")
	require.NoError(s.t, err)
	files, err := HomeFiles(Home{Version: "2.568.2", User: "admin", PasswordHash: hash, Cloud: cloud, Casc: true})
	require.NoError(s.t, err)
	s.home = filepath.Join(s.dir, "home")
	for _, f := range files {
		path := filepath.Join(s.home, f.Path)
		require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(s.t, os.WriteFile(path, f.Data, f.Mode))
	}
	host, port, err := net.SplitHostPort(strings.TrimPrefix(s.base, "http://"))
	require.NoError(s.t, err)
	s.run("jenkins", []string{"JENKINS_HOME=" + s.home}, "-Dhudson.model.LoadStatistics.clock=200", "-Djomctl.standin.idleSeconds=1",
		"-Djenkins.install.runSetupWizard=false", "-Dhudson.TcpSlaveAgentListener.hostName="+host, "-Dusi.jenkins.connection-retries=-1",
		"--httpListenAddress="+host, "--httpPort="+port)
	c := New(s.base, "admin", "admin-pw")
	s.t.Cleanup(c.Close)
	return c
}

// Framework asks the stand-in master.
func (s *standIns) Framework(ctx context.Context) (FrameworkUse, error) {
	var state struct {
		Frameworks []struct {
			ID     string `json:"id"`
			Active bool   `json:"active"`
			Used   struct {
				CPUs float64 `json:"cpus"`
				Mem  float64 `json:"mem"`
			} `json:"used_resources"`
			Tasks []struct {
				ID    string `json:"id"`
				State string `json:"state"`
			} `json:"tasks"`
		} `json:"frameworks"`
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.master+"/state", nil)
	if err != nil {
		return FrameworkUse{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return FrameworkUse{}, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil {
		return FrameworkUse{}, err
	}
	for _, f := range state.Frameworks {
		if f.ID != FrameworkID("ci", 1) {
			continue
		}
		use := FrameworkUse{ID: f.ID, Known: true, Active: f.Active, CPUs: f.Used.CPUs, MemMiB: f.Used.Mem}
		for _, task := range f.Tasks {
			use.Tasks = append(use.Tasks, FrameworkTask{ID: task.ID, Host: "127.0.0.1", State: task.State})
		}
		return use, nil
	}
	return FrameworkUse{}, nil
}

// The whole way with processes: our home is secured, our cloud works, five builds run at once on Mesos.
func TestProofOnTheStandIns(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and starts the stand-ins")
	}
	s := startStandIns(t)
	s.base = "http://" + testkit.FreeAddr(t, "127.0.0.1")
	_, agentPort, err := net.SplitHostPort(testkit.FreeAddr(t, "127.0.0.1"))
	require.NoError(t, err)
	cloud := Cloud{Master: "http://" + s.master, FrameworkName: "jenkins-ci", FrameworkID: FrameworkID("ci", 1), User: "root", URL: s.base,
		Templates: []config.Template{{Label: "mesos", CPUs: 0.2, Mem: 512 * config.MiB, Idle: config.Duration(time.Minute)}}}
	_, err = fmt.Sscan(agentPort, &cloud.AgentPort)
	require.NoError(t, err)
	c := s.controller(cloud)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	state, err := c.WaitReady(ctx, Want{AgentPort: cloud.AgentPort, Secured: true}, 50*time.Millisecond, func(text string) { t.Log(text) })
	require.NoError(t, err)
	assert.True(t, state.StandIn)

	proof, err := c.Prove(ctx, ProofOptions{Name: "ci", Label: "mesos", Sleep: 3 * time.Second, CPUs: 0.2, MemMiB: 512 + ExtraMem, Tick: 100 * time.Millisecond},
		s, func(text string) { t.Log(text) })
	require.NoError(t, err, "%+v", proof)
	assert.Equal(t, 5, proof.AtOnce)
	assert.True(t, proof.Returned)
	assert.Equal(t, "127.0.0.1", proof.Builds[0].Host)
	_, err = c.Ready(ctx, Want{Framework: s})
	require.NoError(t, err, "the framework stays active")

	info, err := c.Info(ctx)
	require.NoError(t, err)
	assert.True(t, info.Secure && info.Crumbs && info.StandIn)
	assert.Empty(t, info.Jobs)
	administer(ctx, t, c, s, state.Session)
}

func administer(ctx context.Context, t *testing.T, c *Client, s *standIns, session string) {
	yaml, err := os.ReadFile(filepath.Join(s.home, "jenkins.yaml"))
	require.NoError(t, err)
	problems, err := c.CascCheck(ctx, yaml)
	require.NoError(t, err)
	assert.Empty(t, problems)
	require.NoError(t, c.CascReload(ctx))
	exported, err := c.CascExport(ctx)
	require.NoError(t, err)
	assert.Contains(t, exported, FrameworkID("ci", 1))

	require.NoError(t, c.EnsureJob(ctx, "nowhere", FreestyleJob("nosuch", "true", "")))
	id, err := c.StartBuild(ctx, "nowhere")
	require.NoError(t, err)
	// Without any node but the built-in one, core does not talk of labels.
	testkit.Eventually(t, time.Minute, "the queue says why nothing runs", func(ctx context.Context) bool {
		item, err := c.QueueItem(ctx, id)
		return err == nil && item.Why == "Waiting for next available executor"
	})
	require.NoError(t, c.QuietDown(ctx, "upgrade"))
	info, err := c.Info(ctx)
	require.NoError(t, err)
	assert.True(t, info.QuietingDown)
	require.NoError(t, c.CancelQuietDown(ctx))
	_, err = c.BuildLog(ctx, "nowhere", 1)
	assert.True(t, IsNotFound(err), "%v", err)
	require.NoError(t, c.DeleteNode(ctx, "jenkins-agent-gone"))
	require.NoError(t, c.DeleteJob(ctx, "nowhere"))
	running, err := c.RunningBuilds(ctx)
	require.NoError(t, err)
	assert.Empty(t, running)
	_, err = c.Plugins(ctx)
	require.NoError(t, err)
	require.NoError(t, c.SafeRestart(ctx, "new session"))
	after, err := c.WaitReady(ctx, Want{NotSession: session}, 50*time.Millisecond, nil)
	require.NoError(t, err)
	assert.NotEqual(t, session, after.Session)
	require.NoError(t, c.Exit(ctx, false))
	testkit.Eventually(t, time.Minute, "the controller is gone", func(ctx context.Context) bool { return c.State(ctx).Phase == PhaseRefused })
}
