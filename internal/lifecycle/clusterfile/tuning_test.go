package clusterfile

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/op"
)

func TestTheTimesAreWrittenIntoTheFileAndTheRestStays(t *testing.T) {
	const head = "# mine\napiVersion: jomctl/v1\nname: ci # me\ntarget: local\n"
	wanted := config.DefaultTuning()
	wanted.AgentPing, wanted.AgentPings = config.Duration(4*time.Second), 5
	for name, c := range map[string]struct{ file, want string }{
		"no section": {head, head + "tuning: {agentPing: 4s, agentPings: 5}\n"},
		"one line":   {head + "tuning: {agentPing: 9s}\nrelease: default\n", head + "tuning: {agentPing: 4s, agentPings: 5}\nrelease: default\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cluster.yaml")
			require.NoError(t, os.WriteFile(path, []byte(c.file), 0o600))
			cluster, err := config.Load(path)
			require.NoError(t, err)
			change, err := Tune(cluster, wanted)
			require.NoError(t, err)
			require.Equal(t, c.want, string(change.text))
			require.Equal(t, wanted, change.Cluster.Tuned())
			require.NotEmpty(t, change.Changed)
		})
	}
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	require.NoError(t, os.WriteFile(path, []byte(head+"tuning:\n  agentPing: 9s\n"), 0o600))
	cluster, err := config.Load(path)
	require.NoError(t, err)
	_, err = Tune(cluster, wanted)
	var refusal *op.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, refusal.Fix, "agentPings: 5")
}
