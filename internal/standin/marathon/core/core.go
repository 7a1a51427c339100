// Package core is the leader's part of Marathon: apps, instances, deployments, the launch queue and what it says to Mesos.
package core

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"

	"github.com/jomctl/jomctl/internal/standin/marathon/event"
	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
)

// Config holds the flags that the core needs.
type Config struct {
	Options               spec.Options
	EnvPrefix             string
	LocalPortMin          int
	LocalPortMax          int
	MaxInstancesPerOffer  int
	LaunchTokens          int
	MaxVersions           int
	MaxApps               int
	MaxRunningDeployments int
	MinRevive             time.Duration
	Decline               time.Duration
	ReconcileDelay        time.Duration
	ReconcileInterval     time.Duration
	LaunchTimeout         time.Duration
	ConfirmTimeout        time.Duration
	KillRetry             time.Duration
	ExpungeDelay          time.Duration
	ExpungeInterval       time.Duration
	Suppress              bool
}

// Store keeps records; zkstate.Store is one.
type Store interface {
	Put(category, id string, data []byte)
	Delete(category, id string)
	Load(category string) (map[string][]byte, error)
	Flush() error
}

// Core is the state of a leading Marathon. All methods may be called from any goroutine.
type Core struct {
	cfg    Config
	store  Store
	bus    *event.Bus
	send   func(*sched.Call)
	now    func() time.Time
	logf   func(string, ...any)
	mu     sync.Mutex
	apps   map[string]*appState
	groups map[string]*groupState
	insts  map[string]*Instance
	plans  []*deployment
	// rootVersion is the version of the root group, that is of the last change of anything.
	rootVersion string
	started     time.Time
	mesos       mesosState
	// queueDead is the fault of the real program after a GROUP_BY without number met an offer: nothing is launched any more.
	queueDead bool
	stopped   bool
}

type appState struct {
	app      *spec.App
	versions map[string]*spec.App
	backoff  backoff
	offers   offerStats
	failure  *TaskFailure
}

type groupState struct {
	Version     string   `json:"version"`
	EnforceRole bool     `json:"enforceRole"`
	Depends     []string `json:"dependencies,omitempty"`
}

// New makes a core; Load and Start follow.
func New(cfg Config, store Store, bus *event.Bus, send func(*sched.Call), logf func(string, ...any)) *Core {
	return &Core{cfg: cfg, store: store, bus: bus, send: send, now: time.Now, logf: logf, apps: map[string]*appState{}, groups: map[string]*groupState{},
		insts: map[string]*Instance{}, rootVersion: "1970-01-01T00:00:00.000Z", started: time.Now()}
}

// Load reads everything that an earlier leader has left.
func (c *Core) Load() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	records, err := c.store.Load("apps")
	if err != nil {
		return err
	}
	for id, data := range records {
		var app spec.App
		if err := json.Unmarshal(data, &app); err != nil {
			return fmt.Errorf("decode app %s: %w", id, err)
		}
		state := c.apps[app.ID]
		if state == nil {
			state = &appState{versions: map[string]*spec.App{}}
			c.apps[app.ID] = state
		}
		state.versions[app.Version] = &app
		if !strings.Contains(id, "/") {
			state.app = &app
		}
	}
	for id, state := range c.apps {
		if state.app == nil {
			delete(c.apps, id)
		}
	}
	return c.loadRest()
}

// loadEach decodes the records of a category in the order of their ids.
func (c *Core) loadEach(category string, decode func(data []byte) error) error {
	records, err := c.store.Load(category)
	if err != nil {
		return err
	}
	for _, id := range sortedKeys(records) {
		if err := decode(records[id]); err != nil {
			return fmt.Errorf("decode %s %s: %w", category, id, err)
		}
	}
	return nil
}

func (c *Core) loadRest() error {
	for _, part := range []struct {
		category string
		decode   func([]byte) error
	}{{"instance", c.loadInstance}, {"group", c.loadRoot}, {"taskFailures", c.loadFailure}, {"deployment", c.loadPlan}} {
		if err := c.loadEach(part.category, part.decode); err != nil {
			return err
		}
	}
	sort.Slice(c.plans, func(i, j int) bool { return c.plans[i].Created.Before(c.plans[j].Created) })
	return nil
}

