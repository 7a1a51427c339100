package contract

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// Election asserts how masters find their leader in a real ZooKeeper, what the others answer meanwhile, and that a
// running task survives the leader's death. It takes about a minute on real programs.
func Election(t *testing.T, launcher Launcher) {
	keeper := testkit.StartZooKeeper(t)
	place := "zk://" + keeper.Addr + "/mesos"
	masterFlags := []string{"--zk=" + place, "--quorum=1", "--zk_session_timeout=6secs", "--agent_reregister_timeout=10mins"}
	first := launcher.StartMaster(t, masterFlags...)
	Ready(t, first.URL)
	second := launcher.StartMaster(t, masterFlags...)
	awaitStandby(t, second.URL)
	t.Run("Nodes", func(t *testing.T) { electionNodes(t, keeper.Addr, first, second) })
	t.Run("Standby", func(t *testing.T) { standby(t, first, second) })
	t.Run("Failover", func(t *testing.T) { leaderDies(t, launcher, place, first, second) })
	t.Run("ZooKeeperLost", func(t *testing.T) { keeperLost(t, keeper, first, second) })
}

func awaitStandby(t testing.TB, base string) {
	t.Helper()
	testkit.Eventually(t, patience, base+" knows the leader", func(context.Context) bool {
		r, err := tryAsk(http.MethodGet, base+"/state", nil, "")
		return err == nil && r.status == http.StatusTemporaryRedirect
	})
}

// electionNodes compares the nodes in ZooKeeper with those that clients of a real master read.
func electionNodes(t *testing.T, keeper string, masters ...*Process) {
	conn, _, err := zk.Connect([]string{keeper}, 10*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	defer conn.Close()
	names, _, err := conn.Children("/mesos")
	require.NoError(t, err)
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, "json.info_") })
	slices.Sort(names)
	require.Len(t, names, len(masters))
	for i, name := range names {
		require.Regexp(t, `^json\.info_[0-9]{10}$`, name)
		data, stat, err := conn.Get("/mesos/" + name)
		require.NoError(t, err)
		require.NotZero(t, stat.EphemeralOwner)
		acl, _, err := conn.GetACL("/mesos/" + name)
		require.NoError(t, err)
		require.Equal(t, zk.WorldACL(zk.PermAll), acl)
		n := parse(t, string(data))
		port := n.at("address")["port"]
		require.Equal(t, masters[i].URL, fmt.Sprintf("http://%s:%v", n.text("address", "ip"), port), "the lowest number is the oldest master")
		require.Equal(t, []any{n.text("hostname"), port, fmt.Sprintf("master@%s:%v", n.text("address", "ip"), port)}, []any{n.text("address", "hostname"), n["port"], n["pid"]})
		require.InDelta(t, 16777343, n["ip"], 0, "127.0.0.1, little-endian")
		require.Equal(t, "QUOTA_V2", n.list("capabilities")[2]["type"])
		require.NotEmpty(t, n["id"])
	}
	replicas, _, err := conn.Children("/mesos/log_replicas")
	require.NoError(t, err)
	require.Len(t, replicas, len(masters))
	slices.Sort(replicas)
	require.Regexp(t, `^[0-9]{10}$`, replicas[0])
	data, stat, err := conn.Get("/mesos/log_replicas/" + replicas[0])
	require.NoError(t, err)
	require.Equal(t, "log-replica(1)@"+address(masters[0]), string(data))
	_, leading, err := conn.Get("/mesos/" + names[0])
	require.NoError(t, err)
	require.NotEqual(t, leading.EphemeralOwner, stat.EphemeralOwner, "two sessions per master")
}

