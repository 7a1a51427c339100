package agent

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
	"github.com/jomctl/jomctl/internal/testkit"
)

func TestPingIsAnswered(t *testing.T) {
	master := newMaster(t)
	startAgent(t, master.addr())
	master.awaitRegister(1)
	master.tell(wire.ToAgent{Ping: &wire.Ping{Seq: 7}})
	testkit.Eventually(t, time.Minute, "a pong", func(context.Context) bool {
		master.mu.Lock()
		defer master.mu.Unlock()
		return len(master.from) == 1 && master.from[0].Pong != nil && master.from[0].Pong.Seq == 7
	})
}

func TestSilentMasterIsLeft(t *testing.T) {
	master := newMaster(t)
	master.pingTimeout = 0.2
	startAgent(t, master.addr())
	assert.Equal(t, "M-S0", master.awaitRegister(2).Agent.ID.GetValue())
}

func TestRedirectIsFollowed(t *testing.T) {
	leading, standby := newMaster(t), newMaster(t)
	standby.redirectTo(leading.addr())
	startAgent(t, standby.addr())
	leading.awaitRegister(1)
}

func TestAgentSpeaksFromItsOwnAddress(t *testing.T) {
	from := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case from <- r.RemoteAddr:
		default:
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	startAgentIn(t, t.TempDir(), testkit.FreeAddr(t, "127.0.10.11"), strings.TrimPrefix(server.URL, "http://"))
	assert.True(t, strings.HasPrefix(<-from, "127.0.10.11:"))
}

func TestMasterThatComesLate(t *testing.T) {
	addr := testkit.FreeAddr(t, "127.0.0.1")
	agent := startAgent(t, addr)
	testkit.Eventually(t, time.Minute, "the agent has tried", func(context.Context) bool {
		return strings.Contains(agent.log(), "Master disconnected!")
	})
	master := newMasterAt(t, addr)
	master.awaitRegister(1)
}
