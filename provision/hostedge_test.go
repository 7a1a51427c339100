package provision

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/testkit"
)

func TestTheEdgeOfAMachineReadsItsFileAgainAndGoesOn(t *testing.T) {
	c := ownHosts(t, func(c *config.Cluster) { c.Jenkins.Home = config.Home{Type: config.HomeShared, Path: "/srv/home"} })
	f, fakes := hostFleet(t, c, standins(), machineValues())
	fake := fakes["h1"]
	edge := f.Services(RoleEdge)[0]
	apply(t, edge)
	assert.Equal(t, 1, fake.FakeUnits().Starts(RoleEdge))
	assert.NotContains(t, strings.Join(fake.Ran(), "\n"), "kill")

	more := *c
	more.Hosts = append(more.Hosts[:5:5], config.Host{Name: "h6", Address: "10.0.0.6", Roles: []config.Role{config.RoleMesosAgent}})
	grown, _ := hostFleet(t, &more, standins(), machineValues())
	edge = grown.Services(RoleEdge)[0]
	edge.Host = fake

	fake.Broken = func(operation, what string) error {
		if operation == "run" && strings.HasPrefix(what, "kill") {
			return errors.New("connection lost")
		}
		return nil
	}
	_, err := edge.Apply(t.Context())
	require.ErrorContains(t, err, "connection lost")
	done, changes, err := edge.Probe(t.Context())
	require.NoError(t, err)
	assert.False(t, done, "the file is written, but the program has not read it")
	assert.Equal(t, []string{"let edge read its files again"}, changes)

	fake.Broken = nil
	fake.Ran()
	apply(t, edge)
	assert.Contains(t, fake.Ran(), "kill -USR2 1001")
	assert.Equal(t, 1, fake.FakeUnits().Starts(RoleEdge), "it was not started anew")
	assert.Contains(t, fake.Text("/var/lib/jomctl/edge/haproxy.cfg"), "server h6 10.0.0.6:8080 check backup")
}

func TestTheAgentPortOfTheEdgeIsFree(t *testing.T) {
	c := ownHosts(t)
	assert.Equal(t, 50000, EdgeAgentPort(c))
	f, _ := hostFleet(t, c, standins(), machineValues())
	assert.Contains(t, string(f.Services(RoleEdge)[0].Files[0].Data), "bind 10.0.0.1:50000\n  mode tcp\n")
	assert.Contains(t, string(f.Services(RoleEdge)[0].Files[0].Data), "server h4 10.0.0.4:50000 check port 8080\n")

	c = ownHosts(t, func(c *config.Cluster) { c.Hosts[0].Roles = append(c.Hosts[0].Roles, config.RoleMesosAgent) })
	assert.Equal(t, 50001, EdgeAgentPort(c), "the controller itself has 50000 on h1")
}

// realEdge is the edge of a host of its own on this machine.
func realEdge(t *testing.T, c *config.Cluster, m host.Machine, p Programs) Service {
	t.Helper()
	machines := map[string]host.Machine{}
	for _, h := range c.Hosts {
		machines[h.Name] = m
	}
	f, err := NewHostFleet(c, machines, func(string) Programs { return p }, nil)
	require.NoError(t, err)
	return f.Services(RoleEdge)[0]
}

func TestTheEdgePassesAgentConnectionsOnAndDropsNoneWhenItsFileChanges(t *testing.T) {
	if os.Geteuid() != 0 {
		testkit.Missing(t, "root, as which HAProxy runs on hosts")
	}
	local := newConfig(t, func(c *config.Cluster) { c.Local.Agents = 3 })
	p := installed(t, local)
	if _, err := exec.LookPath("haproxy"); err != nil {
		testkit.Missing(t, "haproxy")
	}
	m := newFleet(t, local, p).Machine("c1")
	c := *local
	c.Target, c.Jenkins.Home = config.TargetHosts, config.Home{Type: config.HomeShared, Path: "/srv/home"}
	c.Hosts = local.Hosts[:3]
	controller := c.Hosts[1]

	echo, err := net.Listen("tcp", hostPort(controller.Address, c.Jenkins.App.AgentPort))
	require.NoError(t, err)
	t.Cleanup(func() { _ = echo.Close() })
	go func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	fake := startFake(t, "one", controller.Address, c.Jenkins.App.HTTPPort,
		func(q *http.Request) bool { return q.URL.Path == "/tcpSlaveAgentListener/" || q.URL.Path == "/login" },
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	fake.up.Store(true)
	startOwner(t, controller.Address)

	edge := realEdge(t, &c, m, p)
	apply(t, edge)
	address := hostPort(c.Hosts[0].Address, EdgeAgentPort(&c))
	var agent net.Conn
	testkit.Eventually(t, 2*time.Minute, "a build agent gets through to the controller", func(context.Context) bool {
		if agent, err = net.DialTimeout("tcp", address, time.Second); err != nil {
			return false
		}
		return says(agent, "hello") || agent.Close() != nil
	})
	t.Cleanup(func() { _ = agent.Close() })
	status, err := m.Units().Status(t.Context(), RoleEdge)
	require.NoError(t, err)

	c.Hosts = local.Hosts
	edge = realEdge(t, &c, m, p)
	apply(t, edge)
	testkit.Eventually(t, 2*time.Minute, "the new file is in force", func(context.Context) bool {
		return strings.Contains(logOf(edge), "a3")
	})
	assert.True(t, says(agent, "still there"), "the connection goes on")
	after, err := m.Units().Status(t.Context(), RoleEdge)
	require.NoError(t, err)
	assert.Equal(t, status.PID, after.PID)
}

func says(conn net.Conn, word string) bool {
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, word); err != nil {
		return false
	}
	answer := make([]byte, len(word))
	_, err := io.ReadFull(conn, answer)
	return err == nil && string(answer) == word
}
