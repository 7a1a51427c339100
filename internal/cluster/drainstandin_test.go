package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

// TestDrainOnTheStandIns drains the only agent under a task of Marathon, which takes the part of a build agent.
func TestDrainOnTheStandIns(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and starts the stand-ins")
	}
	s := startStandIns(t)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	mesos := Mesos{Masters: []string{s.master}}
	marathon := Marathon{URLs: []string{s.marathon}, Mesos: &mesos, Tick: 100 * time.Millisecond}
	testkit.Eventually(t, time.Minute, "the agent is registered and Marathon leads", func(ctx context.Context) bool {
		state, err := mesos.State(ctx)
		return err == nil && len(state.Agents) == 1 && marathon.Ping(ctx) == nil
	})
	deployed, err := marathon.Deploy(ctx, []byte(`{"id":"/build","cmd":"exec sleep 1000","cpus":0.1,"mem":32}`))
	require.NoError(t, err)
	_, err = marathon.WaitDeployed(ctx, "/build", deployed.Version, nil)
	require.NoError(t, err)
	state, err := mesos.State(ctx)
	require.NoError(t, err)
	id := state.Agents[0].ID
	require.Len(t, state.LoadOf(id, Owners{App: "/build"}).Controller, 1, "a task of the app is known by its id")

	d := Drain{Mesos: mesos, AgentID: id, Owners: Owners{Builds: []string{"marathon"}}, Tick: 50 * time.Millisecond}
	method, err := d.Begin(ctx)
	require.NoError(t, err)
	require.Equal(t, DrainDeactivate, method)
	said := ""
	load, err := d.Wait(ctx, func(text string) {
		said = text
		require.NoError(t, marathon.Delete(ctx, "/build"))
	})
	require.NoError(t, err)
	require.Contains(t, said, "waiting for 1 build agent on 127.0.0.1 to end")
	require.Empty(t, load.BuildAgents)

	held, err := marathon.Deploy(ctx, []byte(`{"id":"/later","cmd":"exec sleep 1000","cpus":0.1,"mem":32}`))
	require.NoError(t, err)
	waiting, err := marathon.Waiting(ctx, "/later")
	require.NoError(t, err)
	require.NotEmpty(t, waiting)
	require.NoError(t, d.Undo(ctx, nil))
	_, err = marathon.WaitDeployed(ctx, "/later", held.Version, nil)
	require.NoError(t, err, "the agent is offered again")
	require.NoError(t, marathon.Delete(ctx, "/later"))

	state, err = mesos.State(ctx)
	require.NoError(t, err)
	machine := state.Agents[0].Machine()
	require.NoError(t, mesos.Schedule(ctx, Window{Machines: []MachineID{{"other", "10.9.9.9"}}, Start: time.Now()}))
	require.NoError(t, mesos.Schedule(ctx, Window{Machines: []MachineID{machine}, Start: time.Now(), Duration: time.Hour}))
	windows, err := mesos.Windows(ctx)
	require.NoError(t, err)
	require.Len(t, windows, 2)
	require.NoError(t, mesos.MachinesDown(ctx, machine))
	require.Error(t, mesos.Unschedule(ctx, machine), "a machine that is down stays in the schedule")
	require.NoError(t, mesos.MachinesUp(ctx, machine))
	windows, err = mesos.Windows(ctx)
	require.NoError(t, err)
	require.Equal(t, []MachineID{{"other", "10.9.9.9"}}, windows[0].Machines)
	require.Len(t, windows, 1)
}
