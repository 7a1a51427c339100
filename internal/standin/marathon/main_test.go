package marathon

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func TestMistakesInFlagsEndAtOnce(t *testing.T) {
	good := []string{"--master", "zk://h:1/mesos"}
	for name, c := range map[string]struct {
		args, env []string
		code      int
		text      string
	}{
		"unknown flag":        {append(good, "--nosuch_flag", "x"), nil, exitUsage, "Unknown option 'nosuch_flag'"},
		"twice":               {append(good, "--http_port", "28150", "--http_port=28151"), nil, exitUsage, "'28150 28151' - you should provide exactly one argument for this option"},
		"not a number":        {append(good, "--local_port_min", "abc"), nil, exitUsage, "Bad arguments for option 'local_port_min': 'abc' - bad Int value"},
		"no master":           {nil, nil, exitUsage, "Required option 'master' not found"},
		"bad zk":              {append(good, "--zk", "127.0.0.1:1/x"), nil, exitUsage, "is not a valid zk url"},
		"zk without path":     {append(good, "--zk", "zk://127.0.0.1:1"), nil, exitUsage, "is not a valid zk url"},
		"unknown variable":    {good, []string{"MARATHON_HOME=/x"}, exitUsage, "Unknown option 'home'"},
		"flag and variable":   {append(good, "--http_port", "1"), []string{"MARATHON_HTTP_PORT=2"}, exitUsage, "you should provide exactly one argument"},
		"unknown feature":     {append(good, "--enable_features", "nosuch"), nil, exitFlags, "Unknown features specified: nosuch"},
		"what it does not do": {append(good, "--plugin_dir", "/x"), nil, exitUsage, "does not do 'plugin_dir'"},
		"no value":            {append(good, "--hostname"), nil, exitUsage, "'hostname'"},
		"help":                {[]string{"--help"}, nil, 0, "stand-in"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			assert.Equal(t, c.code, run(c.args, c.env, &log, nil))
			assert.Contains(t, log.String(), c.text)
			assert.Contains(t, log.String(), "This is jomctl's stand-in for Marathon 1.11, not Marathon.")
		})
	}
}

func TestEnvironmentVariablesAreFlags(t *testing.T) {
	f, err := parseFlags([]string{"-J-Xmx512m", "--master", "h:1"}, []string{"MARATHON_HTTP_PORT=9", "MARATHON_APP_ID=/x", "MARATHON_DISABLE_CHECKPOINT=", "OTHER=1"})
	require.NoError(t, err)
	assert.Equal(t, 9, f.number("http_port"))
	assert.False(t, f.switches["checkpoint"])
}

func TestWaysToEnd(t *testing.T) {
	t.Parallel()
	z := testkit.StartZooKeeper(t)
	cluster := newCluster(t)
	t.Run("no ZooKeeper: 100", func(t *testing.T) {
		p := launch(t, testkit.FreeAddr(t, "127.0.0.1"), "http://"+cluster.addr, "--zk_connection_timeout", "300")
		assert.Equal(t, exitZooKeeperConnect, p.exit())
	})
	t.Run("port in use: 111", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		p := launch(t, z.Addr, "http://"+cluster.addr)
		p.kill()
		p.args = append(p.args[:len(p.args):len(p.args)], "--http_realm", "x")
		for n := range p.args {
			if p.args[n] == "--http_port" {
				p.args[n+1] = port
			}
		}
		p.start()
		assert.Equal(t, exitBind, p.exit())
	})
	t.Run("SIGTERM: 143", func(t *testing.T) {
		p := launch(t, z.Addr+"/a", "http://"+cluster.addr)
		p.ready()
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
		assert.Equal(t, exitTerminated, p.exit())
	})
	t.Run("the same id again while the old session lives: 104", func(t *testing.T) {
		p := launch(t, z.Addr+"/b", "http://"+cluster.addr)
		p.ready()
		p.kill()
		p.start()
		assert.Equal(t, exitElection, p.exit())
		assert.Contains(t, p.output(), "Multiple election participants have the same id")
	})
	t.Run("abdication: 103, and none leads for a moment", func(t *testing.T) {
		p := launch(t, z.Addr+"/c", "http://"+cluster.addr)
		p.ready()
		req, err := http.NewRequest(http.MethodDelete, p.url+"/v2/leader", nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, exitLostLeadership, p.exit())
	})
	t.Run("ZooKeeper gone: leader and standby end with 101", func(t *testing.T) {
		leader := launch(t, z.Addr+"/d", "http://"+cluster.addr)
		leader.ready()
		standby := launch(t, z.Addr+"/d", "http://"+cluster.addr)
		standby.ready()
		z.Kill()
		assert.Equal(t, exitZooKeeperLost, leader.exit())
		assert.Equal(t, exitZooKeeperLost, standby.exit())
	})
}

// A broken connection alone is renewed with the same framework id; the real program hears nothing of it either.
func TestABrokenConnectionToTheMasterIsRenewed(t *testing.T) {
	t.Parallel()
	z := testkit.StartZooKeeper(t)
	cluster := newCluster(t)
	p := launch(t, z.Addr, "http://"+cluster.addr)
	p.ready()
	_, before := p.get("/v2/info")
	from := cluster.mesos.Calls(sched.Call_RECONCILE)
	cluster.disconnect()
	testkit.Eventually(t, patience, "it is subscribed again and asks for its tasks", func(context.Context) bool { return cluster.mesos.Calls(sched.Call_RECONCILE) > from })
	_, after := p.get("/v2/info")
	assert.Equal(t, before["frameworkId"], after["frameworkId"])
}

func TestCredentialsGuardEveryPath(t *testing.T) {
	t.Parallel()
	z := testkit.StartZooKeeper(t)
	cluster := newCluster(t)
	p := launch(t, z.Addr, "http://"+cluster.addr, "--http_credentials", "admin:s3cret")
	for _, path := range []string{"/ping", "/v2/info", "/nosuch", "/v2/events"} {
		testkit.Eventually(t, patience, path+" is guarded", func(context.Context) bool { status, _ := p.get(path); return status == 401 })
	}
	req, err := http.NewRequest(http.MethodGet, p.url+"/ping", nil)
	require.NoError(t, err)
	req.SetBasicAuth("admin", "s3cret")
	testkit.Eventually(t, patience, "the right password opens", func(context.Context) bool {
		resp, err := (&http.Client{Timeout: time.Second}).Do(req)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	})
}
