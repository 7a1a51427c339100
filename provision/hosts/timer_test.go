package hosts

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/host/hostfake"
)

func TestATimerIsSetChangedAndTakenAway(t *testing.T) {
	m := hostfake.New("a1", "10.0.0.2")
	state := "ActiveState=inactive\nUnitFileState=\n"
	m.On("systemctl", func(argv []string) (host.Output, error) { return hostfake.Said(state) })
	m.On("sh jomctl-timer", func(argv []string) (host.Output, error) {
		switch {
		case argv[len(argv)-1] == "yes":
			state = "ActiveState=active\nUnitFileState=enabled\n"
		case strings.Contains(argv[2], "disable"):
			state = "ActiveState=inactive\nUnitFileState=\n"
		}
		return hostfake.Said("")
	})
	keeper := NewKeeper("ci", "id", "test")
	timer := Timer{Host: m, Name: "backup", Description: "Backup", Argv: []string{"/var/lib/jomctl/bin/jomhome", "backup", "/var/lib/jomctl/backup/backup.json"}, OnCalendar: "*-*-* 02:30:00"}
	apply := func() {
		t.Helper()
		item := NewTimer(timer, keeper)
		done, changes, err := item.Probe(t.Context())
		require.NoError(t, err)
		require.False(t, done)
		require.NotEmpty(t, changes)
		_, err = item.Apply(t.Context())
		require.NoError(t, err)
		done, changes, err = item.Probe(t.Context())
		require.NoError(t, err)
		require.True(t, done, changes)
	}
	apply()
	require.Contains(t, m.Text("/etc/systemd/system/jomctl-backup.timer"), "OnCalendar=*-*-* 02:30:00\nPersistent=true\n")
	require.Contains(t, m.Text("/etc/systemd/system/jomctl-backup.service"), "ExecStart=/var/lib/jomctl/bin/jomhome backup /var/lib/jomctl/backup/backup.json\n")
	timer.OnCalendar = "hourly"
	apply()
	state = "ActiveState=inactive\nUnitFileState=enabled\n" // stopped by hand
	apply()
	record, err := keeper.Read(t.Context(), m)
	require.NoError(t, err)
	require.Contains(t, record.Files, "/etc/systemd/system/jomctl-backup.timer")
	timer.OnCalendar = ""
	apply()
	record, err = keeper.Read(t.Context(), m)
	require.NoError(t, err)
	require.NotContains(t, record.Files, "/etc/systemd/system/jomctl-backup.timer")
	require.Contains(t, record.Files, "/etc/systemd/system/jomctl-backup.service")
	require.NoError(t, RemoveTimer(t.Context(), m, keeper, "backup"))
	record, err = keeper.Read(t.Context(), m)
	require.NoError(t, err)
	require.NotContains(t, record.Files, "/etc/systemd/system/jomctl-backup.service")
	require.Contains(t, strings.Join(m.Ran(), "\n"), "jomctl-backup.service")
}
