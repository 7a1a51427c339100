package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/op"
)

// nodeLease is the lock in ZooKeeper, as *cluster.Lease keeps it.
type nodeLease interface {
	Acquire(ctx context.Context, owner []byte) (lost <-chan struct{}, release func(), err error)
	Break(ctx context.Context, owner []byte) error
}

var _ nodeLease = (*cluster.Lease)(nil)

// zooKeeperLease makes the lock in ZooKeeper a second lease of a run.
type zooKeeperLease struct{ node nodeLease }

var _ op.Lease = zooKeeperLease{}

// Acquire takes the lease. A run of this host that was killed still has it until its session ends; it is removed, so that
// resuming does not have to wait for that.
func (z zooKeeperLease) Acquire(ctx context.Context, owner op.Owner) (<-chan struct{}, func(), error) {
	data, err := json.Marshal(owner)
	if err != nil {
		return nil, nil, fmt.Errorf("taking the lease: %w", err)
	}
	lost, release, err := z.node.Acquire(ctx, data)
	var held *cluster.HeldError
	if !errors.As(err, &held) {
		return lost, release, err
	}
	var other op.Owner
	if json.Unmarshal(held.Owner, &other) == nil && other.Dead() {
		if err := z.node.Break(ctx, held.Owner); err != nil && !errors.Is(err, cluster.ErrNotFound) {
			return nil, nil, err
		}
		if lost, release, err = z.node.Acquire(ctx, data); !errors.As(err, &held) {
			return lost, release, err
		}
		_ = json.Unmarshal(held.Owner, &other)
	}
	return nil, nil, &op.LockedError{Owner: other, Age: time.Since(other.Started), What: "ZooKeeper node " + held.Path,
		Advice: "wait for the other run, or end it where it runs; the lock of a dead one goes by itself when its ZooKeeper session ends"}
}
