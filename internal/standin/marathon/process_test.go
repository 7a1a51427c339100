package marathon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/marathon/fakemesos"
	"github.com/jomctl/jomctl/internal/testkit"
)

// The test program is the stand-in too, so that processes can be killed like the real one.
const asProgram = "JOMCTL_TEST_AS_MARATHON"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "1" {
		os.Exit(Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}

const patience = time.Minute

type program struct {
	t    testing.TB
	args []string
	env  []string
	url  string
	log  string
	cmd  *exec.Cmd
	mu   sync.Mutex
	code chan int
}

// launch starts a process with free address and the given flags.
func launch(t testing.TB, zk, master string, flags ...string) *program {
	t.Helper()
	addr := testkit.FreeAddr(t, "127.0.0.1")
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	p := &program{t: t, url: "http://" + addr, log: filepath.Join(t.TempDir(), "marathon.log"), args: append([]string{"--master", master, "--zk", "zk://" + zk + "/marathon",
		"--hostname", host, "--http_address", host, "--http_port", port, "--zk_session_timeout", "6000", "--min_revive_offers_interval", "10",
		"--reconciliation_initial_delay", "100"}, flags...)}
	p.start()
	t.Cleanup(p.kill)
	return p
}

func (p *program) start() {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(p.t, err)
	defer log.Close()
	p.cmd = exec.Command(os.Args[0], p.args...)
	p.cmd.Env = append(append(scrubbed(), asProgram+"=1"), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(p.t, p.cmd.Start())
	cmd, code := p.cmd, make(chan int, 1)
	p.code = code
	go func() {
		_ = cmd.Wait()
		code <- cmd.ProcessState.ExitCode()
	}()
}

func scrubbed() []string {
	var out []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "MARATHON_") {
			out = append(out, entry)
		}
	}
	return out
}

func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	p.exit()
}

// exit waits for the end and returns the exit code.
func (p *program) exit() int {
	p.t.Helper()
	select {
	case code := <-p.code:
		p.code <- code
		return code
	case <-time.After(patience):
		p.t.Fatalf("the process does not end; its log:\n%s", p.output())
		return -1
	}
}

func (p *program) output() string {
	data, _ := os.ReadFile(p.log)
	return string(data)
}

func (p *program) get(path string) (int, map[string]any) {
	client := &http.Client{Timeout: time.Minute}
	resp, err := client.Get(p.url + path)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	var doc map[string]any
	data, _ := io.ReadAll(resp.Body)
	_ = json.Unmarshal(data, &doc)
	return resp.StatusCode, doc
}

// ready waits until the process leads and Mesos knows it.
func (p *program) ready() {
	p.t.Helper()
	testkit.Eventually(p.t, patience, "Marathon leads and is registered", func(context.Context) bool {
		status, info := p.get("/v2/info")
		return status == 200 && info["frameworkId"] != nil
	})
}

// comeBack starts the process again and again, as a supervisor does, while its old ZooKeeper session lives.
func (p *program) comeBack() {
	p.t.Helper()
	testkit.Eventually(p.t, 2*patience, "Marathon is back", func(context.Context) bool {
		select {
		case code := <-p.code:
			if code != exitElection && code != -1 {
				p.t.Fatalf("exit code %d; log:\n%s", code, p.output())
			}
			p.start()
		default:
		}
		status, info := p.get("/v2/info")
		return status == 200 && info["frameworkId"] != nil
	})
}

type cluster struct {
	mesos *fakemesos.Mesos
	addr  string
	// disconnect cuts the framework's connections.
	disconnect func()
}

func newCluster(t testing.TB, agents ...fakemesos.Agent) *cluster {
	t.Helper()
	if agents == nil {
		for n := 1; n <= 3; n++ {
			agents = append(agents, fakemesos.Agent{Host: fmt.Sprintf("127.0.0.%d", n), CPUs: 4, Mem: 8192, PortLow: 31000, PortHigh: 31099, Attributes: map[string]string{"rack": fmt.Sprintf("rack-%d", n)}})
		}
	}
	c := &cluster{mesos: fakemesos.New(agents...)}
	server := httptest.NewServer(c.mesos.Handler())
	t.Cleanup(func() { c.mesos.Close(); server.CloseClientConnections(); server.Close() })
	c.disconnect = server.CloseClientConnections
	c.addr = strings.TrimPrefix(server.URL, "http://")
	return c
}

func (c *cluster) endTask(t *testing.T, id string) {
	t.Helper()
	require.True(t, c.mesos.EndTask(id, mesos.TASK_FAILED, "Command terminated with signal Killed"))
}
