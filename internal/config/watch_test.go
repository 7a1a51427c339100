package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWatch(t *testing.T) {
	c, err := Parse([]byte(threeLines+"watch: {after: 0s, disk: 80, webhook: env:HOOK}\n"), "c.yaml")
	require.NoError(t, err)
	require.NotNil(t, c.Watch.After, "a time of 0 is said, and not left out")
	require.Zero(t, c.Watch.After.Duration())
	require.Nil(t, c.Watch.ClearAfter)
	require.Equal(t, 80.0, c.Watch.Disk)
	for text, want := range map[string]string{
		"watch: {disk: 3}":                           "watch.disk: 3: must be a percentage",
		"watch: {after: -1s}":                        "watch.after",
		"watch: {reregistered: -1}":                  "watch.reregistered",
		"watch: {command: x, webhook: env:H}":        "must have command or webhook",
		"watch: {webhook: 'https://hook.example/1'}": "watch.webhook: must be env:NAME or file:PATH",
		"watch: {unpushed: 30d}":                     "watch.unpushed",
		"watch: {command: ' '}":                      "watch.command",
	} {
		_, err := Parse([]byte(threeLines+text+"\n"), "c.yaml")
		require.ErrorContains(t, err, want, text)
	}
}
