package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/host"
	"github.com/jomctl/jomctl/internal/lifecycle/inventory"
	"github.com/jomctl/jomctl/internal/lifecycle/record"
	"github.com/jomctl/jomctl/provision"
	"github.com/jomctl/jomctl/provision/hosts"
	"github.com/jomctl/jomctl/provision/source"
)

// parallel is how many hosts are worked on at once.
const parallel = 16

// ownHosts are the hosts of every target but local: what is known of them, and what is installed there.
type ownHosts struct {
	config  *config.Cluster
	access  inventory.Access
	remotes map[string]*host.Remote
	keeper  *hosts.Keeper
	helpers hosts.Helpers
	// checker verifies and fetches sources.
	checker *source.Checker
	// installer brings the sources' programs to the hosts.
	installer *source.Installer

	// served says that ZooKeeper served before anything was changed.
	served bool

	mu    sync.Mutex
	facts map[string]hosts.Facts
	plans map[string][]source.Plan
	// got is what was fetched for a plan, by component and facts.
	got map[string]source.Fetched
	// wants is what is to be had for a plan, as far as a check has told it, by component and facts.
	wants map[string]source.Locked
	// found are the programs of the hosts that have all of them.
	found  map[string]provision.Programs
	values map[string]provision.HostValues
}

// known says whether the programs of all hosts are known, so that their services can be described. Target local always is.
func (o *ownHosts) known() bool {
	if o == nil {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.found) == len(o.config.Hosts)
}

// programs are those of a host, empty ones as long as they are not known.
func (o *ownHosts) programs(name string) provision.Programs {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.found[name]
}

// lookHosts makes the environment without connecting to any host.
func lookHosts(c *config.Cluster, access inventory.Access) (*Env, error) {
	if err := inventory.Complete(c); err != nil {
		return nil, err
	}
	o, err := newOwnHosts(c, access)
	if err != nil {
		return nil, err
	}
	fleet, err := o.fleet()
	if err != nil {
		return nil, err
	}
	env, err := newEnv(c, provision.Programs{}, fleet)
	if err != nil {
		return nil, err
	}
	env.own = o
	env.ZooKeeper.Dial, env.Mesos.Dial, env.Marathon.Dial = o.dial, o.dial, o.dial
	return env, nil
}

func newOwnHosts(c *config.Cluster, access inventory.Access) (*ownHosts, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the running program: %w", err)
	}
	lock, err := record.WantedLock(c)
	if err != nil {
		return nil, err
	}
	resolver, err := source.NewResolver(c)
	if err != nil {
		return nil, err
	}
	standin := filepath.Join(filepath.Dir(self), "standin")
	o := &ownHosts{config: c, access: access, remotes: map[string]*host.Remote{},
		keeper:    hosts.NewKeeper(c.Name, record.ClusterID(c), access.Version),
		helpers:   hosts.Helpers{Standin: hosts.NewProgram(standin), Jomhome: hosts.NewProgram(filepath.Join(filepath.Dir(self), "jomhome"))},
		checker:   &source.Checker{Cache: &source.Cache{Dir: filepath.Join(c.StateDir(), "cache")}, Lock: lock, Catalogue: resolver.Catalogue},
		installer: &source.Installer{Standin: standin},
		facts:     map[string]hosts.Facts{}, plans: map[string][]source.Plan{}, got: map[string]source.Fetched{}, wants: map[string]source.Locked{},
		found: map[string]provision.Programs{}, values: map[string]provision.HostValues{}}
	var through *host.Remote
	if c.SSH.Jump != "" {
		if through, err = inventory.Jump(c, access); err != nil {
			return nil, err
		}
	}
	known, err := inventory.Of(c)
	if err != nil {
		return nil, err
	}
	for _, h := range c.Hosts {
		o.remotes[h.Name], err = host.NewRemote(known.Options(c, h, access, through))
		if err != nil {
			return nil, err
		}
	}
	return o, nil
}