func standby(t *testing.T, leader, other *Process) {
	port := leader.URL[strings.LastIndex(leader.URL, ":"):]
	for _, path := range []string{"/state", "/master/state", "/slaves", "/frameworks", "/tasks", "/roles", "/state-summary", "/quota", "/weights", "/maintenance/status", "/state?x=1"} {
		r := get(t, other.URL+path)
		require.Equal(t, http.StatusTemporaryRedirect, r.status, path)
		require.Equal(t, "//127.0.0.1"+port+"/master/"+strings.TrimPrefix(strings.TrimPrefix(path, "/master"), "/"), r.header.Get("Location"))
		require.Empty(t, r.body)
	}
	for path, body := range map[string]string{
		"/api/v1": `{"type":"GET_HEALTH"}`, "/api/v1/scheduler": subscribeBody(t, frameworkInfo("x", nil)), "/teardown": "frameworkId=x",
	} {
		r := ask(t, http.MethodPost, other.URL+path, jsonHeaders(), body)
		require.Equal(t, http.StatusTemporaryRedirect, r.status, path)
		require.Equal(t, "//127.0.0.1"+port+"/master"+path, r.header.Get("Location"))
	}
	require.Equal(t, "//127.0.0.1"+port, get(t, other.URL+"/redirect").header.Get("Location"))
	for _, path := range []string{"/health", "/version", "/flags", "/metrics/snapshot", "/", "/registrar(1)/registry"} {
		require.Equal(t, http.StatusOK, get(t, other.URL+path).status, path)
	}
	require.JSONEq(t, `{}`, get(t, other.URL+"/registrar(1)/registry").body)
	require.Equal(t, http.StatusNotFound, get(t, other.URL+"/nosuchpath").status)
	metrics := fetch(t, other.URL+"/metrics/snapshot")
	require.InDelta(t, 0, metrics["master/elected"], 0)
	require.InDelta(t, 1, metrics["registrar/log/recovered"], 0, "true of a standby too")
}

// leaderDies kills the leader: the other one leads after the session's time-out, agent, framework and task come back.
func leaderDies(t *testing.T, launcher Launcher, place string, leader, other *Process) {
	launcher.StartAgent(t, "--master="+place, "--resources=cpus:2;mem:1024;disk:1024;ports:[31000-31099]")
	AgentsActive(t, leader.URL, 1)
	agent := fetch(t, leader.URL+"/slaves").list("slaves")[0].text("id")
	description := frameworkInfo("survivor", info{"failover_timeout": 600.0})
	f := subscribe(t, leader.URL, description)
	f.run("survivor", "sleep 1000")
	leader.Kill()
	awaitClosed(t, f.events)
	require.Equal(t, http.StatusTemporaryRedirect, get(t, other.URL+"/state").status, "the dead leader's node still lives")
	Ready(t, other.URL)
	AgentsActive(t, other.URL, 1)
	require.Equal(t, agent, fetch(t, other.URL+"/slaves").list("slaves")[0].text("id"), "agents keep their ids")
	one, list := shown(t, other.URL, f.id)
	require.Equal(t, "frameworks", list)
	require.Equal(t, []any{true, false, false}, []any{one["recovered"], one["active"], one["connected"]})

	description["id"] = info{"value": f.id}
	again := subscribe(t, other.URL, description)
	require.Equal(t, f.id, again.id)
	again.call("RECONCILE", info{"tasks": []info{}})
	again.awaitState("survivor", "TASK_RUNNING")
	one, _ = shown(t, other.URL, f.id)
	require.Equal(t, []any{false, true}, []any{one["recovered"], one["active"]})
	offer := again.awaitOffer(0.1)
	require.True(t, strings.HasPrefix(offer.text("id", "value"), fetch(t, other.URL+"/state").text("id")), "offers carry the new master's id")
	again.call("KILL", info{"task_id": info{"value": "survivor"}})
	again.awaitState("survivor", "TASK_KILLED")
}

// keeperLost freezes ZooKeeper: the leader ends itself, a standby waits and leads once ZooKeeper is back.
func keeperLost(t *testing.T, keeper *testkit.ZooKeeper, standby, leader *Process) {
	standby.Start()
	awaitStandby(t, standby.URL)
	keeper.Signal(syscall.SIGSTOP)
	defer keeper.Signal(syscall.SIGCONT)
	require.Equal(t, 1, leader.WaitExit(patience))
	require.Contains(t, leader.Output(), "committing suicide!")
	testkit.Eventually(t, patience, "the standby knows no leader", func(context.Context) bool {
		r := get(t, standby.URL+"/state")
		return r.status == http.StatusServiceUnavailable && r.body == "No leader elected"
	})
	require.Equal(t, "No leader elected", get(t, standby.URL+"/redirect").body)
	require.Equal(t, "No leader elected", v1(t, standby.URL, `{"type":"GET_HEALTH"}`).body)
	keeper.Signal(syscall.SIGCONT)
	Ready(t, standby.URL)
}
