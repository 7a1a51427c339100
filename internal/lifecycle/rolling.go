package lifecycle

import (
	"context"
	"time"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// fresh says that there is no ensemble yet that a change could break. On target local all hosts are one machine, which goes
// as a whole or not at all.
func (e *Env) fresh() bool { return e.own == nil || !e.own.served }

// ask learns, once, whether there is an ensemble that serves now.
func (o *ownHosts) ask(ctx context.Context, healthy func(context.Context) error) {
	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	o.served = healthy(limited) == nil
}

// zooKeeperSteps change the servers of an ensemble that serves one by one: the next only when it serves again.
func (e *Env) zooKeeperSteps() []op.Step {
	return e.rolling(provision.RoleZooKeeper, e.ZooKeeper.Healthy)
}

// masterSteps change the masters one by one where one of them leads: the next only when one leads again.
func (e *Env) masterSteps() []op.Step {
	m := e.Mesos
	m.Patience = time.Millisecond
	return e.rolling(provision.RoleMesosMaster, m.Ready)
}

func (e *Env) rolling(role string, healthy func(context.Context) error) []op.Step {
	steps := e.serviceSteps(role)
	if e.fresh() {
		return steps
	}
	for i := range steps {
		apply := steps[i].Do
		steps[i].Budget = leaderBudget
		steps[i].Do = func(ctx context.Context, say op.Say) error {
			if err := apply(ctx, say); err != nil {
				return err
			}
			return wait(ctx, say, healthy)
		}
	}
	return steps
}
