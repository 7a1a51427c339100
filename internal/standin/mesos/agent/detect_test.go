package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// announce makes the node of a leading master as the real ones do.
func announce(t *testing.T, conn *zk.Conn, addr string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	data := fmt.Sprintf(`{"address":{"hostname":%q,"ip":%q,"port":%s},"hostname":%q,"id":"x","ip":16777343,"pid":"master@%s","port":%s}`, host, host, port, host, addr, port)
	node, err := conn.Create("/mesos/json.info_", []byte(data), zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	return node
}

func TestLeaderIsFollowedInZooKeeper(t *testing.T) {
	server := testkit.StartZooKeeper(t)
	first, second := newMaster(t), newMaster(t)
	agent := startAgent(t, "zk://127.0.0.1:1,"+server.Addr+"/mesos", "--zk_session_timeout=40secs")
	conn, _, err := zk.Connect([]string{server.Addr}, 10*time.Second, zk.WithLogger(quiet{}))
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Create("/mesos", nil, 0, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	node := announce(t, conn, first.addr())
	announce(t, conn, second.addr())
	agent.awaitRegistered()
	require.NoError(t, conn.Delete(node, -1))
	assert.Equal(t, "M-S0", second.awaitRegister(1).Agent.ID.GetValue())
	first.mu.Lock()
	assert.Len(t, first.registers, 1)
	first.mu.Unlock()
	testkit.Eventually(t, time.Minute, "the leader is shown", func(context.Context) bool {
		_, body, _ := agent.ask("GET", "/state", "")
		return strings.Contains(body, `"master_hostname":"127.0.0.1"`)
	})
	server.Kill()
	server.Start()
	second.kill("nothing", nil)
	testkit.Eventually(t, time.Minute, "the agent still listens to the leader", func(context.Context) bool {
		return strings.Contains(agent.log(), "Ignoring kill task nothing")
	})
}

func TestMasterForms(t *testing.T) {
	file := t.TempDir() + "/master"
	require.NoError(t, os.WriteFile(file, []byte("10.0.0.1:6000\n"), 0o600))
	for text, wanted := range map[string]string{
		"127.0.0.1:5050": "127.0.0.1:5050", "http://127.0.0.1:5050": "127.0.0.1:5050", "master@127.0.0.1:5050": "127.0.0.1:5050",
		"localhost": "localhost:5050", "file://" + file: "10.0.0.1:6000",
	} {
		d, err := newDetector(config{master: text}, nil)
		require.NoError(t, err, text)
		d.run(nil)
		assert.Equal(t, wanted, (<-d.leaders).addr)
	}
	for _, text := range []string{"zk://h:1", "zk://h:1/", "127.0.0.1:x", ":5050", "file:///no/such"} {
		_, err := newDetector(config{master: text}, nil)
		assert.Error(t, err, text)
	}
}
