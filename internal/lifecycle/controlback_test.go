package lifecycle

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/lifecycle/clusterfile"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/internal/op"
)

func TestAChangeThatTouchedNoServerIsTakenBack(t *testing.T) {
	before := lifecycletest.Installed(t, strings.ReplaceAll(lifecycletest.ControlHosts(1), "10.0.0.", "127.0.99.")) // where nobody listens
	text, err := os.ReadFile(before.File)
	require.NoError(t, err)
	change, err := clusterfile.AddControl(before, []clusterfile.NewHost{{Name: "m2", Address: "127.0.99.2"}, {Name: "m3", Address: "127.0.99.3"}})
	require.NoError(t, err)
	c := compared(t, before, change)

	journal, err := op.CreateJournal(t.TempDir(), "control add")
	require.NoError(t, err)
	defer journal.Close()
	broken := op.Step{ID: "base-m2", Title: "base", Probe: func(context.Context) (op.State, error) { return op.Needed, nil },
		Do: func(context.Context, op.Say) error { return errors.New("its disk is full") }}
	plan := op.Plan{Verb: "control add", Stages: []op.Stage{{Name: "all", Steps: []op.Step{c.beginStep(), change.Step(), broken}}}}
	_, err = op.Run(t.Context(), plan, op.Options{Journal: journal})
	require.ErrorContains(t, err, "its disk is full")
	now, err := os.ReadFile(before.File)
	require.NoError(t, err)
	require.Contains(t, string(now), "m3")

	require.NoError(t, os.WriteFile(before.File, append(now, "tuning: {agentPing: 9s}\n"...), 0o600))
	_, err = ControlWayBack(change.Cluster, journal.Log().Begun(), inventory.Access{})
	require.ErrorContains(t, err, before.File+" was changed after the change of the control hosts had begun")
	require.NoError(t, os.WriteFile(before.File, append(now, "# and a word\n"...), 0o600))

	back, err := ControlWayBack(change.Cluster, journal.Log().Begun(), inventory.Access{})
	require.NoError(t, err)
	result, err := op.Rollback(t.Context(), back, op.Options{Journal: journal})
	require.NoError(t, err, "a host that cannot be reached is left alone")
	require.Equal(t, 3, result.Count(op.OutcomeRolledBack))
	now, err = os.ReadFile(before.File)
	require.NoError(t, err)
	require.Equal(t, string(text), string(now))
	require.NoFileExists(t, record.ControlChangeFile(before.StateDir()))
	back, err = ControlWayBack(before, []string{"control-change"}, inventory.Access{})
	require.NoError(t, err, "it was cut off at its very end")
	require.Nil(t, back.Stages[0].Steps[0].Undo)
}

func TestAChangeThatTouchedAServerIsNotTakenBack(t *testing.T) {
	before, c := begun(t)
	_, err := ControlWayBack(c.env.Cluster, []string{"control-change", "cluster-file", "base-m2", "programs-m1", "zookeeper-m2"}, inventory.Access{})
	require.ErrorContains(t, err, "it has come to zookeeper-m2")
	var refused *Refusal
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Fix, "jomctl resume")
	require.FileExists(t, record.ControlChangeFile(before.StateDir()))
}

// TestAnUneditedFileOfALocalClusterIsTakenBack has a file that only counts its hosts, and a record that lists them.
func TestAnUneditedFileOfALocalClusterIsTakenBack(t *testing.T) {
	for _, text := range []string{"", "local: {agents: 3} # three\njenkins: {app: {mem: 2GiB}}\ntuning: {agentPing: 9s}\n"} {
		before := lifecycletest.Local(t, text)
		recorded(t, before)
		change, err := clusterfile.AddControl(before, []clusterfile.NewHost{{Name: "c2"}, {Name: "c3"}})
		require.NoError(t, err)
		c := &controlChange{env: environment(t, change.Cluster)}
		require.NoError(t, c.beginStep().Do(t.Context(), lifecycletest.Quiet))
		require.NoError(t, change.Step().Do(t.Context(), lifecycletest.Quiet))
		_, err = ControlWayBack(change.Cluster, []string{"control-change", "cluster-file"}, inventory.Access{})
		require.NoError(t, err)
	}
}
