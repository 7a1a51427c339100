package lifecycle

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
)

func TestATunedAppHasTheTimesOfTheFileAndKeepsTheRest(t *testing.T) {
	doc := []byte(`{"id":"/ci/jenkins","backoffSeconds":1,"maxLaunchDelaySeconds":10,"healthChecks":[{"intervalSeconds":3,"timeoutSeconds":10,"maxConsecutiveFailures":5}]}`)
	same, err := tuned(doc, nil)
	require.NoError(t, err)
	require.Equal(t, string(doc), string(same))
	got, err := tuned(doc, &config.Tuning{Backoff: config.Duration(4 * time.Second), HealthInterval: config.Duration(2 * time.Second), HealthFailures: 3})
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"/ci/jenkins","backoffSeconds":4,"maxLaunchDelaySeconds":10,"healthChecks":[{"intervalSeconds":2,"timeoutSeconds":10,"maxConsecutiveFailures":3}]}`, string(got))
}
