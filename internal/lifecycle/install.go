package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jomctl/jomctl/internal/op"
	"github.com/jomctl/jomctl/provision"
)

// Budgets of the waits: several times what was measured on two busy cores.
const (
	startBudget  = 60 * time.Second
	leaderBudget = 90 * time.Second
	tick         = 100 * time.Millisecond
)

// InstallOptions shape an install. TakeLease takes the run's lock in ZooKeeper, which may not be there yet when the run
// begins; LeaseHeld says whether that is done, or not wanted.
type InstallOptions struct {
	Proof ProofOptions
	// ControllerTimeout is how long the controller may take to be deployed, and again to be ready; 0 means the app's grace
	// and a minute and a half.
	ControllerTimeout time.Duration
	LeaseHeld         func() bool
	TakeLease         func(context.Context) error
}

// Install is the plan from nothing, or from wherever an earlier run ended, to a proven cluster.
func Install(e *Env, opts InstallOptions) op.Plan {
	stages := append([]op.Stage{{Name: "Record", Steps: []op.Step{e.recordStep(), e.warStep(), e.passwordStep()}}}, e.hostStages()...)
	files := op.Stage{Name: "Files", Steps: e.fileSteps()}
	contained := len(e.wanted()) > 0 // then the files name images by digests that are known only later
	if !contained {
		stages = append(stages, files)
	}
	stages = append(stages, []op.Stage{
		{Name: "ZooKeeper", Parallel: e.fresh(), Steps: e.zooKeeperSteps()},
		{Name: "Coordination", Steps: []op.Step{e.quorumStep(), e.leaseStep(opts.LeaseHeld, opts.TakeLease)}},
		{Name: "Mesos masters", Parallel: e.fresh(), Steps: e.masterSteps()},
		{Name: "Mesos leader", Steps: []op.Step{e.leaderStep()}},
	}...)
	stages = append(stages, e.leftoverStages()...)
	stages = append(stages, e.serviceStages()...)
	if contained {
		stages = append(stages, files)
	}
	return op.Plan{Verb: "install", Stages: append(stages, []op.Stage{
		{Name: "Controller", Steps: append(e.homeSteps(),
			e.appStep(opts.ControllerTimeout),
			e.readyStep(opts.ControllerTimeout),
		)},
		{Name: "Proof", Steps: []op.Step{e.proofStep(opts.Proof)}},
	}...)}
}

func (e *Env) warStep() op.Step {
	c := e.controller()
	title := "jenkins.war is the stand-in's"
	if c.war.Real() {
		title = "jenkins.war fetched and verified"
	}
	if c.war.Plugins.Dir != "" {
		title = "jenkins.war and the plugins of the release fetched and verified"
	}
	return op.Step{ID: "war", Title: title,
		Probe:   func(context.Context) (op.State, error) { return op.NeededUnless(!c.war.Real() || c.war.Cached()), nil },
		Changes: func(context.Context) []string { return c.war.Changes() },
		Do:      c.war.Fetch,
		Budget:  30 * time.Minute,
	}
}

func (e *Env) passwordStep() op.Step {
	title := "Admin password in " + string(e.Cluster.Jenkins.Admin.Password)
	if others := len(e.Cluster.Generated()) - 1; others > 0 {
		title += fmt.Sprintf(", and %d more secrets", others)
	}
	return op.Step{ID: "admin-password", Title: title,
		Probe: func(context.Context) (op.State, error) {
			missing, err := missingSecrets(e.Cluster)
			return op.NeededUnless(len(missing) == 0 && (e.own == nil || e.controller().hashKept())), err
		},
		Changes: func(context.Context) []string {
			var lines []string
			missing, _ := missingSecrets(e.Cluster) // the probe has said what is wrong with them
			for _, secret := range missing {
				lines = append(lines, "generate "+string(secret)+" (mode 0600)")
			}
			if len(missing) == 0 {
				lines = append(lines, "hash it")
			}
			return lines
		},
		Do: func(context.Context, op.Say) error {
			missing, err := missingSecrets(e.Cluster)
			for _, secret := range missing {
				err = errors.Join(err, generate(secret, e.Cluster))
			}
			if err != nil {
				return err
			}
			if e.own == nil {
				return nil
			}
			return e.controller().keepHash()
		},
	}
}

// fileSteps lay down what the controller reads, and try what it needs besides the cluster.
func (e *Env) fileSteps() []op.Step {
	steps := []op.Step{e.filesStep()}
	if e.own != nil && e.controller().war.Real() {
		steps = append(steps, e.bringStep())
	}
	if e.controller().shared() {
		steps = append(steps, e.sharedStep())
	}
	if e.own != nil && e.Cluster.Jenkins.SCM != nil {
		steps = append(steps, e.scmStep())
	}
	return append(steps, e.backupSteps()...)
}

func (e *Env) filesStep() op.Step {
	c := e.controller()
	return op.Step{ID: "controller-files", Title: "Controller's first files, cloud and start command",
		Probe: func(ctx context.Context) (op.State, error) {
			if there, err := secretThere(e.Cluster.Jenkins.Admin.Password, e.Cluster); err != nil || !there {
				return op.Later, err
			}
			if e.own != nil && !e.controller().hashKept() || !e.own.known() {
				return op.Later, nil
			}
			if c.war.Real() && !c.war.Cached() {
				return op.Later, nil
			}
			files, err := c.files()
			if errors.Is(err, errNoImages) {
				return op.Later, nil
			}
			if err != nil {
				return op.Needed, err
			}
			paths, err := c.stale(ctx, files)
			return op.NeededUnless(len(paths) == 0), err
		},
		Changes: func(context.Context) []string { return []string{"write " + c.dir} },
		Do: func(ctx context.Context, _ op.Say) error {
			files, err := c.files()
			if err != nil {
				return err
			}
			return c.write(ctx, files)
		},
	}
}

