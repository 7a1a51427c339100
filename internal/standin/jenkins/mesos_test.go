package jenkins

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// startMesos runs one of the Mesos stand-ins as its own process.
func startMesos(t *testing.T, name, address string, args ...string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	cmd := exec.Command("/proc/self/exe", append([]string{"--ip=" + host, "--hostname=" + host, "--port=" + port}, args...)...)
	cmd.Args[0] = name
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s:\n%s", name, text)
		}
	})
}

func get(url string) []byte {
	resp, err := http.Get(url)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return body
}

// frameworks are the active frameworks in a master's /state, with the number of their live tasks.
func frameworks(master string) map[string]int {
	var state struct {
		Frameworks []struct {
			ID     string            `json:"id"`
			Active bool              `json:"active"`
			Tasks  []json.RawMessage `json:"tasks"`
		} `json:"frameworks"`
	}
	if json.Unmarshal(get("http://"+master+"/state"), &state) != nil {
		return nil
	}
	out := map[string]int{}
	for _, f := range state.Frameworks {
		if f.Active {
			out[f.ID] = len(f.Tasks)
		}
	}
	return out
}

func TestFiveBuildsOverTheMesosStandInsAndZooKeeper(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	zk := "zk://" + z.Addr + "/mesos"
	master := testkit.FreeAddr(t, "127.0.0.1")
	startMesos(t, "mesos-master", master, "--zk="+zk, "--quorum=1", "--work_dir="+t.TempDir())
	work := t.TempDir()
	startMesos(t, "mesos-agent", testkit.FreeAddr(t, "127.0.0.1"), "--master="+zk, "--work_dir="+work+"/work", "--runtime_dir="+work+"/run",
		"--no-systemd_enable_support", "--launcher=posix", "--resources=cpus:4;mem:2000;disk:1000;ports:[31000-31099]",
		`--executor_environment_variables={"PATH":"`+withJava(t)+`"}`)
	testkit.Eventually(t, 60*time.Second, "the agent is registered", func(context.Context) bool {
		var state struct {
			Agents float64 `json:"activated_slaves"`
		}
		return json.Unmarshal(get("http://"+master+"/state"), &state) == nil && state.Agents == 1
	})
	address := testkit.FreeAddr(t, "127.0.0.1")
	c := startAt(t, cloudHome(t, zk, "http://"+address+"/", "-noReconnect"), address)
	proveFiveBuilds(t, c)
	testkit.Eventually(t, time.Minute, "registered under its id, nothing left running", func(context.Context) bool {
		tasks, active := frameworks(master)["jenkins-test-e1"]
		return active && tasks == 0
	})
}
