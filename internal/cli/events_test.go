package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/ui"
)

// eventsOf reads the lines of a run: the events, and the last line.
func eventsOf(t *testing.T, out string) (events []event, last lastLine) {
	t.Helper()
	for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); {
		var one event
		require.Empty(t, last.State, "something follows the last line")
		require.NoError(t, json.Unmarshal(lines.Bytes(), &one), lines.Text())
		require.False(t, one.Time.IsZero())
		if one.State == "ended" {
			require.NoError(t, json.Unmarshal(lines.Bytes(), &last))
			continue
		}
		events = append(events, one)
	}
	require.Equal(t, "ended", last.State, out)
	return events, last
}

func newEventBench(t *testing.T) *bench {
	b := newBench(t)
	b.lines = true
	return b
}

func TestARunIsLinesOfJSON(t *testing.T) {
	b := newEventBench(t)
	until := time.Now().Add(time.Hour)
	bound := false
	b.deadline = func() *time.Time {
		if !bound {
			return nil
		}
		return &until
	}
	b.at = func(_ context.Context, id string, say op.Say) error {
		say("it is at %s", id)
		bound = true
		return nil
	}
	b.answer = func(context.Context, op.Result) (string, map[string]any, error) {
		return "not for machines", map[string]any{"made": 3}, nil
	}
	out, errOut := b.ok("build", "--yes", "-o", "json")
	events, last := eventsOf(t, out)
	require.Len(t, events, 9)
	require.Equal(t, "first one started", events[0].Stage+" "+events[0].Step+" "+events[0].State)
	require.Nil(t, events[0].Left, "the window is not known yet")
	require.Equal(t, "said", events[1].State)
	require.Equal(t, "it is at one", events[1].Text)
	require.Equal(t, "done", events[2].State)
	require.Equal(t, "make one", events[2].Title)
	require.InDelta(t, 3600, *events[2].Left, 600)
	require.Equal(t, "then", events[8].Stage)
	require.Zero(t, last.ExitCode)
	require.Nil(t, last.Error)
	require.EqualValues(t, 3, last.Result["made"])
	require.Len(t, last.Result["steps"], 3)
	require.Contains(t, errOut, "first (0.")
	require.Contains(t, errOut, "until the reserve of the window")

	out, _ = b.ok("build", "--yes", "-o", "json")
	events, last = eventsOf(t, out)
	require.Empty(t, events, "nothing was to do")
	require.EqualValues(t, 3, last.Result["made"])
	out, _ = b.ok("build", "--plan", "-o", "json")
	require.Contains(t, decode(t, out), "stages", "a preview is one object")
}

func TestARunThatFailsIsLinesToo(t *testing.T) {
	b := newEventBench(t)
	b.fails("two")
	code, out, _ := b.run("build", "--yes", "-o", "json")
	require.Equal(t, 1, code)
	events, last := eventsOf(t, out)
	require.Equal(t, "failed", events[len(events)-1].State)
	require.Contains(t, events[len(events)-1].Text, "two fell over")
	require.Equal(t, 1, last.ExitCode)
	require.Contains(t, last.Error.Message, "two fell over")
	require.Equal(t, "failed", last.Result["outcome"])

	b.at = nil
	out, _ = b.ok("resume", "--yes", "-o", "json")
	events, last = eventsOf(t, out)
	require.Equal(t, "two", events[len(events)-3].Step[:3])
	require.Zero(t, last.ExitCode)

	b.back = func(error) bool { return true }
	b.deadline = func() *time.Time { past := time.Now().Add(-time.Minute); return &past }
	require.NoError(t, errors.Join(os.Remove(b.path("two")), os.Remove(b.path("three"))))
	b.fails("three")
	code, out, errOut := b.run("build", "--yes", "-o", "json")
	require.Equal(t, 7, code)
	events, last = eventsOf(t, out)
	require.Equal(t, "rolled-back", events[len(events)-1].State)
	require.Negative(t, *events[len(events)-1].Left)
	require.Equal(t, 7, last.ExitCode)
	require.Equal(t, "rolled-back", last.Result["outcome"])
	require.Contains(t, errOut, "in the reserve of the window")
}

func TestARefusalIsALine(t *testing.T) {
	b := newEventBench(t)
	held, _, err := op.AcquireLock(t.Context(), b.path(".jomctl"), op.CurrentOwner("other", "other"), op.LockOptions{})
	require.NoError(t, err)
	defer held.Release()
	code, out, _ := b.run("build", "--yes", "-o", "json")
	require.Equal(t, 5, code)
	events, last := eventsOf(t, out)
	require.Empty(t, events)
	require.Equal(t, 5, last.ExitCode)
	require.NotEmpty(t, last.Error.Message)
}

type goneReader struct{ io.Writer }

func (goneReader) Write([]byte) (int, error) { return 0, errors.New("nobody reads") }

func TestALineThatNobodyReadsDoesNotEndTheRun(t *testing.T) {
	b := newEventBench(t)
	streams, _, _, said := ui.Buffers()
	streams.Out = goneReader{}
	require.Zero(t, execute(t.Context(), []string{"-f", b.path("cluster.yaml"), "build", "--yes", "-o", "json"}, streams, b.commands))
	require.Equal(t, []string{"one", "two", "three"}, b.made())
	require.Contains(t, said.String(), "nobody reads")
}
