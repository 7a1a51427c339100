package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/jomctl/jomctl/internal/cluster"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/lifecycle"
	"github.com/jomctl/jomctl/internal/lifecycle/drill"
	"github.com/jomctl/jomctl/internal/op"
)

// undoDrills takes back what a drill that was killed has left in the cluster, and closes its journal. The lock must be held. It returns how
// many faults there were.
func (a *app) undoDrills(ctx context.Context, c *config.Cluster) (int, error) {
	active, there, err := drill.ReadActive(a.global.stateDir())
	if err != nil {
		return 0, err
	}
	log, logErr := op.LastRun(a.global.journalDir())
	open := logErr == nil && log.Meta().Verb == drill.Verb
	if !there && !open {
		return 0, nil
	}
	env, err := lifecycle.Look(c)
	if err != nil {
		return 0, err
	}
	world, err := drill.NewWorld(env)
	if err != nil {
		return 0, err
	}
	if there {
		a.say("the drill %s of %s was cut off: taking its faults back", active.Scenario, active.Began.Local().Format("2006-01-02 15:04"))
	}
	count, err := drill.Undo(ctx, world, a.global.stateDir(), func(format string, args ...any) { a.say(format, args...) })
	if err != nil {
		return count, fmt.Errorf("taking back the drill %s: %w", active.Scenario, err)
	}
	if !open {
		return count, nil
	}
	journal, err := op.OpenJournal(log.Path)
	if err != nil {
		return count, err
	}
	defer journal.Close()
	_, err = op.Rollback(ctx, drill.UndoPlan(world, a.global.stateDir(), log), op.Options{Journal: journal})
	// The canary jobs are no fault; a controller that does not answer yet keeps nobody from going on.
	soon, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if removeErr := world.Canary().Remove(soon); removeErr != nil {
		a.say("Note: the canary jobs of the drill stay: %v", removeErr)
	}
	return count, err
}

func leaseOf(env *lifecycle.Env) zooKeeperLease {
	return zooKeeperLease{&cluster.Lease{ZooKeeper: env.ZooKeeper, Path: cluster.LeasePath(env.Cluster.Name)}}
}

// lastingLease is a lease whose loss does not end the run: a drill may take ZooKeeper away itself. It is taken anew as soon as that is possible.
type lastingLease struct{ op.Lease }

var _ op.Lease = lastingLease{}

// Acquire takes the lease. The channel it returns is never closed.
func (l lastingLease) Acquire(ctx context.Context, owner op.Owner) (<-chan struct{}, func(), error) {
	lost, release, err := l.Lease.Acquire(ctx, owner)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				release()
				return
			case <-lost:
			}
			release()
			for {
				if lost, release, err = l.Lease.Acquire(ctx, owner); err == nil {
					break
				}
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Second):
				}
			}
		}
	}()
	return make(chan struct{}), func() {
		cancel()
		<-ended
	}, nil
}
