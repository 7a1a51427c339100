// Package core is the controller itself: jobs, builds, queue, nodes and their life, on a JENKINS_HOME. It knows neither HTTP
// nor Mesos.
package core

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/standin/jenkins/agent"
	"github.com/jomctl/jomctl/internal/standin/jenkins/home"
)

// Options are fixed for the life of a controller.
type Options struct {
	Home    string
	Version string
	// Clock is hudson.model.LoadStatistics.clock: agents are first asked for 10 clocks after the boot, then every clock.
	Clock time.Duration
	// Tick is how often the queue is looked at when nothing happens (the real one: 5 s).
	Tick time.Duration
	// QueueSaveAfter is how long after a change queue.xml is written (the real one: 60 s).
	QueueSaveAfter time.Duration
	Log            io.Writer
}

// Cloud starts build agents. Its methods are called without the controller's lock.
type Cloud interface {
	// Provision asks for so many more executors with that label.
	Provision(label string, excess int)
	// Serves says whether the cloud has a template with that label.
	Serves(label string) bool
}

// Controller is a running Jenkins. Methods without a comment on locking take the lock themselves.
type Controller struct {
	opt     Options
	Users   *home.Users
	Session string // X-Jenkins-Session
	booted  time.Time
	ctx     context.Context
	stop    context.CancelFunc
	wg      sync.WaitGroup // the loops
	builds  sync.WaitGroup
	wake    chan struct{}

	mu          sync.Mutex
	cfg         *home.Config
	rootURL     string
	jobs        map[string]*Job // key: lower-case name
	queue       []*Item         // oldest first
	left        map[int]*Item
	nextItem    int
	queueDirty  time.Time // when queue.xml is to be written; zero = clean
	nodes       []*Node   // the built-in node first
	quiet       bool
	quietReason string
	cloud       Cloud
	agentSecret []byte
	ended       bool
}

// New loads a home. The configuration has been read (and changed by JCasC) before.
func New(opt Options, cfg *home.Config, users *home.Users) (*Controller, error) {
	if opt.Tick == 0 {
		opt.Tick = 5 * time.Second
	}
	if opt.QueueSaveAfter == 0 {
		opt.QueueSaveAfter = time.Minute
	}
	if opt.Clock == 0 {
		opt.Clock = 10 * time.Second
	}
	secret, err := home.Secret(opt.Home, "jenkins.slaves.JnlpSlaveAgentProtocol.secret", 48)
	if err != nil {
		return nil, err
	}
	c := &Controller{opt: opt, Users: users, Session: home.RandomHex(4), cfg: cfg, rootURL: home.RootURL(opt.Home), agentSecret: secret,
		jobs: map[string]*Job{}, left: map[int]*Item{}, nextItem: 1, wake: make(chan struct{}, 1), booted: time.Now()}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.nodes = []*Node{c.builtIn()}
	if err := c.loadNodes(); err != nil {
		return nil, err
	}
	if err := c.loadJobs(); err != nil {
		return nil, err
	}
	c.loadQueue()
	return c, nil
}

// Start lets the queue run.
func (c *Controller) Start() {
	c.wg.Add(2)
	go c.loop()
	go c.provisionLoop()
}

// SetCloud replaces the cloud; the former one is its owner's to stop.
func (c *Controller) SetCloud(cloud Cloud) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cloud = cloud
}

func (c *Controller) logf(format string, args ...any) {
	fmt.Fprintf(c.opt.Log, "%s\tINFO\t%s\n", time.Now().UTC().Format("2006-01-02 15:04:05.000+0000"), fmt.Sprintf(format, args...))
}

func (c *Controller) loop() {
	defer c.wg.Done()
	tick := time.NewTicker(c.opt.Tick)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		case <-c.wake:
		}
		c.mu.Lock()
		c.maintain()
		if !c.queueDirty.IsZero() && time.Now().After(c.queueDirty) {
			c.saveQueue()
		}
		c.mu.Unlock()
	}
}

