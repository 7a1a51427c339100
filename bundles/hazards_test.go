package bundles

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles/version"
)

func TestHazardsOfTheLinesInBetween(t *testing.T) {
	since := func(from, to string) (all []string) {
		met, err := HazardsBetween(from, to)
		require.NoError(t, err)
		for _, one := range met {
			all = append(all, one.Since)
		}
		return all
	}
	require.Equal(t, []string{"2.568.1"}, since("2.555.3", "2.568.3"))
	require.Equal(t, []string{"2.479.1", "2.492.1", "2.504.1"}, since("2.462.3", "2.504.3"))
	require.Equal(t, []string{"2.176.2"}, since("2.176.1", "2.176.4"))
	require.Empty(t, since("2.568.1", "2.568.3"))
	require.Empty(t, since("2.568.3", "2.555.3"), "on the way back there is nothing new")

	all, err := HazardsBetween("1.0", "3.0")
	require.NoError(t, err)
	for i, one := range all {
		require.NotEmpty(t, one.Java, one.Since)
		require.NotEmpty(t, one.What, one.Since)
		require.Regexp(t, `^https://www\.jenkins\.io/doc/upgrade-guide/2\.\d+/$`, one.Source)
		require.True(t, i == 0 || version.Older(all[i-1].Since, one.Since), "%s is out of order", one.Since)
	}
}
