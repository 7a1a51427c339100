package agent

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func portOf(t *testing.T, addr string) uint32 {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	return uint32(port)
}

// quick makes a check that is made at once and every 50 ms.
func quick(check mesos.HealthCheck, grace float64) func(*mesos.TaskInfo) {
	check.DelaySeconds, check.IntervalSeconds, check.TimeoutSeconds, check.GracePeriodSeconds = p(0.0), p(0.05), p(5.0), p(grace)
	check.ConsecutiveFailures = p(uint32(2))
	return func(info *mesos.TaskInfo) { info.HealthCheck = &check }
}

func isHealth(wanted bool) func(*mesos.TaskStatus) bool {
	return func(s *mesos.TaskStatus) bool {
		return s.GetState() == mesos.TASK_RUNNING && s.Healthy != nil && *s.Healthy == wanted
	}
}

func TestHealthChecks(t *testing.T) {
	var sick atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sick.Load() || r.URL.Path != "/login" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	port := portOf(t, at.Host)
	master := newMaster(t)
	agent := startAgent(t, master.addr())
	master.awaitRegister(1)
	t.Run("HTTP asks 127.0.0.1 and kills after the failures", func(t *testing.T) {
		master.run("http", "exec sleep 1000", quick(mesos.HealthCheck{Type: mesos.HealthCheck_HTTP, HTTP: &mesos.HealthCheck_HTTPCheckInfo{Port: port, Path: p("/login")}}, 0))
		healthy := master.awaitThat("http", "is healthy", isHealth(true))
		assert.Equal(t, mesos.REASON_TASK_HEALTH_CHECK_STATUS_UPDATED, healthy.GetReason())
		sick.Store(true)
		master.awaitThat("http", "is unhealthy", isHealth(false))
		last := master.await("http", mesos.TASK_KILLED)
		require.NotNil(t, last.Healthy)
		assert.False(t, *last.Healthy)
		healthyUpdates := 0
		for _, one := range master.updates("http") {
			if isHealth(true)(one) {
				healthyUpdates++
			}
		}
		assert.Equal(t, 1, healthyUpdates, "a result that stays the same is not told again")
	})
	t.Run("COMMAND runs in the sandbox with the task's environment", func(t *testing.T) {
		master.run("command", "touch up; exec sleep 1000", func(info *mesos.TaskInfo) {
			info.Command.Environment = &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "MARK", Value: p("up")}}}
		}, quick(mesos.HealthCheck{Type: mesos.HealthCheck_COMMAND, Command: &mesos.CommandInfo{Value: p(`test -e "$MARK" && test "$PWD" = "$MESOS_SANDBOX"`)}}, 600))
		master.awaitThat("command", "is healthy", isHealth(true))
		require.NoError(t, os.Remove(filepath.Join(agent.sandboxOf("command"), "up")))
		master.await("command", mesos.TASK_KILLED)
	})
	t.Run("TCP", func(t *testing.T) {
		master.run("tcp", "exec sleep 1000", quick(mesos.HealthCheck{Type: mesos.HealthCheck_TCP, TCP: &mesos.HealthCheck_TCPCheckInfo{Port: port}}, 0))
		master.awaitThat("tcp", "is healthy", isHealth(true))
	})
	t.Run("failures in the grace period do not count", func(t *testing.T) {
		master.run("grace", "while [ ! -e tried ]; do sleep 0.05; done; touch up; exec sleep 1000",
			quick(mesos.HealthCheck{Type: mesos.HealthCheck_COMMAND, Command: &mesos.CommandInfo{Value: p("echo x >> tries; [ $(wc -l < tries) -lt 4 ] || touch tried; test -e up")}}, 600))
		master.awaitThat("grace", "is healthy", isHealth(true))
		for _, one := range master.updates("grace") {
			assert.False(t, isHealth(false)(one))
		}
	})
}
