package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/internal/testkit"
)

// node is a lock in a ZooKeeper of the mind.
type node struct{ owner []byte }

func (n *node) Acquire(_ context.Context, owner []byte) (<-chan struct{}, func(), error) {
	if n.owner != nil {
		return nil, nil, &cluster.HeldError{Path: "/jomctl/ci/lock", Owner: n.owner}
	}
	n.owner = owner
	return nil, func() { n.owner = nil }, nil
}

func (n *node) Break(_ context.Context, owner []byte) error {
	if string(owner) != string(n.owner) {
		return errors.New("somebody else's")
	}
	n.owner = nil
	return nil
}

func TestLeaseOfAnotherRunIsALockedError(t *testing.T) {
	other := op.Owner{RunID: "far", Verb: "upgrade", User: "ann", Host: "elsewhere", PID: 4, Started: time.Now()}
	data, err := json.Marshal(other)
	require.NoError(t, err)
	lease := zooKeeperLease{&node{data}}
	_, _, err = lease.Acquire(context.Background(), op.CurrentOwner("r", "build"))
	require.ErrorContains(t, err, `locked by "upgrade" of ann@elsewhere, pid 4`)
	require.ErrorContains(t, err, "ZooKeeper node /jomctl/ci/lock")
	require.Equal(t, 5, exitCode(err))
	require.Contains(t, hintOf(err), "goes by itself")
}

func TestLeaseOfADeadRunOfThisHostIsTakenOver(t *testing.T) {
	gone := exec.Command("true")
	require.NoError(t, gone.Run())
	dead := op.CurrentOwner("dead", "build")
	dead.PID = gone.ProcessState.Pid()
	data, err := json.Marshal(dead)
	require.NoError(t, err)
	n := &node{data}
	_, release, err := zooKeeperLease{n}.Acquire(context.Background(), op.CurrentOwner("r", "build"))
	require.NoError(t, err)
	require.Contains(t, string(n.owner), `"run":"r"`)
	release()
	require.Nil(t, n.owner)
}

func TestLeaseInARealZooKeeper(t *testing.T) {
	z := testkit.StartZooKeeper(t)
	lease := zooKeeperLease{&cluster.Lease{ZooKeeper: cluster.ZooKeeper{Servers: []string{z.Addr}}, Path: cluster.LeasePath("ci")}}
	first := op.CurrentOwner("r1", "build")
	first.Host = "elsewhere"
	lost, release, err := lease.Acquire(t.Context(), first)
	require.NoError(t, err)
	_, _, err = lease.Acquire(t.Context(), op.CurrentOwner("r2", "build"))
	var locked *op.LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, "r1", locked.Owner.RunID)
	select {
	case <-lost:
		t.Fatal("the lease is held")
	default:
	}
	release()
}