func (c *Core) loadInstance(data []byte) error {
	var i Instance
	if err := json.Unmarshal(data, &i); err != nil {
		return err
	}
	if c.apps[i.App] != nil || i.Goal == goalDecommissioned {
		c.insts[i.ID] = &i
	}
	return nil
}

func (c *Core) loadRoot(data []byte) error {
	var root rootRecord
	if err := json.Unmarshal(data, &root); err != nil {
		return err
	}
	c.rootVersion = root.Version
	if root.Groups != nil {
		c.groups = root.Groups
	}
	return nil
}

func (c *Core) loadFailure(data []byte) error {
	var f TaskFailure
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	if state := c.apps[f.AppID]; state != nil {
		state.failure = &f
	}
	return nil
}

func (c *Core) loadPlan(data []byte) error {
	d := &deployment{}
	if err := json.Unmarshal(data, d); err != nil {
		return err
	}
	c.plans = append(c.plans, d)
	return nil
}

type rootRecord struct {
	Version string                 `json:"version"`
	Groups  map[string]*groupState `json:"groups"`
}

func (c *Core) putJSON(category, id string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		c.logf("encode %s %s: %v", category, id, err)
		return
	}
	c.store.Put(category, id, data)
}

func (c *Core) saveRoot() {
	c.putJSON("group", "root", rootRecord{Version: c.rootVersion, Groups: c.groups})
}

func (c *Core) saveInstance(i *Instance) { c.putJSON("instance", i.ID, i) }

func (c *Core) removeInstance(i *Instance) {
	c.stopChecks(i)
	delete(c.insts, i.ID)
	delete(c.mesos.inFlight, i.ID)
	c.store.Delete("instance", i.ID)
}

// Flush waits until what was changed so far is stored.
func (c *Core) Flush() error { return c.store.Flush() }

// Start resumes deployments and runs the clocks until stop is closed.
func (c *Core) Start(stop <-chan struct{}) {
	c.mu.Lock()
	c.started = c.now()
	c.resumePlans()
	for _, i := range c.insts {
		if i.Condition == running {
			c.startChecks(i)
			c.inheritHealth(i)
		}
	}
	c.progress()
	c.mu.Unlock()
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				c.mu.Lock()
				c.stopped = true
				for _, i := range c.insts {
					c.stopChecks(i)
				}
				c.mu.Unlock()
				return
			case <-tick.C:
				c.mu.Lock()
				c.tick()
				c.mu.Unlock()
			}
		}
	}()
}

func (c *Core) tick() {
	now := c.now()
	c.reconcileTick(now)
	c.killTick(now)
	c.overdueTick(now)
	c.expungeTick(now)
	c.backoffTick(now)
	c.progress()
	c.reviveTick(now)
}

// instancesOf lists the instances of an app, oldest first.
func (c *Core) instancesOf(app string) []*Instance {
	var out []*Instance
	for _, i := range c.insts {
		if i.App == app {
			out = append(out, i)
		}
	}
	sort.Slice(out, func(a, b int) bool {
		if !out[a].Created.Equal(out[b].Created) {
			return out[a].Created.Before(out[b].Created)
		}
		return out[a].ID < out[b].ID
	})
	return out
}

// specOf is the definition that an instance runs, or runs next.
func (c *Core) specOf(i *Instance) *spec.App {
	state := c.apps[i.App]
	if state == nil {
		return nil
	}
	if app := state.versions[i.Version]; app != nil {
		return app
	}
	return state.app
}

type instanceChanged struct {
	InstanceID     string  `json:"instanceId"`
	Condition      string  `json:"condition"`
	RunSpecID      string  `json:"runSpecId"`
	AgentID        *string `json:"agentId"`
	Host           *string `json:"host"`
	RunSpecVersion string  `json:"runSpecVersion"`
}

// changed stores an instance and tells the readers of events; condition is the one to show.
func (c *Core) changed(i *Instance, condition string) {
	c.saveInstance(i)
	e := instanceChanged{InstanceID: i.ID, Condition: condition, RunSpecID: i.App, RunSpecVersion: i.Version}
	if i.AgentID != "" {
		e.AgentID, e.Host = &i.AgentID, &i.Host
	}
	c.bus.Publish("instance_changed_event", e)
}
