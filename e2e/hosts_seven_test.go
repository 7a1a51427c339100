package e2e

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/e2e/lab"
	"github.com/jomctl/jomctl/internal/testkit"
)

// TestHostsSevenSurviveTheLossOfTheLeader is the size that docs recommend: three control hosts and four Mesos agents. It takes the memory of
// seven machines, so it runs only with JOMCTL_TEST_SEVEN=1.
func TestHostsSevenSurviveTheLossOfTheLeader(t *testing.T) {
	needsLab(t)
	if os.Getenv("JOMCTL_TEST_SEVEN") != "1" {
		t.Skip("seven hosts need JOMCTL_TEST_SEVEN=1")
	}
	b := newLabBenchOf(t, lab.Control("m1"), lab.Control("m2"), lab.Control("m3"), lab.Agent("a1"), lab.Agent("a2"), lab.Agent("a3"), lab.Agent("a4"))
	b.file("mesos")
	began := time.Now()
	require.Contains(t, b.install().ok().out, "Proof passed")
	t.Logf("installed and proven after %s", time.Since(began).Round(time.Second))
	before := b.ready(2 * time.Minute)
	require.Len(t, before.Hosts, 7)
	require.Len(t, before.Mesos.Agents, 4)

	leader := ""
	for _, h := range b.lab.Hosts {
		if strings.HasPrefix(before.Mesos.Leader, h.Address+":") {
			leader = h.Name
		}
	}
	require.NotEmpty(t, leader, before.Mesos.Leader)
	began = time.Now()
	b.lab.PowerOff(leader)
	testkit.Eventually(t, 3*time.Minute, "another control host leads", func(context.Context) bool {
		s := b.status()
		return s.Mesos.Leader != "" && s.Mesos.Leader != before.Mesos.Leader && s.Marathon.Leader != "" && len(s.Mesos.Agents) == 4
	})
	t.Logf("%s was without power, another led after %s", leader, time.Since(began).Round(time.Second))
	s := b.status()
	require.True(t, s.about("host "+leader+" "), "%+v", s.Findings)
	for _, h := range b.lab.Hosts {
		require.Equal(t, h.Name == leader, s.about("host "+h.Name+" "), "a host that lives is not blamed: %+v", s.Findings)
	}
	require.Equal(t, before.Controller.Task, s.Controller.Task, "the controller was left alone")

	b.lab.PowerOn(leader)
	after := b.ready(4 * time.Minute)
	require.Equal(t, before.Controller.Task, after.Controller.Task)
	b.run("prove", "--yes", "--sleep", "1s").ok()
	require.Contains(t, b.install().ok().errOut, "nothing to do")
	b.run("destroy", "--yes", "--home", "/var/lib/jomctl/jenkins_home").ok()
	b.untouched()
}