// look makes the loop look at the queue now.
func (c *Controller) look() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// provisionLoop asks the cloud for agents: not before 10 clocks after the boot, then every clock and whenever something
// becomes buildable, as plugin 2.0's own strategy does.
func (c *Controller) provisionLoop() {
	defer c.wg.Done()
	first := time.NewTimer(10 * c.opt.Clock)
	defer first.Stop()
	select {
	case <-c.ctx.Done():
		return
	case <-first.C:
	}
	// What becomes buildable is noticed within this time; the plugin is told at once.
	quick := min(c.opt.Clock, 500*time.Millisecond)
	tick := time.NewTicker(quick)
	defer tick.Stop()
	for {
		c.provision()
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *Controller) provision() {
	c.mu.Lock()
	cloud := c.cloud
	excess := map[string]int{}
	if !c.quiet {
		for _, item := range c.queue {
			if item.state == buildable && item.job.Config.Label != "" {
				excess[item.job.Config.Label]++
			}
		}
	}
	for label := range excess {
		for _, n := range c.nodes {
			if n.ephemeral && n.hasLabel(label) && n.acceptsMore() && (n.online() || n.starting) {
				excess[label]--
			}
		}
	}
	c.mu.Unlock()
	for label, n := range excess {
		if cloud != nil && n > 0 && cloud.Serves(label) && c.ctx.Err() == nil {
			cloud.Provision(label, n)
		}
	}
}

// Locked runs f under the controller's lock: renderings of several values that belong together.
func (c *Controller) Locked(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// Config is the configuration; use it under Locked, and call SaveConfig after changes.
func (c *Controller) Config() *home.Config { return c.cfg }

// SaveConfig writes config.xml and applies changed executors and labels. Call it under Locked.
func (c *Controller) SaveConfig() error {
	b := c.nodes[0]
	b.NumExecutors, b.Mode = c.cfg.NumExecutors, c.cfg.Mode
	b.Labels = strings.Fields(c.cfg.Label)
	b.resize()
	c.look()
	return c.cfg.Save(c.opt.Home, c.opt.Version)
}

// Home is JENKINS_HOME.
func (c *Controller) Home() string { return c.opt.Home }

// Version is the core version that is shown.
func (c *Controller) Version() string { return c.opt.Version }

// RootURL is the configured root URL with a slash at its end, or "". Call it under Locked.
func (c *Controller) RootURL() string { return c.rootURL }

// SetRootURL stores the root URL. Call it under Locked.
func (c *Controller) SetRootURL(url string) error {
	if url != "" && !strings.HasSuffix(url, "/") {
		url += "/"
	}
	c.rootURL = url
	return home.SaveRootURL(c.opt.Home, url)
}

// AgentSecret is the secret of the node with that name.
func (c *Controller) AgentSecret(name string) string { return agent.Secret(c.agentSecret, name) }

// Quiet says whether the controller is quieting down, and why. Call it under Locked.
func (c *Controller) Quiet() (bool, string) { return c.quiet, c.quietReason }

// QuietDown sets or clears the quiet mode, which lives in memory only.
func (c *Controller) QuietDown(on bool, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quiet, c.quietReason = on, reason
	if !on {
		c.quietReason = ""
	}
	c.look()
}

// Busy is the number of running builds.
func (c *Controller) Busy() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	busy := 0
	for _, n := range c.nodes {
		busy += n.Busy()
	}
	return busy
}

// Reload reads the home again: jobs are those on disk, the queue and running builds stay.
func (c *Controller) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	cfg, err := home.LoadConfig(c.opt.Home)
	if err != nil {
		return err
	}
	c.saveQueue()
	c.cfg, c.rootURL = cfg, home.RootURL(c.opt.Home)
	if err := c.loadJobs(); err != nil {
		return err
	}
	kept := c.queue[:0]
	for _, item := range c.queue {
		if j := c.jobs[strings.ToLower(item.job.Name)]; j != nil {
			item.job = j
			kept = append(kept, item)
		}
	}
	c.queue = kept
	return c.SaveConfig()
}

func (c *Controller) path(parts ...string) string {
	return filepath.Join(append([]string{c.opt.Home}, parts...)...)
}
