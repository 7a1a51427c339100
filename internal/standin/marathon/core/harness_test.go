package core

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/marathon/event"
	"github.com/jomctl/jomctl/internal/standin/marathon/fakemesos"
	"github.com/jomctl/jomctl/internal/standin/marathon/spec"
	"github.com/jomctl/jomctl/internal/testkit"
)

const patience = time.Minute

// memory is a Store that outlives the core that uses it.
type memory struct {
	mu   sync.Mutex
	data map[string]map[string][]byte
}

func (m *memory) Put(category, id string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.data[category] == nil {
		m.data[category] = map[string][]byte{}
	}
	m.data[category][id] = data
}

func (m *memory) Delete(category, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.data[category], id)
}

func (m *memory) Load(category string) (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string][]byte{}
	for id, data := range m.data[category] {
		out[id] = data
	}
	return out, nil
}

func (m *memory) Flush() error { return nil }

type rig struct {
	t     *testing.T
	mesos *fakemesos.Mesos
	store *memory
	core  *Core
	cfg   Config
	mu    sync.Mutex
	told  chan event.Event // what was published and not yet taken into seen
	seen  []string         // eventType and what it is about, in order
	end   func()
	ahead atomic.Int64 // how far the core's clock is ahead of the real one
}

func quick() Config {
	return Config{Options: spec.Options{Role: "*"}, LocalPortMin: 10000, LocalPortMax: 20000, MaxInstancesPerOffer: 5, LaunchTokens: 100, MaxVersions: 50,
		MaxRunningDeployments: 100, MinRevive: 5 * time.Millisecond, Decline: 120 * time.Second, ReconcileDelay: 50 * time.Millisecond, ReconcileInterval: 200 * time.Millisecond,
		LaunchTimeout: time.Minute, ConfirmTimeout: time.Minute, KillRetry: time.Minute, ExpungeDelay: 0, ExpungeInterval: 50 * time.Millisecond, Suppress: true}
}

func twoAgents() []fakemesos.Agent {
	return []fakemesos.Agent{
		{Host: "127.0.0.1", CPUs: 4, Mem: 4096, PortLow: 31000, PortHigh: 31099, Attributes: map[string]string{"rack": "rack-1"}},
		{Host: "127.0.0.2", CPUs: 4, Mem: 4096, PortLow: 31000, PortHigh: 31099, Attributes: map[string]string{"rack": "rack-2"}},
	}
}

func newRig(t *testing.T, agents ...fakemesos.Agent) *rig {
	if agents == nil {
		agents = twoAgents()
	}
	r := &rig{t: t, mesos: fakemesos.New(agents...), store: &memory{data: map[string]map[string][]byte{}}, cfg: quick()}
	t.Cleanup(r.mesos.Close)
	r.start()
	t.Cleanup(func() { r.end() })
	return r
}

// start begins a new leadership on what is stored.
func (r *rig) start() {
	bus := event.NewBus(100000)
	calls, events, stop := make(chan *sched.Call, 100000), make(chan *sched.Event, 100000), make(chan struct{})
	c := New(r.cfg, r.store, bus, func(call *sched.Call) { calls <- call }, func(string, ...any) {})
	c.now = func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) }
	require.NoError(r.t, c.Load())
	r.takeIn()
	r.told = bus.Attach()
	var once sync.Once
	r.end = func() {
		once.Do(func() {
			r.mesos.Unsubscribe()
			close(stop)
			bus.Close()
		})
	}
	go func() {
		for {
			select {
			case call := <-calls:
				r.mesos.Call(call)
			case e := <-events:
				switch e.Type {
				case sched.Event_SUBSCRIBED:
					c.Subscribed(e.Subscribed, false)
				case sched.Event_OFFERS:
					c.Offers(e.Offers.Offers)
				case sched.Event_UPDATE:
					c.Update(&e.Update.Status)
				}
			case <-stop:
				return
			}
		}
	}()
	c.Start(stop)
	r.core = c
	r.mesos.Subscribe(func(e *sched.Event) { events <- e }, "")
}

// failover lets another leader take over.
func (r *rig) failover() {
	r.end()
	r.start()
}

func (r *rig) create(body string) string {
	r.t.Helper()
	made, err := r.core.CreateApp([]byte(body), Request{ClientIP: "127.0.0.1", URI: "/v2/apps"})
	require.NoError(r.t, err)
	return made.DeploymentID
}

func (r *rig) update(id, body string) string {
	r.t.Helper()
	result, _, err := r.core.UpdateApp(id, []byte(body), true, true, Request{})
	require.NoError(r.t, err)
	return result.DeploymentID
}

func (r *rig) eventually(what string, condition func() bool) {
	r.t.Helper()
	testkit.Eventually(r.t, patience, what, func(context.Context) bool { return condition() })
}

func (r *rig) app(id string) AppView {
	r.t.Helper()
	view, err := r.core.App(id, Embed{Tasks: true, Failure: true})
	require.NoError(r.t, err)
	return view
}

func (r *rig) idle(what string) {
	r.t.Helper()
	r.eventually(what+": no deployment runs", func() bool { return len(r.core.Deployments()) == 0 })
}

// tasks are the ids of an app's tasks in a state.
func (r *rig) tasks(app, state string) []string {
	var out []string
	tasks, err := r.core.Tasks(app)
	require.NoError(r.t, err)
	for _, task := range tasks {
		if state == "" || task.State == state {
			out = append(out, task.ID)
		}
	}
	return out
}

// takeIn moves what was published until now into seen. The core publishes under its lock before it shows a change, so
// nothing that a test has seen of the core is missing.
func (r *rig) takeIn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		select {
		case e, open := <-r.told:
			if !open {
				r.told = nil
				return
			}
			r.seen = append(r.seen, e.Type+" "+string(e.Data))
		default:
			return
		}
	}
}

// history lists "type/detail" of what was published since the mark, for the chosen types.
func (r *rig) history(from int, kinds ...string) []string {
	r.takeIn()
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, line := range r.seen[from:] {
		kind, data, _ := strings.Cut(line, " ")
		if len(kinds) > 0 && !contains(kinds, kind) {
			continue
		}
		var fields struct {
			Condition  string `json:"condition"`
			TaskStatus string `json:"taskStatus"`
		}
		_ = json.Unmarshal([]byte(data), &fields)
		switch {
		case fields.Condition != "":
			kind += "/" + fields.Condition
		case fields.TaskStatus != "":
			kind += "/" + fields.TaskStatus
		}
		out = append(out, kind)
	}
	return out
}

func (r *rig) mark() int {
	r.takeIn()
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

func (r *rig) sawEvent(from int, kind string) bool { return contains(r.history(from), kind) }

// skip lets time pass for the core.
func (r *rig) skip(d time.Duration) { r.ahead.Add(int64(d)) }
