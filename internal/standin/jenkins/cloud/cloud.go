package cloud

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/jomctl/jomctl/internal/standin/jenkins/core"
)

// Controller is what the cloud needs of the controller.
type Controller interface {
	AddEphemeral(n *core.Node, terminate func())
	RemoveNode(name string) bool
	LaunchFailed(name string)
	IdleNodes() []core.IdleNode
	AgentSecret(name string) string
}

// Options are the JVM properties of the plugin and of the stand-in.
type Options struct {
	// ConnectionRetries is usi.jenkins.connection-retries: -1 = for ever.
	ConnectionRetries      int
	MinBackoff, MaxBackoff time.Duration
	// FailoverTimeout is what SUBSCRIBE says (the plugin: 7 days).
	FailoverTimeout time.Duration
	// Throttle is the pause between two of REVIVE and suppression (the plugin: 5 s).
	Throttle time.Duration
	// Reconnect is the pause after a cut stream (the plugin: 3 s and more).
	Reconnect time.Duration
	// AgentTimeout takes an agent away that does not come online.
	AgentTimeout time.Duration
	// Idle, when not 0, replaces the templates' minutes and is counted from the connection.
	Idle time.Duration
	// IdleEvery is the pause between two looks at idle nodes (the real one: a minute).
	IdleEvery time.Duration
	Log       io.Writer
}

// Defaults are the plugin's own.
func Defaults() Options {
	return Options{ConnectionRetries: 5, MinBackoff: time.Second, MaxBackoff: 30 * time.Second, FailoverTimeout: 7 * 24 * time.Hour,
		Throttle: 5 * time.Second, Reconnect: 3 * time.Second, AgentTimeout: 5 * time.Minute, IdleEvery: time.Minute, Log: io.Discard}
}

// maxStorm bounds the endless loop that a template without executors is in the real plugin: so many nodes at most, so that a
// machine survives it. It is far beyond what a configuration that works ever asks for.
const maxStorm = 2000

// Cloud is the configured cloud. Its session begins with the first demand.
type Cloud struct {
	cfg    Config
	opt    Options
	c      Controller
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	session *session
	idle    map[string]int // node -> minutes of its template
	made    int
}

// New makes a cloud. It connects to nobody yet.
func New(cfg Config, opt Options, c Controller) *Cloud {
	out := &Cloud{cfg: cfg, opt: opt, c: c, idle: map[string]int{}}
	out.ctx, out.cancel = context.WithCancel(context.Background())
	out.wg.Add(1)
	go out.retention()
	return out
}

// Same says whether a reload keeps the session. It belongs to the framework id alone: a changed master address takes effect only
// with another id or a restart, as in the real one.
func (c *Cloud) Same(cfg Config) bool { return c.Config().FrameworkID == cfg.FrameworkID }

// Update takes changed templates over into a running cloud.
func (c *Cloud) Update(cfg Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg = cfg
}

// Config is the configuration in use.
func (c *Cloud) Config() Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg
}

// Stop ends the session without a word to the master, as the real one does.
func (c *Cloud) Stop() {
	c.cancel()
	c.wg.Wait()
}

func (c *Cloud) logf(format string, args ...any) {
	fmt.Fprintf(c.opt.Log, "%s\tINFO\to.j.plugins.mesos: %s\n", time.Now().UTC().Format("2006-01-02 15:04:05.000+0000"), fmt.Sprintf(format, args...))
}

func (c *Cloud) template(label string) (Template, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.cfg.Templates {
		if t.Label == label {
			return t, true
		}
	}
	return Template{}, false
}

// Serves says whether there is a template with that label.
func (c *Cloud) Serves(label string) bool {
	_, ok := c.template(label)
	return ok
}

