package cluster

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const foreign = `{"machine_ids":[{"hostname":"other","ip":"10.9.9.9"}],"unavailability":{"start":{"nanoseconds":1000000000}},"unknown":{"kept":true}}`

func TestScheduleKeepsWhatOthersHaveWritten(t *testing.T) {
	f, ctx := newOperator(t), context.Background()
	f.schedule = json.RawMessage(`{"windows":[` + foreign + `,{"machine_ids":[{"hostname":"a","ip":"10.0.0.1"},{"hostname":"b","ip":"10.0.0.2"}],"unavailability":{"start":{"nanoseconds":5},"duration":{"nanoseconds":7}}}]}`)
	m := f.client()
	start := time.Unix(100, 5)
	require.NoError(t, m.Schedule(ctx, Window{Machines: []MachineID{{"a", "10.0.0.1"}}, Start: start, Duration: time.Hour}))
	windows, err := m.Windows(ctx)
	require.NoError(t, err)
	require.Len(t, windows, 3)
	assert.Equal(t, []MachineID{{"other", "10.9.9.9"}}, windows[0].Machines)
	assert.Equal(t, []MachineID{{"b", "10.0.0.2"}}, windows[1].Machines, "a machine is in one window only")
	assert.Equal(t, 7*time.Nanosecond, windows[1].Duration)
	assert.True(t, start.Equal(windows[2].Start))
	assert.Equal(t, time.Hour, windows[2].Duration)
	assert.Contains(t, string(f.schedule), `"unknown":{"kept":true}`)

	require.NoError(t, m.Unschedule(ctx, MachineID{"A", "10.0.0.1"}, MachineID{"b", "10.0.0.2"}))
	windows, err = m.Windows(ctx)
	require.NoError(t, err)
	require.Len(t, windows, 1)
	writes := len(f.calls)
	require.NoError(t, m.Unschedule(ctx, MachineID{"a", "10.0.0.1"}))
	require.Len(t, f.calls, writes, "nothing to change, nothing written")
}

func TestScheduleIsWrittenAnewWhenSomebodyElseUndoesIt(t *testing.T) {
	f, ctx := newOperator(t), context.Background()
	rounds := 0
	f.afterWrite = func() {
		if rounds++; rounds == 1 {
			f.schedule = json.RawMessage(`{"windows":[` + foreign + `]}`)
		}
	}
	require.NoError(t, f.client().Schedule(ctx, Window{Machines: []MachineID{{"a", "10.0.0.1"}}, Start: time.Unix(5, 0)}))
	windows, err := f.client().Windows(ctx)
	require.NoError(t, err)
	require.Len(t, windows, 2, "both entries are there")
	require.Equal(t, 2, rounds)

	f.afterWrite = func() { f.schedule = json.RawMessage(`{"windows":[]}`) }
	require.ErrorIs(t, f.client().Schedule(ctx, Window{Machines: []MachineID{{"c", "10.0.0.3"}}, Start: time.Unix(5, 0)}), ErrChanged)
}

func TestMachinesDownAndUp(t *testing.T) {
	f, ctx := newOperator(t), context.Background()
	require.NoError(t, f.client().MachinesDown(ctx, MachineID{"a", "10.0.0.1"}))
	require.NoError(t, f.client().MachinesUp(ctx, MachineID{"a", "10.0.0.1"}))
	require.Equal(t, []string{"/machine/down[{a 10.0.0.1}]", "/machine/up[{a 10.0.0.1}]"}, f.calls)
}