// dial connects to an address of the cluster: through SSH where the host is reached by SSH another way than by the others, as in a
// private network of a cloud.
func (o *ownHosts) dial(ctx context.Context, network, address string) (net.Conn, error) {
	to, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	for _, h := range o.config.Hosts {
		if remote := o.remotes[h.Name]; (to == h.Address || to == h.Name) && remote != nil && remote.Hidden() {
			return remote.Reach(ctx, network, address)
		}
	}
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
}

// dialTimeout is for a direct connection to a program of the cluster.
const dialTimeout = 3 * time.Second

func (o *ownHosts) machines() []host.Machine {
	var all []host.Machine
	for _, h := range o.config.Hosts {
		all = append(all, o.remotes[h.Name])
	}
	return all
}

func (o *ownHosts) fleet() (*provision.Fleet, error) {
	return provision.NewHostFleet(o.config, o.byName(), o.programs, o.values)
}

func (o *ownHosts) byName() map[string]host.Machine {
	machines := map[string]host.Machine{}
	for name, remote := range o.remotes {
		machines[name] = remote
	}
	return machines
}

// openHosts connects to all hosts and learns what is there. Unknown keys are an *UnknownKeysError; everything else that
// stands against the hosts is found together, for Preflight to say.
func openHosts(ctx context.Context, c *config.Cluster, access inventory.Access) (*Env, error) {
	env, err := lookHosts(c, access)
	if err != nil {
		return nil, err
	}
	reached, err := env.reach(ctx)
	if err != nil {
		return nil, err
	}
	if !reached {
		return env, nil
	}
	findings, notes := hosts.Preflight(ctx, c, env.own.byName(), env.own.facts, env.own.keeper)
	env.findings = append(append(env.findings, findings...), hosts.FromHere(ctx, c, env.own.dial)...)
	for _, note := range notes {
		env.notes = append(env.notes, note.String())
	}
	env.findings = append(env.findings, env.engineFindings(ctx)...)
	if len(env.findings) > 0 {
		return env, nil
	}
	env.own.ask(ctx, env.ZooKeeper.Healthy)
	if err := env.learn(ctx); err != nil {
		return nil, err
	}
	env.versions, err = env.otherHostVersions(ctx)
	return env, err
}

// reach connects to all hosts and asks for their facts. It is false where a host cannot be reached, which is a finding.
func (e *Env) reach(ctx context.Context) (bool, error) {
	o := e.own
	err := host.Each(ctx, o.machines(), parallel, func(ctx context.Context, m host.Machine) error {
		if err := o.remotes[m.Name()].Connect(ctx); err != nil {
			return err
		}
		return o.look(ctx, m)
	})
	if err == nil {
		return true, nil
	}
	if ctx.Err() != nil {
		return false, err
	}
	var each *host.EachError
	if !errors.As(err, &each) {
		return false, err
	}
	unknown := &inventory.UnknownKeysError{}
	for _, name := range each.Hosts {
		var key *host.UnknownKeyError
		if errors.As(each.Errors[name], &key) {
			unknown.Keys = append(unknown.Keys, key)
			continue
		}
		e.findings = append(e.findings, findingOf(name, each.Errors[name]))
	}
	if len(unknown.Keys) > 0 {
		return false, unknown
	}
	return false, nil
}

// findingOf is an error about a host as a finding, with the way out that the error knows.
func findingOf(subject string, err error) provision.Finding {
	finding := provision.Finding{Subject: subject, Problem: err.Error()}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		finding.Fix = hinted.Hint()
	}
	return finding
}

// look asks one host for its facts, and what they mean for its services.
func (o *ownHosts) look(ctx context.Context, m host.Machine) error {
	h, _ := o.config.Host(m.Name())
	facts, err := hosts.Look(ctx, o.config, h, m)
	if err != nil {
		return err
	}
	record, err := o.keeper.Read(ctx, m)
	if err != nil {
		return err
	}
	plans, _ := hosts.Plans(o.config, h, facts) // what cannot work is found by the preflight
	var cgroups []int
	for _, plan := range plans {
		if plan.Component == source.Mesos {
			cgroups = hosts.Cgroups(plan)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.facts[h.Name], o.plans[h.Name], o.values[h.Name] = facts, plans, hosts.Values(h, facts, cgroups, record)
	return nil
}
