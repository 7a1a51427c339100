package lifecycle

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/lifecycletest"
	"github.com/jomctl/jomctl/internal/op"
)

func TestAHostIsNotTakenFromUnderTheController(t *testing.T) {
	env, _ := twoAgents(t)
	a1, _ := env.Cluster.Host("a1")
	a2, _ := env.Cluster.Host("a2")
	state, err := env.Mesos.State(t.Context())
	require.NoError(t, err)
	require.NoError(t, env.controllerStays(state, []config.Host{a2}, DrainOptions{}))
	var refused *Refusal
	require.ErrorAs(t, env.controllerStays(state, []config.Host{a2, a1}, DrainOptions{}), &refused)
	require.Equal(t, "the controller runs on a1", refused.Problem)
	require.Contains(t, refused.Fix, "--move-controller")
	require.NoError(t, env.controllerStays(state, []config.Host{a1}, DrainOptions{MoveController: true}))
}

func TestARemovalDrainsTheLivingBeforeItGivesUpTheDead(t *testing.T) {
	env, master := twoAgents(t)
	a1, _ := env.Cluster.Host("a1")
	a2, _ := env.Cluster.Host("a2")
	order := func(stages []op.Stage) (ids [][]string) {
		for _, stage := range stages {
			var in []string
			for _, step := range stage.Steps {
				in = append(in, step.ID)
			}
			ids = append(ids, in)
		}
		return ids
	}
	living, dead := []config.Host{a1}, []config.Host{a2}
	opts := RemoveOptions{Drain: DrainOptions{Timeout: time.Minute, MoveController: true}}
	require.Equal(t, [][]string{{"drain-a1"}, {"move-controller-a1"}, {"gone-a2"}}, order(env.removeStages(living, dead, opts)))
	require.Equal(t, [][]string{{"gone-a2"}}, order(env.removeStages(nil, dead, RemoveOptions{})), "nobody waits for the builds of a dead host")
	require.Empty(t, master.called(), "a plan does nothing")

	env, err := lookHosts(lifecycletest.Written(t, lifecycletest.OwnHosts), inventory.Access{})
	require.NoError(t, err)
	require.Equal(t, [][]string{{"drain-a1"}, {"gone-a2"}, {"host-a1"}}, order(env.removeStages(living, dead, RemoveOptions{})), "what is on a dead host cannot be taken from it")
}

// TestADeadHostThatMesosHasForgottenNeedsNothing also finds an agent that a new leader has heard of and not seen yet.
func TestADeadHostThatMesosHasForgottenNeedsNothing(t *testing.T) {
	env, master := twoAgents(t)
	a2, _ := env.Cluster.Host("a2")
	step := env.goneStep(a2)
	state := func() op.State {
		found, err := step.Probe(t.Context())
		require.NoError(t, err)
		return found
	}
	require.Equal(t, op.Needed, state())
	master.change(func() { delete(master.agents, "S2") })
	require.Equal(t, op.Done, state())
	master.change(func() { master.agents["S3"] = &fakeAgent{address: a2.Address, recovered: true} })
	require.Equal(t, op.Needed, state(), "it would be let in again")
	require.Contains(t, step.Changes(t.Context())[0], "S3 as gone")
	require.NoError(t, step.Do(t.Context(), lifecycletest.Quiet))
	require.Equal(t, []string{"MARK_AGENT_GONE S3"}, master.called())
	require.Equal(t, op.Done, state())
}
