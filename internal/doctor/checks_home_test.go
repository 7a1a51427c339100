package doctor

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/host/hostfake"
)

func TestATimerOfBackupsThatDoesNotRunOrFailsIsFound(t *testing.T) {
	m := hostfake.New("a1", "10.0.0.2")
	states := "ActiveState=active\nResult=success\n\nActiveState=inactive\nResult=success\n"
	m.On("systemctl", func([]string) (host.Output, error) { return hostfake.Said(states) })
	m.On("journalctl", func([]string) (host.Output, error) { return hostfake.Said("begun\njomhome: the disk is full\n") })
	c := &config.Cluster{Target: config.TargetHosts, Hosts: []config.Host{{Name: "a1", Address: "10.0.0.2", Roles: []config.Role{config.RoleMesosAgent}}}}
	look := func() []Finding {
		t.Helper()
		found, err := checkBackups(t.Context(), &facts{in: Inputs{Cluster: c, Machines: []host.Machine{m}}})
		require.NoError(t, err)
		return found
	}
	require.Empty(t, look(), "nothing is to be backed up")
	c.Backup = &config.Backup{Repository: "/b", Schedule: "02:30"}
	c.Jenkins.Home.Type = config.HomeHost
	require.Empty(t, look())
	states = "ActiveState=inactive\nResult=success\n\nActiveState=failed\nResult=exit-code\n"
	found := look()
	require.Len(t, found, 2)
	require.Contains(t, found[0].Problem, "does not run on a1")
	require.Contains(t, found[1].Problem, "ended with exit-code")
	require.Contains(t, strings.Join(found[1].Evidence, "\n"), "the disk is full")
	c.Backup.Schedule = "off"
	require.Len(t, look(), 1, "what was run by hand")
}
