package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	jenkins "github.com/jomctl/jomctl/internal/standin/jenkins/contract"
	marathon "github.com/jomctl/jomctl/internal/standin/marathon/contract"
	mesos "github.com/jomctl/jomctl/internal/standin/mesos/contract"
	"github.com/jomctl/jomctl/internal/testkit"
	"github.com/jomctl/jomctl/provision"
)

// The suites that the stand-ins are held against, on the real programs. On the stand-ins they run beside each of them.

// real gives the path in the variable, or skips: nobody but the user has the real programs.
func real(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("%s names no real program", variable)
	}
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	return path
}

func TestContractMesos(t *testing.T) {
	c := realCluster(t, "components: {mesos: {source: {path: "+real(t, "JOMCTL_MESOS_BIN")+"}}}\n")
	programs, findings := provision.FindPrograms(t.Context(), c, bin)
	require.Empty(t, findings)
	launcher := mesos.Programs{Master: programs.Mesos.Master, Agent: programs.Mesos.Agent}
	for name, suite := range map[string]func(*testing.T, mesos.Launcher){
		"MasterStartup": mesos.MasterStartup, "AgentLoss": mesos.AgentLoss, "Election": mesos.Election, "NoQuorum": mesos.NoQuorum, "Restart": mesos.Restart,
		"AgentStartup": mesos.AgentStartup, "AgentFaults": mesos.AgentFaults, "Authentication": mesos.Authentication,
	} {
		t.Run(name, func(t *testing.T) { suite(t, launcher) })
	}
	target := mesos.StartCluster(t, launcher)
	t.Run("Master", func(t *testing.T) { mesos.Master(t, target) })
	t.Run("Agent", func(t *testing.T) { mesos.Agent(t, target) })
	t.Run("Scheduler", func(t *testing.T) { mesos.Scheduler(t, target) })
}

func TestContractMarathon(t *testing.T) {
	c := realCluster(t, fmt.Sprintf("components: {mesos: {source: {path: %s}}, marathon: {source: {path: %s}}}\n",
		real(t, "JOMCTL_MESOS_BIN"), real(t, "JOMCTL_MARATHON_BIN")))
	fleet := bringUp(t, c)
	marathonHost := fleet.Services(provision.RoleMarathon)[0].Host
	url := "http://" + net.JoinHostPort(marathonHost.Address(), strconv.Itoa(provision.MarathonPort))
	leads := func(t *testing.T) {
		testkit.Eventually(t, 2*time.Minute, "Marathon leads", func(ctx context.Context) bool {
			info, err := cluster.Marathon{URLs: []string{url}, Patience: time.Millisecond}.Info(ctx)
			return err == nil && info.FrameworkID != ""
		})
	}
	leads(t)
	marathon.Run(t, marathon.Program{URL: url, Patience: 2 * time.Minute, Restart: func(t *testing.T) {
		status, err := marathonHost.Units().Status(t.Context(), provision.RoleMarathon)
		require.NoError(t, err)
		kill(t, status.PID)
		leads(t)
	}})
}

func TestContractJenkins(t *testing.T) {
	war := real(t, "JOMCTL_JENKINS_WAR")
	version, err := provision.WarVersion(war)
	require.NoError(t, err)
	java, found := provision.NewestJava(provision.FindJava(t.Context()), provision.JavaFor(version))
	require.True(t, found, "no Java that Jenkins %s runs on", version)
	jenkins.Run(t, jenkins.War(java.Program(), war))
}

func realCluster(t *testing.T, more string) *config.Cluster {
	t.Helper()
	needs(t)
	b := newBench(t)
	b.write("apiVersion: jomctl/v1\nname: contract\ntarget: local\nlocal: {address: " + b.address + "}\n" + more)
	c, err := config.Load(b.path("cluster.yaml"))
	require.NoError(t, err)
	return c
}

// bringUp starts all services but the edge, which end with the bench.
func bringUp(t *testing.T, c *config.Cluster) *provision.Fleet {
	t.Helper()
	programs, findings := provision.PreflightLocal(t.Context(), c, bin)
	require.Empty(t, findings)
	fleet, err := provision.NewLocalFleet(c, programs)
	require.NoError(t, err)
	for _, service := range fleet.AllServices() {
		if service.Role == provision.RoleEdge {
			continue
		}
		_, err := service.Apply(t.Context())
		require.NoError(t, err)
	}
	return fleet
}
