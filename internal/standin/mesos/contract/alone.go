package contract

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// NoQuorum asserts what a leader without enough masters for its registry answers: health and state as if it were ready,
// and 503 from the v1 API.
func NoQuorum(t *testing.T, launcher Launcher) {
	keeper := testkit.StartZooKeeper(t)
	lonely := launcher.StartMaster(t, "--zk=zk://"+keeper.Addr+"/mesos", "--quorum=2", "--registry_fetch_timeout=2secs")
	testkit.Eventually(t, patience, "it is elected", func(context.Context) bool {
		r, err := tryAsk(http.MethodGet, lonely.URL+"/state", nil, "")
		return err == nil && r.status == http.StatusOK
	})
	require.Equal(t, http.StatusOK, get(t, lonely.URL+"/health").status)
	require.Equal(t, http.StatusOK, get(t, lonely.URL+"/slaves").status)
	for path, body := range map[string]string{"/api/v1": `{"type":"GET_HEALTH"}`, "/api/v1/scheduler": subscribeBody(t, frameworkInfo("x", nil))} {
		r := ask(t, http.MethodPost, lonely.URL+path, jsonHeaders(), body)
		require.Equal(t, http.StatusServiceUnavailable, r.status, path)
		require.Equal(t, "Master has not finished recovery", r.body)
	}
	require.NotZero(t, lonely.WaitExit(patience))
	require.Contains(t, lonely.Output(), "Recovery failed: Failed to recover registrar: Failed to perform fetch within 2secs")
}

// Restart asserts what a single master does when it is started again before its old session has ended, and when
// ZooKeeper is started again with its data: the leader stays.
func Restart(t *testing.T, launcher Launcher) {
	t.Run("ZooKeeper", func(t *testing.T) { keeperRestarts(t, launcher) })
	t.Run("Master", func(t *testing.T) { masterRestarts(t, launcher) })
}

// keeperRestarts has a session as long as ZooKeeper lets it be, as a loaded machine takes many seconds to start ZooKeeper.
func keeperRestarts(t *testing.T, launcher Launcher) {
	keeper := testkit.StartZooKeeper(t)
	place := "zk://" + keeper.Addr + "/mesos"
	master := launcher.StartMaster(t, "--zk="+place, "--quorum=1", "--zk_session_timeout=40secs")
	Ready(t, master.URL)
	leader := fetch(t, master.URL+"/state").text("id")
	keeper.Kill()
	keeper.Start()
	launcher.StartAgent(t, "--master="+place, "--resources=cpus:1;mem:128;disk:128;ports:[31000-31099]")
	AgentsActive(t, master.URL, 1) // the registry takes writes again
	require.Equal(t, leader, fetch(t, master.URL+"/state").text("id"))
}

func masterRestarts(t *testing.T, launcher Launcher) {
	place := "zk://" + testkit.StartZooKeeper(t).Addr + "/mesos"
	master := launcher.StartMaster(t, "--zk="+place, "--quorum=1", "--zk_session_timeout=8secs")
	Ready(t, master.URL)
	leader := fetch(t, master.URL+"/state").text("id")
	launcher.StartAgent(t, "--master="+place, "--resources=cpus:1;mem:128;disk:128;ports:[31000-31099]")
	AgentsActive(t, master.URL, 1)
	agent := fetch(t, master.URL+"/slaves").list("slaves")[0].text("id")

	master.Kill()
	master.Start()
	testkit.Eventually(t, patience, "it is redirected to itself by its own stale node", func(context.Context) bool {
		r, err := tryAsk(http.MethodGet, master.URL+"/state", nil, "")
		return err == nil && r.status == http.StatusTemporaryRedirect && r.header.Get("Location") == "//"+address(master)+"/master/state"
	})
	Ready(t, master.URL)
	require.NotEqual(t, leader, fetch(t, master.URL+"/state").text("id"))
	AgentsActive(t, master.URL, 1)
	require.Equal(t, agent, fetch(t, master.URL+"/slaves").list("slaves")[0].text("id"))
}
