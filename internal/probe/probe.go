// Package probe asks a cluster from outside, again and again, whether it serves, and makes of the answers when it did not: it is
// what drills measure with and what a watch listens to. Asking changes nothing and needs no login but Marathon's.
package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// Every is how often everything is asked unless Config says otherwise.
const Every = 250 * time.Millisecond

// The targets, as samples name them.
const (
	// Edge is GET /login at the URL that people use.
	Edge = "edge"
	// API is Jenkins' API behind the edge: Jenkins itself answers, and refuses a stranger.
	API = "api"
	// Controller is GET /login at the controller itself, without the edge. Its Value is the session, which is another one after each
	// start; one that starts answers with Detail "starting".
	Controller = "controller"
	// AgentPort is the port that build agents connect to.
	AgentPort = "agent-port"
	// Framework is the registration of Jenkins with Mesos. Its Value is a FrameworkValue.
	Framework = "framework"
	// Marathon is a Marathon that knows its leader and the app.
	Marathon = "marathon"
	// Task is the controller's task as Marathon has it. Its Tasks are those of the app; OK means that exactly one of them runs.
	Task = "task"
	// Mesos is a master that leads. Its Value is the leader's host:port.
	Mesos = "mesos"
	// ZooKeeper is an ensemble with a quorum. Its Value is the leader's host:port.
	ZooKeeper = "zookeeper"
)

// Targets are all targets, in the order in which they are shown.
func Targets() []string {
	return []string{Edge, API, Controller, AgentPort, Framework, Task, Marathon, Mesos, ZooKeeper}
}

// Config says where a cluster is asked. What is empty is not asked.
type Config struct {
	// URL is that of the edge, http://host:port.
	URL string
	// Hosts are the addresses that the controller can be on; the one of its task is asked where Marathon knows it.
	Hosts []string
	// HTTPPort and AgentPort are the controller's.
	HTTPPort, AgentPort int
	// Masters and ZooKeepers are host:port, Marathons base URLs.
	Masters, ZooKeepers, Marathons []string
	// AppID is the controller's app, FrameworkID and FrameworkName are Jenkins' with Mesos.
	AppID, FrameworkID, FrameworkName string
	// Login, where set, gives Marathon's user and password.
	Login func() (user, password string, err error)
	// Dial leads to the cluster's addresses; nil is the direct way.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is for https addresses; nil means the machine's own trust.
	TLS *tls.Config
	// Every is the time between two questions to a target, 0 means Every.
	Every time.Duration
}

// AppTask is one task of the controller's app.
type AppTask struct {
	ID    string `json:"id"`
	Host  string `json:"host"`
	State string `json:"state"`
	// Staged and Started are Marathon's times; zero where they have not come yet.
	Staged  time.Time `json:"stagedAt,omitzero"`
	Started time.Time `json:"startedAt,omitzero"`
}

// Running says that the task runs as far as Mesos knows.
func (t AppTask) Running() bool { return t.State == "TASK_RUNNING" }

// Sample is one answer, or that there was none.
type Sample struct {
	Target string
	// At is when it was asked, Took how long the answer took.
	At   time.Time
	Took time.Duration
	// OK says that the target serves.
	OK bool
	// Value is what identifies who serves: a change of it means that another one, or the same one after a new start, does.
	Value string
	// Detail says why it does not serve.
	Detail string
	// Tasks are set by Task.
	Tasks []AppTask
	// Framework is set by Framework where it is registered.
	Framework *FrameworkState
}

// Prober asks. It is made by New and may be run once at a time.
type Prober struct {
	config Config
	http   *http.Client

	mu sync.Mutex
	// host is where the controller was last; first are the members of each ensemble that served last.
	host  string
	first map[string]int
}

// Timeouts. A target that hangs is noticed after patience; it is asked anew only then.
const (
	patience    = 2 * time.Second
	dialTimeout = time.Second
)

// New makes a prober. It does not ask yet.
func New(config Config) *Prober {
	if config.Every <= 0 {
		config.Every = Every
	}
	if config.Dial == nil {
		config.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	p := &Prober{config: config, first: map[string]int{}}
	p.http = &http.Client{ // send limits the time
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:         config.Dial,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: 10 * time.Second, TLSClientConfig: config.TLS,
			DisableCompression: true, // short answers, asked for without end
		},
	}
	if len(config.Hosts) > 0 {
		p.host = config.Hosts[0]
	}
	return p
}

// asker asks once; it may be about several targets.
type asker struct {
	name string
	ask  func(ctx context.Context) []Sample
}

func (p *Prober) askers() []asker {
	var all []asker
	add := func(name string, there bool, ask func(context.Context) []Sample) {
		if there {
			all = append(all, asker{name, ask})
		}
	}
	add(Edge, p.config.URL != "", p.askEdge)
	add(API, p.config.URL != "", p.askAPI)
	add(Controller, len(p.config.Hosts) > 0 && p.config.HTTPPort != 0, p.askController)
	add(AgentPort, len(p.config.Hosts) > 0 && p.config.AgentPort != 0, p.askAgentPort)
	add(Marathon, len(p.config.Marathons) > 0, p.askMarathon)
	add(Mesos, len(p.config.Masters) > 0, p.askMesos)
	add(ZooKeeper, len(p.config.ZooKeepers) > 0, p.askZooKeeper)
	return all
}

// Run asks until the context ends and passes every sample to sink, one at a time. A target that takes longer than the interval is asked
// again when it has answered, or has used up its time; the others do not wait for it.
func (p *Prober) Run(ctx context.Context, sink func(Sample)) {
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, a := range p.askers() {
		group.Go(func() {
			tick := time.NewTicker(p.config.Every)
			defer tick.Stop()
			for ctx.Err() == nil {
				samples := a.ask(ctx)
				if ctx.Err() == nil { // a question that the end has cut off says nothing
					mu.Lock()
					for _, s := range samples {
						sink(s)
					}
					mu.Unlock()
				}
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}
	group.Wait()
	p.http.CloseIdleConnections()
}

// Once asks everything once, all at the same time, and returns when the last one has answered or given up.
func (p *Prober) Once(ctx context.Context) []Sample {
	askers := p.askers()
	answers := make([][]Sample, len(askers))
	var group sync.WaitGroup
	for i, a := range askers {
		group.Go(func() { answers[i] = a.ask(ctx) })
	}
	group.Wait()
	var all []Sample
	for _, target := range Targets() {
		for _, answer := range answers {
			for _, s := range answer {
				if s.Target == target {
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// errText is the innermost reason of a failed question, which is what tells: refused, timeout, ...
func errText(err error) string {
	var net *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &net) && net.Timeout():
		return "no answer in time"
	case errors.As(err, &net):
		return net.Err.Error()
	}
	return err.Error()
}
