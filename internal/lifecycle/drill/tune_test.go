package drill

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
)

func TestTimesAreChosenFromMeasuredStarts(t *testing.T) {
	started := func(seconds float64) Result {
		return Result{Name: "controller-killed", Recovered: true, Recovery: Recovery{Seconds: seconds, Boot: seconds}}
	}
	_, _, err := Tune(Starts([]Result{started(5), started(6)}), config.DefaultTuning())
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Fix, "--repeat 1")

	quick, advice, err := Tune(Starts([]Result{started(5), started(6), started(7), {Name: "edge-killed", Recovered: true}}), config.DefaultTuning())
	require.NoError(t, err)
	defaults := config.DefaultTuning()
	defaults.ZooKeeperSession = quick.ZooKeeperSession
	require.Equal(t, defaults, quick, "for a quick start the defaults are right")
	require.Len(t, advice, 5)
	for _, one := range advice {
		require.NotEmpty(t, one.TradeOff)
	}

	slow, _, err := Tune(Starts([]Result{started(80), started(90), started(100)}), config.DefaultTuning())
	require.NoError(t, err)
	require.Equal(t, config.Duration(15*time.Second), slow.AgentPing)
	require.Equal(t, config.Duration(90*time.Second), slow.MaxBackoff)
	again, _, err := Tune(Starts([]Result{started(80), started(90), started(100)}), slow)
	require.NoError(t, err)
	require.Equal(t, slow, again, "a second time there is nothing to change")
}
