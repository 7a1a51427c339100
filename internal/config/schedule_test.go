package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSchedulesOfBackups(t *testing.T) {
	for schedule, want := range map[string]struct {
		calendar string
		period   time.Duration
	}{
		"": {}, "off": {}, "hourly": {"hourly", time.Hour}, "02:30": {"*-*-* 02:30:00", 24 * time.Hour}, "sat 23:59": {"Sat *-*-* 23:59:00", 7 * 24 * time.Hour},
	} {
		calendar, period, err := (&Backup{Schedule: schedule}).Calendar()
		require.NoError(t, err, schedule)
		require.Equal(t, want.calendar, calendar, schedule)
		require.Equal(t, want.period, period, schedule)
	}
	for _, schedule := range []string{"daily", "2:30", "24:00", "02:30\n", "funday 02:30", "sat", "02:30 sat", "*-*-* 02:30:00"} {
		_, _, err := (&Backup{Schedule: schedule}).Calendar()
		require.Error(t, err, schedule)
		c := parse(t, threeLines+"backup: {repository: /b}\n")
		c.Backup.Schedule = schedule
		require.ErrorContains(t, Validate(c), "backup.schedule", schedule)
	}
	c := parse(t, "apiVersion: jomctl/v1\nname: ci\ntarget: hosts\nhosts:\n  - {name: m1, address: 10.0.0.1, roles: [control]}\n  - {name: a1, address: 10.0.0.2, roles: [mesos-agent]}\nbackup: {repository: /b}\n")
	require.Equal(t, "02:30", c.Backup.Schedule, "hosts of their own back up by themselves")
	require.Empty(t, parse(t, threeLines+"backup: {repository: /b}\n").Backup.Schedule)
}