// Provision launches agents until the excess is covered. A node counts as minExecutors, although it has one: with none this
// never ends in the real one (about 100 nodes a second); here it ends at maxStorm nodes.
func (c *Cloud) Provision(label string, excess int) {
	t, ok := c.template(label)
	if !ok {
		return
	}
	for excess > 0 && c.ctx.Err() == nil {
		c.logf("MesosCloud#provision: Excess workload of %d provisioning new Jenkins agent on Mesos cluster with %d executors", excess, t.MinExecutors)
		c.mu.Lock()
		c.made++
		stormy := t.MinExecutors <= 0 && c.made > maxStorm
		c.mu.Unlock()
		if stormy {
			c.logf("stand-in: the real plugin would go on for ever here (minExecutors 0); stopped at %d nodes to spare the machine", maxStorm)
			return
		}
		if err := c.launch(t); err != nil {
			c.logf("WARNING Unexpected exception encountered while provisioning agent: %v", err)
			return
		}
		excess -= t.MinExecutors
		if t.MinExecutors <= 0 {
			pause(c.ctx, 10*time.Millisecond)
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (c *Cloud) launch(t Template) error {
	c.mu.Lock()
	if c.session == nil {
		s, err := newSession(c.ctx, c.cfg, c.opt, c)
		if err != nil {
			c.mu.Unlock()
			return err
		}
		c.session = s
		c.wg.Add(1)
		go func() {
			defer c.wg.Done()
			s.run()
		}()
	}
	s, cfg := c.session, c.cfg
	c.mu.Unlock()
	name := "jenkins-agent-" + t.Label + "-" + uuid.NewString()
	p, err := newPod(name, cfg, t, c.c.AgentSecret(name))
	if err != nil {
		return err
	}
	mode := t.Mode
	if mode == "" {
		mode = "NORMAL"
	}
	c.mu.Lock()
	c.idle[name] = t.IdleMinutes
	c.mu.Unlock()
	node := &core.Node{Name: name, Labels: []string{t.Label}, Mode: mode, NumExecutors: 1, Description: "Mesos Agent"}
	c.c.AddEphemeral(node, func() { c.terminated(name) })
	if err := s.launch(p); err != nil {
		c.c.RemoveNode(name)
		return err
	}
	return nil
}

// terminated is called when a node has been taken away: its task is killed, if the session still knows it.
func (c *Cloud) terminated(name string) {
	c.mu.Lock()
	s := c.session
	delete(c.idle, name)
	c.mu.Unlock()
	if s != nil {
		s.kill(name)
	}
}

// retention takes idle nodes away: at full minutes, after the template's minutes since the last build or since the node was made.
func (c *Cloud) retention() {
	defer c.wg.Done()
	every := c.opt.IdleEvery
	if c.opt.Idle > 0 {
		every = min(every, 200*time.Millisecond)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		for _, n := range c.c.IdleNodes() {
			if c.over(n) {
				c.logf("disconnecting idle agent %s", n.Name)
				c.c.RemoveNode(n.Name)
			}
		}
	}
}

func (c *Cloud) over(n core.IdleNode) bool {
	switch {
	case n.SinceOnline < 0 && n.Idle > c.opt.AgentTimeout:
		return true
	case c.opt.Idle > 0:
		return n.SinceOnline > c.opt.Idle
	}
	c.mu.Lock()
	minutes, ours := c.idle[n.Name]
	c.mu.Unlock()
	return ours && n.Idle > time.Duration(minutes)*time.Minute
}

// command is the plugin's own command line; -Xmx32m is hard-wired there.
func command(cfg Config, t Template, name, secret string) (text, jar string, err error) {
	base, err := url.Parse(cfg.JenkinsURL)
	if err != nil {
		return "", "", fmt.Errorf("read jenkinsURL: %w", err)
	}
	at := func(path string) string { return base.ResolveReference(&url.URL{Path: path}).String() }
	sandbox := "${MESOS_SANDBOX-.}"
	if t.CommandStyle == "Windows" {
		sandbox = "%MESOS_SANDBOX%"
	}
	text = fmt.Sprintf("java -DHUDSON_HOME=jenkins -server -Xmx32m  -jar %s/agent.jar %s -secret %s -jnlpUrl %s", sandbox, t.JnlpArgs, secret, at("computer/"+name+"/slave-agent.jnlp"))
	return text, at("jnlpJars/agent.jar"), nil
}
