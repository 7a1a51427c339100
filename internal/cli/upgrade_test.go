package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/lifecycle/upgrade"
	"github.com/jomctl/jomctl/internal/op"
)

func TestUpgradeARunThatIsTakenBack(t *testing.T) {
	b := newBench(t)
	b.back = func(error) bool { return true }
	b.fails("two")
	code, _, err := b.run("build", "--yes")
	require.Equal(t, 7, code, err)
	require.Contains(t, err, "two fell over")
	require.Empty(t, b.made())
	out, _ := b.ok("resume", "--yes")
	require.Empty(t, out, "nothing is left to resume")
}

func TestUpgradeAnInterruptIsTakenBackAllTheSame(t *testing.T) {
	b := newBench(t)
	b.back = func(err error) bool { return errors.Is(err, op.ErrStopped) }
	ctx, cancel := context.WithCancel(context.Background())
	b.at = func(ctx context.Context, id string, _ op.Say) error {
		if id == "two" {
			cancel()
		}
		return ctx.Err()
	}
	code, _, err := b.runContext(ctx, "build", "--yes")
	require.Equal(t, 7, code, err)
	require.Empty(t, b.made())
}

func TestUpgradeAWayBackThatFails(t *testing.T) {
	b := newBench(t)
	b.back = func(error) bool { return true }
	b.at = func(_ context.Context, id string, _ op.Say) error {
		if id == "two" || id == "undo one" {
			return fmt.Errorf("%s fell over", id)
		}
		return nil
	}
	code, _, err := b.run("build", "--yes")
	require.Equal(t, 1, code, err)
	require.Contains(t, err, "undo one fell over")
	require.Contains(t, err, "go on with `jomctl rollback`")
	b.at = nil
	code, _, _ = b.run("rollback", "--yes")
	require.Equal(t, 7, code)
	require.Empty(t, b.made())
}

func TestUpgradeResumeGoesByTheNewestOptions(t *testing.T) {
	b := newBench(t)
	b.fails("two")
	for _, with := range []string{"old", "new"} {
		code, _, _ := b.run("build", "--with="+with, "--yes")
		require.Equal(t, 1, code)
	}
	b.at = nil
	b.ok("resume", "--yes")
	require.Equal(t, []string{"[old]", "[new]", "[new]"}, b.seen)
}

func TestUpgradeHalfWayKeepsOtherChangesAway(t *testing.T) {
	b := newBench(t)
	store, err := upgrade.Open(b.path(".jomctl", "upgrade"))
	require.NoError(t, err)
	store.Begin(upgrade.State{Run: "r", From: upgrade.Version{Release: "previous"}, To: upgrade.Version{Release: "default"}})
	require.NoError(t, store.Save())
	b.ok("build", "--yes")
	store.State.Begun["announce"] = time.Now()
	require.NoError(t, store.Save())
	code, _, text := b.run("build", "--yes")
	require.Equal(t, 3, code)
	require.Contains(t, text, "an upgrade from previous to default is half-way")
	require.Contains(t, text, "`jomctl rollback`")
	out, _ := b.ok("releases")
	require.Contains(t, out, "unfinished")
}

func TestUpgradeOptionsThatContradict(t *testing.T) {
	b := newBench(t)
	for _, args := range [][]string{{"--now", "--wait"}, {"--now", "--window=night"}, {"--on-timeout=kill"}, {"--canary-timeout=0s"}} {
		code, _, err := b.run(append([]string{"upgrade-jenkins", "--release=default"}, args...)...)
		require.Equal(t, 2, code, err)
	}
	code, _, err := b.run("upgrade-jenkins", "--release=default", "--yes")
	require.Equal(t, 3, code)
	require.Contains(t, err, "nothing is installed")
	out, _ := b.ok("releases")
	require.Contains(t, out, "No upgrade yet")
}