// serviceStep applies the n-th service of a role; ready, where set, says whether it serves. The service is described anew
// whenever it is needed: on hosts of their own its programs are known only when they are installed.
func (e *Env) serviceStep(role string, n int, ready func(context.Context) error) op.Step {
	describe := func() provision.Service { return e.Fleet.Services(role)[n] }
	probe := func(ctx context.Context) (op.State, []string, error) {
		if !e.own.known() || !e.credentialsThere() {
			return op.Later, nil, nil
		}
		done, changes, err := e.item(describe()).Probe(ctx)
		if err == nil && done && ready != nil {
			if problem := ready(ctx); problem != nil {
				return op.Needed, []string{"wait until it serves (now: " + problem.Error() + ")"}, nil
			}
		}
		return op.NeededUnless(done), changes, err
	}
	s := describe()
	return op.Step{ID: s.Role + "-" + s.Host.Name(), Title: s.Title(), Budget: startBudget,
		Probe: func(ctx context.Context) (op.State, error) {
			state, _, err := probe(ctx)
			return state, err
		},
		Changes: func(ctx context.Context) []string {
			_, changes, _ := probe(ctx) // the probe has just said whether it can look
			return changes
		},
		Do: func(ctx context.Context, say op.Say) error {
			if _, err := e.item(describe()).Apply(ctx); err != nil {
				return err
			}
			if ready == nil {
				return nil
			}
			return wait(ctx, say, ready)
		},
	}
}

// item is a service that is recorded on a host of its own.
func (e *Env) item(s provision.Service) provision.Item {
	if e.own == nil {
		return s
	}
	return e.own.keeper.Keep(s.Host, s)
}

// wait asks until there is no error, and says what is missing whenever that changes.
func wait(ctx context.Context, say op.Say, ready func(context.Context) error) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	said := ""
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		if text := err.Error(); text != said {
			said = text
			say("%s", text)
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

func (e *Env) serviceSteps(role string) []op.Step {
	var steps []op.Step
	for n := range e.Fleet.Services(role) {
		steps = append(steps, e.serviceStep(role, n, nil))
	}
	return steps
}

func (e *Env) quorumStep() op.Step {
	return op.Step{ID: "zookeeper-quorum", Title: "ZooKeeper serves with a quorum", Budget: leaderBudget,
		Probe: func(ctx context.Context) (op.State, error) {
			return op.NeededUnless(e.ZooKeeper.Healthy(ctx) == nil), nil
		},
		Do: func(ctx context.Context, say op.Say) error { return wait(ctx, say, e.ZooKeeper.Healthy) },
	}
}

// leaseStep takes the second lock as soon as there is a ZooKeeper to take it from. held says whether it is taken already.
func (e *Env) leaseStep(held func() bool, take func(context.Context) error) op.Step {
	return op.Step{ID: "lease", Title: "Lock in ZooKeeper", Budget: startBudget,
		Probe: func(context.Context) (op.State, error) { return op.NeededUnless(held()), nil },
		Do:    func(ctx context.Context, _ op.Say) error { return take(ctx) },
	}
}

func (e *Env) leaderStep() op.Step {
	ready := func(ctx context.Context) error {
		m := e.Mesos
		m.Patience = time.Millisecond // the step's own wait is the patience
		return m.Ready(ctx)
	}
	return op.Step{ID: "mesos-leader", Title: "A Mesos master leads and has recovered", Budget: leaderBudget,
		Probe: func(ctx context.Context) (op.State, error) { return op.NeededUnless(ready(ctx) == nil), nil },
		Do:    func(ctx context.Context, say op.Say) error { return wait(ctx, say, ready) },
	}
}

func (e *Env) agentSteps() []op.Step {
	var steps []op.Step
	for n, s := range e.Fleet.Services(provision.RoleMesosAgent) {
		address := s.Host.Address()
		h, _ := e.Cluster.Host(s.Host.Name())
		late := e.latenessOf(h)
		step := e.serviceStep(provision.RoleMesosAgent, n, func(ctx context.Context) error {
			m := e.Mesos
			m.Patience = time.Millisecond
			state, err := m.State(ctx)
			if err != nil {
				return err
			}
			for _, agent := range state.Agents {
				if agent.Hostname == address && (agent.Active || agent.Deactivated) { // one that is drained stays so
					return nil
				}
			}
			return late.explain(ctx, time.Now())
		})
		changes := step.Changes
		step.Changes = func(ctx context.Context) []string {
			return append(changes(ctx), e.lost(ctx, h, e.Fleet.Services(provision.RoleMesosAgent)[n])...)
		}
		steps = append(steps, step)
	}
	return steps
}

func (e *Env) marathonSteps() []op.Step {
	var steps []op.Step
	for i := range e.Fleet.Services(provision.RoleMarathon) {
		m := e.Marathon
		m.URLs, m.Patience = m.URLs[i:i+1], time.Millisecond
		step := e.serviceStep(provision.RoleMarathon, i, func(ctx context.Context) error {
			info, err := m.Info(ctx)
			if err != nil {
				return err
			}
			if info.Leader == "" || info.FrameworkID == "" {
				return errors.New("Marathon has no leader that is registered with Mesos yet")
			}
			return nil
		})
		// A Marathon that meets its own old election entry ends itself, and is started again 11 s later.
		step.Budget = leaderBudget
		steps = append(steps, step)
	}
	return steps
}
