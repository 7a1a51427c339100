package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	homesync "github.com/jomctl/jomctl/internal/home/sync"
)

func TestTheAgeOfTheOldestUnpushedChangeIsAMetric(t *testing.T) {
	now := time.Unix(1000, 0)
	text := metrics(homesync.Status{Epoch: 3, Unpushed: now.Add(-90 * time.Second), PushError: "git is away", Refused: map[string]string{"a": "b"}}, now)
	for _, line := range []string{"# TYPE jomctl_home_oldest_unpushed_seconds gauge\njomctl_home_oldest_unpushed_seconds 90\n", "jomctl_home_epoch 3\n", "jomctl_home_push_failing 1\n",
		"jomctl_home_refused_files 1\n", "jomctl_home_written_timestamp_seconds 1000\n"} {
		require.Contains(t, text, line)
	}
	require.Contains(t, metrics(homesync.Status{}, now), "jomctl_home_oldest_unpushed_seconds 0\n")
	require.Equal(t, "/s/home.prom", Config{State: "/s"}.MetricsFile())
}
