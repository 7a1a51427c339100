package status

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTroublesOfTheHomeAndItsBackupsAreFindings(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	day := (24 * time.Hour).Seconds()
	for name, test := range map[string]struct {
		home   *Home
		backup *Backup
		want   []string
	}{
		"none is kept":            {},
		"all is well":             {&Home{Epoch: 3, LastPush: now, Unpushed: now.Add(-time.Minute)}, &Backup{Period: day, Good: now.Add(-30 * time.Hour), Last: now}, nil},
		"the history has stopped": {&Home{Problem: "another controller owns the history", Unpushed: now.Add(-3 * time.Hour)}, nil, []string{"another controller owns", "changes of 3 h ago"}},
		"none yet":                {nil, &Backup{Period: day}, []string{"no backup of the home counts yet"}},
		"failed":                  {nil, &Backup{Period: day, Good: now.Add(-25 * time.Hour), Last: now.Add(-10 * time.Minute), Failed: "full", Failures: 2, Host: "a1"}, []string{"10 min ago, failed: full (2 in a row)"}},
		"too old":                 {nil, &Backup{Period: day, Good: now.Add(-72 * time.Hour), Last: now.Add(-72 * time.Hour)}, []string{"counts is 3 days old"}},
		"without a schedule":      {nil, &Backup{Good: now.Add(-2000 * time.Hour), Last: now}, nil},
		"not to be asked":         {nil, &Backup{Period: day, Error: "a1 is away"}, []string{"a1 is away"}},
	} {
		r := &Report{Checked: now, Controller: Controller{Home: test.home}, Backup: test.backup}
		found := append(home(r), backups(r)...)
		require.Len(t, found, len(test.want), "%s: %v", name, found)
		for i, want := range test.want {
			require.Contains(t, found[i].Problem, want, name)
			require.NotEmpty(t, found[i].Fix, name)
			require.Equal(t, Warning, found[i].Severity, name)
		}
	}
	require.Equal(t, "59 s", rounded(59*time.Second))
}
